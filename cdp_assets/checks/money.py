"""Money: `cdp.transactional_context` against the source's own sums per currency, and what no report may count.

Belongs here: what landed plus what was rejected equals what the source adds up. Amounts of rejected documents are
read from the quarantine, so a difference is never explained away by "some were rejected".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from cdp_assets.checks.masking import masked_currency
from cdp_assets.checks.subject import Subject
from cdp_assets.landing import order_words
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity
from cdp_assets.sources.model import Total
from cdp_assets.sources.rules import Totals
from cdp_assets.vocabulary.order_statuses import UNKNOWN

TOLERANCE = Decimal("0.005")
"""Per 1,000 documents, at least once: the source adds doubles, the warehouse decimals."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(slots=True)
class Sum:
    """Documents and money."""

    documents: int = 0
    amount: Decimal = Decimal(0)

    def add(self, documents: int, amount: Decimal) -> None:
        """Add further documents."""
        self.documents += documents
        self.amount += amount


@dataclass(frozen=True, slots=True)
class Line:
    """One currency of the comparison."""

    currency: str
    source: Sum
    landed: Sum
    rejected: Sum

    @property
    def documents(self) -> int:
        """Documents too many (negative: missing) in the warehouse."""
        return self.landed.documents + self.rejected.documents - self.source.documents

    @property
    def amount(self) -> Decimal:
        """Money too much (negative: missing) in the warehouse."""
        return self.landed.amount + self.rejected.amount - self.source.amount

    @property
    def is_equal(self) -> bool:
        """Whether documents and money agree."""
        allowed = TOLERANCE * max(Decimal(1), Decimal(self.source.documents) / 1000)
        return self.documents == 0 and abs(self.amount) <= allowed


def amount_reconciliation(subject: Subject) -> Measure:
    """Documents and money per currency: landed and rejected against the source."""
    lines = _compare(subject)
    unequal = [line for line in lines if not line.is_equal]
    is_settled = subject.is_settled()
    numbers: dict[str, float] = {
        "currencies": len(lines),
        "documents_difference": sum(line.documents for line in lines),
        "documents_rejected": sum(line.rejected.documents for line in lines),
        "amount_difference_max": max((float(abs(line.amount)) for line in lines), default=0.0),
    }
    return Measure(
        len(unequal),
        f"{len(lines) - len(unequal)} of {len(lines)} currencies agree"
        + ("; the source has changed since the last full sweep" if unequal and not is_settled else ""),
        numbers,
        (
            "currency",
            "source documents",
            "source amount",
            "landed documents",
            "landed amount",
            "rejected documents",
            "rejected amount",
            "difference",
        ),
        [_shown(line) for line in unequal[:SAMPLE_ROWS]],
        Severity.ERROR if is_settled else Severity.WARN,
    )


def _compare(subject: Subject) -> list[Line]:
    # A document that was landed and rejected in a later version counts as the version that the source has: rejected.
    landed = subject.rows(
        "select t.currency, count(*), sum(t.amount) from {table} as t where t.tenant_id = %(tenant)s "
        "and t.deleted_at is null and not exists (select from ops.quarantine as q where q.tenant_id = %(tenant)s "
        "and q.collection = %(collection)s and q.resolved_at is null and not q.landed and q.key = t.{key}) group by 1"
    )
    documents = subject.rows(
        "select document from ops.quarantine where tenant_id = %(tenant)s and collection = %(collection)s "
        "and resolved_at is null and not landed"
    )
    default = subject.options.default_currency
    source = _by_currency(subject.facts().totals, default)
    rejected = _by_currency(_totals(text for (text,) in documents), default)
    here = {currency: Sum(count, amount) for currency, count, amount in landed}
    return [
        Line(name, source.get(name, Sum()), here.get(name, Sum()), rejected.get(name, Sum()))
        for name in sorted(source.keys() | rejected.keys() | here.keys())
    ]


def _totals(documents: Iterable[str | None]) -> list[Total]:
    """Rejected documents added up as the source would; one that cannot be read has no currency and no amount."""
    totals = Totals()
    for text in documents:
        try:
            document: Any = _decoder.decode(text or "")
        except msgspec.DecodeError:
            document = None
        fields = document if isinstance(document, dict) else {}
        totals.add(fields.get("currencyCode"), 1, _addend(fields.get("transactionValue")))
    return totals.in_order()


def _addend(value: Any) -> Decimal:
    """What a value adds to the source's sum: a number itself, anything else nothing."""
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else Decimal(0)


def _by_currency(totals: Iterable[Total], default: str) -> dict[str, Sum]:
    """Sums by the code that landing gives a row: in capitals, the tenant's default where there is none."""
    sums: dict[str, Sum] = {}
    for total in totals:
        code = total.currency.strip().upper() or default
        sums.setdefault(code, Sum()).add(total.documents, total.amount)
    return sums


def _shown(line: Line) -> tuple[str, ...]:
    parts = (line.source, line.landed, line.rejected)
    return (
        masked_currency(line.currency),
        *(text for part in parts for text in (str(part.documents), f"{part.amount:,.2f}")),
        f"{line.documents:+d} documents, {line.amount:+,.2f}",
    )


def order_status_known(subject: Subject) -> Measure:
    """Orders that tracking events name, by `transactionStatus`."""
    return order_words.measured(
        subject.rows(
            "select transaction_status, currency, count(distinct coalesce(transaction_id, event_id)), "
            "sum(transaction_value) from {table} where tenant_id = %(tenant)s and deleted_at is null "
            "and order_status = %(unknown)s group by 1, 2",
            unknown=UNKNOWN,
        )
    )
