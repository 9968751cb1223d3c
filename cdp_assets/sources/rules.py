"""What both implementations hold to: which arguments they take, and how totals are put together.

Belongs here: rules of the `Source` protocol that are the same for a server and a folder. Does not belong
here: the protocol itself (`model`), anything that reads.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from cdp_assets.sources.model import COLLECTIONS, TIME_FIELDS, SourceRejected, Total


def allowed(collection: str) -> str:
    """The collection's name, if it is on the allow list.

    Raises:
        SourceRejected: it is not.
    """
    if collection not in COLLECTIONS:
        raise SourceRejected(
            f"collection {collection!r} is not read: allowed are {', '.join(sorted(COLLECTIONS))}"
        )
    return collection


def time_field(field: str) -> str:
    """The attribute's name, if windows may be read by it.

    Raises:
        SourceRejected: they may not.
    """
    if field not in TIME_FIELDS:
        raise SourceRejected(f"no window by {field!r}: allowed are {', '.join(sorted(TIME_FIELDS))}")
    return field


class Totals:
    """Adds up documents and money per currency code as stored."""

    def __init__(self) -> None:
        self._totals: dict[str, Total] = {}

    def add(self, currency: Any, documents: int, amount: Decimal) -> None:
        """Null counts as `""`, a code that is no text as its JSON."""
        code = "" if currency is None else currency
        if not isinstance(code, str):
            code = msgspec.json.encode(code).decode()
        before = self._totals.get(code, Total(code, 0, Decimal(0)))
        self._totals[code] = Total(code, before.documents + documents, before.amount + amount)

    def in_order(self) -> list[Total]:
        return [self._totals[code] for code in sorted(self._totals)]
