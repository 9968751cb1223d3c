"""What events say of orders, against the orders themselves; asked of full runs.

Belongs here: comparing the two. Does not belong here: reading either (`store`), the list of checks (`checks`).
"""

from __future__ import annotations

from cdp_assets.datasets.events.audit import EventsAudit
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity

MIN_ORDERS, MAX_UNMATCHED = 50, 0.05
"""Share of orders that only one side knows: telephone orders have no event, imports no page."""


def purchases_match_orders(audit: EventsAudit) -> Measure:
    """Orders without a purchase event, and purchase events of orders that are not there; asked of full runs."""
    if audit.unmatched is None:
        return Measure(0, "asked of full runs")
    unmatched = audit.unmatched()
    told = audit.tables.events_enriched.filter("is_conversion")["order_number"].drop_nulls().n_unique()
    count = sum(map(len, unmatched.values()))
    known = told + len(unmatched["orders"])
    share = count / max(known, 1)
    return Measure(
        count if known >= MIN_ORDERS and share > MAX_UNMATCHED else 0,
        f"{len(unmatched['orders'])} orders without an event, {len(unmatched['events'])} events without an order "
        f"({share:.2%}, {MAX_UNMATCHED:.0%} are tolerated, from {MIN_ORDERS} orders)",
        {"orders": len(unmatched["orders"]), "events": len(unmatched["events"]), "share": share},
        ("only in", "order"),
        [(side, number) for side, numbers in unmatched.items() for number in numbers[: SAMPLE_ROWS // 2]],
        Severity.WARN,
    )


def order_total_matches_lines(audit: EventsAudit) -> Measure:
    """Events whose total is not the sum of their order's lines, to the cent; asked of full runs."""
    if audit.differing is None:
        return Measure(0, "asked of full runs")
    found = audit.differing()
    return Measure(
        len(found),
        f"{len(found)} events name another total than LEO's lines of the order sum to",
        {"events": len(found)},
        ("event", "order", "total", "sum of the lines"),
        found[:SAMPLE_ROWS],
        Severity.WARN,
    )
