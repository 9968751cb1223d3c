"""Words for the state of an order that the vocabulary does not know, with the money that depends on them.

Belongs here: what is said of them, once for LEO's events and the shop's orders. Such an order counts as unknown and is
no revenue, so the money is what may be missing from every report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity
from cdp_assets.warehouse.preview import masked

_WORD = re.compile(r"[^\W\d]+([ _./-][^\W\d]+){0,5}")
"""A few words of letters; what people type beside, a name with a number for instance, is masked."""

Told = Iterable[tuple[str | None, str | None, int, Decimal | None]]
"""The source's word, currency, orders and their money."""


def measured(told: Told) -> Measure:
    """What to say of orders in a state that is not known."""
    rows = sorted(told, key=lambda row: (-row[2], row[0] or "", row[1] or ""))
    orders = sum(row[2] for row in rows)
    words = {row[0] for row in rows}
    money: dict[str, Decimal] = {}
    for _, currency, _, amount in rows:
        name = currency if currency and re.fullmatch(r"[A-Za-z]{3}", currency) else "no currency"
        money[name] = money.get(name, Decimal(0)) + (amount or Decimal(0))
    sums = ", ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(money.items()))
    return Measure(
        orders,
        f"{orders} orders are in a state that is not known ({len(words)} words) and are no revenue: {sums}"
        if orders
        else "every order is in a state that is known",
        {"orders": orders, "words": len(words)},
        ("word", "currency", "orders", "money"),
        [
            (_shown(word), currency, count, None if amount is None else str(amount))
            for word, currency, count, amount in rows[:SAMPLE_ROWS]
        ],
        Severity.WARN,
    )


def _shown(word: str | None) -> str:
    if word is None or not word.strip():
        return "(none)"
    return word if len(word) <= 40 and _WORD.fullmatch(word.strip()) else str(masked(word.strip()))
