"""What is true of a state of the world: exact counts, sums and members to assert landing against.

Belongs here: one pass over the documents of a tenant. Does not belong here: the faults themselves (`defects`), files
(`world`). "Landed" means: the contract has no reason to refuse the document, so its row exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from cdp_assets.demo.defects import QUARANTINED
from cdp_assets.demo.leo import Document
from cdp_assets.demo.tenant import TenantWorld
from cdp_assets.sources.model import CONVERSION, PROFILE, SEGMENT


class Tally:
    """Counts the documents of one tenant while they pass by."""

    def __init__(self, tenant: TenantWorld) -> None:
        self._quarantined = {(d.collection, d.key) for d in tenant.defects if d.expected == QUARANTINED}
        self._documents: Counter[str] = Counter(dict.fromkeys(tenant.database.base, 0))
        self._refused: Counter[str] = Counter()
        self._totals: dict[str, list[Any]] = {}
        self._segments: dict[str, Document] = {}
        self._members: Counter[str] = Counter()
        self._landed_members: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._roots: dict[str, str] = {}

    def watch(self, collection: str, documents: Iterator[Document]) -> Iterator[Document]:
        """Hands the documents on, counting them."""
        for document in documents:
            self._documents[collection] += 1
            refused = (collection, document["_key"]) in self._quarantined
            self._refused[collection] += refused
            if collection == PROFILE:
                self._profile(document, refused)
            elif collection == CONVERSION and not refused:
                total = self._totals.setdefault(document["currencyCode"], [0, Decimal(0)])
                total[0] += 1
                total[1] += Decimal(str(document["transactionValue"]))
            elif collection == SEGMENT:
                self._segments[document["_key"]] = document
            yield document

    def _profile(self, document: Document, refused: bool) -> None:
        self._statuses[str(document["status"])] += 1
        if document["status"] == 0:
            self._roots[document["_key"]] = document["rootProfileId"]
        references = document["inSegments"]
        # AQL's `[*].id` of anything but an array is empty: such a profile is nobody's member.
        if document["status"] > 0 and isinstance(references, list):
            for reference in references:
                self._members[reference["id"]] += 1
                self._landed_members[reference["id"]] += not refused

    def _final_root(self, key: str) -> str:
        while key in self._roots:
            key = self._roots[key]
        return key

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON; amounts are decimal texts."""
        return {
            "collections": {
                name: {
                    "documents": count,
                    "landed": count - self._refused[name],
                    "quarantined": self._refused[name],
                }
                for name, count in sorted(self._documents.items())
            },
            "profiles_by_status": dict(sorted(self._statuses.items())),
            "landed_totals": {
                currency: {"documents": count, "amount": str(amount)}
                for currency, (count, amount) in sorted(self._totals.items())
            },
            "segments": {
                key: {
                    "name": document["name"],
                    "status": document["status"],
                    "members": self._members[key],
                    "landed_members": self._landed_members[key],
                }
                for key, document in sorted(self._segments.items())
            },
            "merged": {key: self._final_root(key) for key in sorted(self._roots)},
        }
