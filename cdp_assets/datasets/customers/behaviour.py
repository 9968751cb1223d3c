"""What customers did before they bought or did not: counts of events, rates and windows.

Belongs here: events, and the rates that are made of their counts. A rate is null where there is nothing to divide by,
and never leaves 0 to 1: more purchases than views (those in the store have none) say nothing of conversion.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets.customers import windows

COUNTS = {
    "views": "view",
    "clicks": "click",
    "wishlist_events": "wishlist",
    "carts": "add_to_cart",
    "cart_removals": "remove_from_cart",
    "checkouts": "checkout_start",
    "buys": "purchase",
    "searches": "search",
}
"""Column -> canonical type of the events that it counts."""

PRIOR = 20
"""Trials that the tenant's own rate counts for in a smoothed rate: few views move it little, hundreds decide it."""


def event_counts(events: pl.DataFrame) -> pl.DataFrame:
    """One row per customer with an event: events of each kind, in all and by window."""
    kind = pl.col("kind")
    return events.group_by("customer").agg(
        pl.len().cast(pl.Int64).alias("session_events"),
        *((kind == name).sum().cast(pl.Int64).alias(column) for column, name in COUNTS.items()),
        *windows.counts("views", kind == COUNTS["views"]),
        *windows.counts("carts", kind == COUNTS["carts"]),
        pl.col("age").min().alias("days_since_last_event"),
    )


def sessions(events: pl.DataFrame) -> pl.DataFrame:
    """One row per customer with a session: sessions as dataset F parts them, each on its last day."""
    return (
        events.filter(pl.col("session").is_not_null())
        .group_by("customer", "session")
        .agg(pl.col("age").min())
        .group_by("customer")
        .agg(
            pl.len().cast(pl.Int64).alias("total_sessions"),
            *windows.counts("sessions"),
            windows.before_last_30().alias("sessions_prev_30d"),
        )
    )


def baskets(events: pl.DataFrame) -> pl.DataFrame:
    """One row per customer with a wish or a cart: distinct articles in each."""
    kinds = {"wishlist_size": COUNTS["wishlist_events"], "cart_additions": COUNTS["carts"]}
    kind = pl.col("kind")
    return (
        events.filter(kind.is_in(list(kinds.values())), pl.col("article_id").is_not_null())
        .unique(["customer", "kind", "article_id"])
        .group_by("customer")
        .agg((kind == name).sum().cast(pl.Int64).alias(column) for column, name in kinds.items())
    )


def dominant() -> pl.Expr:
    """The most frequent of the types counted, of equals the first of `COUNTS`; null without an event of them."""
    most = pl.max_horizontal(*COUNTS)
    return pl.coalesce(
        pl.when((pl.col(name) == most) & (most > 0)).then(pl.lit(kind)) for name, kind in COUNTS.items()
    )


def rate(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Part of the whole, at most 1; null where whole is 0."""
    return pl.when(whole > 0).then(pl.min_horizontal(part, whole) / whole)


def smoothed(part: pl.Expr, whole: pl.Expr, prior: int = PRIOR) -> pl.Expr:
    """(Part + prior * p) / (whole + prior) with p the rate of all customers together; null where nobody has a trial."""
    capped = pl.min_horizontal(part, whole)
    usual = pl.when(whole.sum() > 0).then(capped.sum() / whole.sum())
    return (capped + prior * usual) / (whole + prior)


def rates() -> list[pl.Expr]:
    """Rates of the counts in a table of customers."""
    buys, views, carts, clicks = (pl.col(name) for name in ("buys", "views", "carts", "clicks"))
    abandoned = (carts - buys).clip(lower_bound=0)
    conversion = rate(buys, views)
    return [
        conversion.alias("conversion_rate"),
        conversion.alias("view_to_buy_rate"),
        # many sources never tell a click: 0 of 1,000 views would then be said of everybody
        pl.when(clicks.sum() > 0).then(rate(clicks, views)).alias("click_through_rate"),
        rate(carts, clicks).alias("add_to_cart_rate"),
        rate(abandoned, carts).alias("cart_abandon_rate"),
        smoothed(buys, views).alias("conversion_rate_smoothed"),
        smoothed(abandoned, carts).alias("cart_abandon_rate_smoothed"),
    ]
