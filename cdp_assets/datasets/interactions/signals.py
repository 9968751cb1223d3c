"""From purchased lines, events and reviews to signals: one row per thing that a customer did with an article.

Belongs here: what counts as which signal, and how much it says. Does not belong here: sums over signals (`pairs`).
Rows without a known customer or a known article are no signals: nobody can be recommended anything for them.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets import sales
from cdp_assets.datasets.event_types import canonical
from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.model import Scope

STRENGTHS = {
    "view": 1.0,
    "click": 2.0,
    "wishlist": 3.0,
    "cart": 4.0,
    "remove": -2.0,
    "purchase": 6.0,
    "return": -6.0,
    "rating": 0.0,
}
"""How much a signal says on its day: the seed's recommender for the first four, and our additions.

A return takes back what the purchase said. A rating says how far it lies from 3, the middle of the scale.
"""

SIGNAL = pl.Enum(list(STRENGTHS))
MIDDLE_RATING = 3.0

_WHOSE = "^(customer_id|article_id|user|item|pair)$"
"""Columns that say whose signal it is, before and after `index`."""

SIGNAL_OF_EVENT = {
    "view": "view",
    "click": "click",
    "wishlist": "wishlist",
    "add_to_cart": "cart",
    "remove_from_cart": "remove",
}
"""Canonical event type -> signal. Purchases are counted by lines, never by their events as well."""


def linked_sale_lines(scope: Scope, purchases: pl.DataFrame) -> pl.DataFrame:
    """Lines that count as sales, of known customers and articles.

    Returns:
        customer_id, article_id, on, at, purchase_key, channel, is_return, is_main, line_total: see `sales`.
    """
    return linked_lines(scope, purchases.filter("is_revenue")).drop("is_sale")


def linked_lines(scope: Scope, purchases: pl.DataFrame) -> pl.DataFrame:
    """Lines of orders that were placed, as `linked_sale_lines`, and `is_sale`: they count as sales today as well."""
    placed = sales.placed(purchases.with_columns(pl.col("is_revenue").alias("is_sale")))
    lines = sales.sale_lines(scope, placed)
    return lines.filter(_known(), pl.col("purchased_at") < scope.until).select(
        "customer_id",
        "article_id",
        pl.col("purchased_on").alias("on"),
        pl.col("purchased_at").alias("at"),
        "purchase_key",
        "channel",
        "is_return",
        "is_main",
        "line_total",
        "is_sale",
    )


def of_sales(lines: pl.DataFrame) -> pl.DataFrame:
    """The signals of sale lines, by keys or by the integers of `index`: purchase, or return."""
    signal = (
        pl.when("is_return").then(pl.lit("return", SIGNAL)).otherwise(pl.lit("purchase", SIGNAL))
    ).alias("signal")
    strength = pl.when("is_return").then(STRENGTHS["return"]).otherwise(STRENGTHS["purchase"])
    return lines.select(pl.col(_WHOSE), signal, "on", "at", strength.alias("strength"))


def of_events(scope: Scope, events: pl.DataFrame) -> pl.DataFrame:
    """The signals of events; types that are none of an article's (search, checkout) are left out."""
    # a handful of names, millions of events
    names = events.select(name=pl.col("event_type").unique()).with_columns(type=canonical(pl.col("name")))
    known = {name: SIGNAL_OF_EVENT[type_] for name, type_ in names.iter_rows() if type_ in SIGNAL_OF_EVENT}
    signal = pl.col("event_type").replace_strict(known, default=None, return_dtype=SIGNAL)
    return (
        events.filter(_known(), pl.col("event_at") < scope.until)
        .select(
            "customer_id",
            "article_id",
            signal.alias("signal"),
            pl.col("event_on").alias("on"),
            pl.col("event_at").alias("at"),
        )
        .drop_nulls("signal")
        .with_columns(
            pl.col("signal")
            .replace_strict(list(STRENGTHS), list(STRENGTHS.values()), return_dtype=pl.Float64)
            .alias("strength")
        )
    )


def of_reviews(scope: Scope, reviews: pl.DataFrame) -> pl.DataFrame:
    """The signals of reviews with a rating; the strength is the rating less 3."""
    return reviews.filter(
        _known(), pl.col("rating").is_not_null(), pl.col("created_at") < scope.until
    ).select(
        "customer_id",
        "article_id",
        pl.lit("rating", SIGNAL).alias("signal"),
        pl.col("created_at").dt.convert_time_zone(scope.timezone).dt.date().alias("on"),
        pl.col("created_at").alias("at"),
        (pl.col("rating") - MIDDLE_RATING).alias("strength"),
    )


def _known() -> pl.Expr:
    return (pl.col("customer_id") != UNKNOWN) & (pl.col("article_id") != UNKNOWN)
