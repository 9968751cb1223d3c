"""Dataset F3: how each customer behaves, over all time and lately, as of a whole day.

Belongs here: aggregates of F1 by customer. Windows end with `as_of` in the tenant's zone; a rate whose denominator is
zero is null.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

import polars as pl

from cdp_assets.datasets.events.contract import Behavior
from cdp_assets.datasets.model import Scope

WINDOWS = (1, 7, 30)
ABANDONED = timedelta(hours=24)
"""A cart that was left longer ago is abandoned: most orders that come at all come the same day."""

_COUNTS = {
    "views": "view",
    "clicks": "click",
    "carts": "add_to_cart",
    "buys": "purchase",
    "wishlist_events": "wishlist",
}
Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

_WINDOWED = ("views", "carts", "buys")


def counted(events: Frame) -> Frame:
    """F1's events that numbers are made of: tracked, told once, by people, of sessions that are not in quarantine."""
    return events.filter(
        ~pl.col("is_imported"), ~pl.col("is_duplicate"), ~pl.col("is_bot"), ~pl.col("is_quarantined")
    )


def behaviour(scope: Scope, events: pl.DataFrame) -> pl.DataFrame:
    """F3 of F1's rows before `scope.until`; all events of every customer that occurs must be there.

    `conversion_rate`: sessions with a purchase / sessions. `click_through_rate`, `add_to_cart_rate`,
    `view_to_buy_rate`: clicks, carts and purchases / views. `cart_abandon_rate`: sessions with a cart and no purchase /
    sessions with a cart. `open_cart_*`: what was put into the cart since the last purchase, less what was taken out.
    """
    mine = (
        counted(events.lazy())
        .filter(pl.col("event_at") < scope.until, pl.col("stitched_customer_id").is_not_null())
        .with_columns(
            pl.col("stitched_customer_id").alias("customer_id"),
            (scope.as_of - pl.col("event_on")).dt.total_days().alias("age"),
            pl.col("event_at").filter(pl.col("is_conversion")).max().over("stitched_customer_id").alias("bought"),
        )
    )  # fmt: skip
    kind, at = pl.col("event_type"), pl.col("event_at")
    is_kind = {column: kind == name for column, name in _COUNTS.items()}
    table = (
        mine.group_by("customer_id")
        .agg(
            pl.len().cast(pl.Int64).alias("total_events"),
            *(of.sum().cast(pl.Int64).alias(column) for column, of in is_kind.items()),
            *((pl.col("age") < days).sum().cast(pl.Int64).alias(f"events_{days}d") for days in WINDOWS),
            *(
                (is_kind[column] & (pl.col("age") < days)).sum().cast(pl.Int64).alias(f"{column}_{days}d")
                for column in _WINDOWED
                for days in WINDOWS
            ),
            pl.col("event_on").filter(pl.col("age") < 30).n_unique().cast(pl.Int64).alias("active_days_30d"),
            at.min().alias("first_event_at"),
            at.max().alias("last_event_at"),
            pl.col("bought").first().alias("last_purchase_at"),
        )
        .join(_dominant(mine), on="customer_id", how="left")
        .join(_visits(mine), on="customer_id", how="left")
        .join(_open_carts(mine, _paid(scope, events)), on="customer_id", how="left")
        .with_columns(
            _rate("clicks", "views", "click_through_rate"),
            _rate("carts", "views", "add_to_cart_rate"),
            _rate("buys", "views", "view_to_buy_rate"),
            pl.col("open_cart_articles").fill_null([]),
            (pl.col("open_cart_since") < scope.until - ABANDONED).fill_null(False).alias("cart_abandoned"),
        )
    )
    return table.select(Behavior.column_names()).collect()


def _rate(part: str, whole: str, name: str) -> pl.Expr:
    return (pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))).alias(name)


def _dominant(mine: pl.LazyFrame) -> pl.LazyFrame:
    """The most frequent type; of equals the first by name."""
    return (
        mine.group_by("customer_id", "event_type")
        .len()
        .sort("len", "event_type", descending=[True, False])
        .group_by("customer_id", maintain_order=True)
        .agg(pl.col("event_type").first().alias("dominant_event_type"))
    )


def _visits(mine: pl.LazyFrame) -> pl.LazyFrame:
    kind, at = pl.col("event_type"), pl.col("event_at")
    visits = mine.group_by("customer_id", "session_id").agg(
        (at.max() - at.min()).dt.total_microseconds().alias("microseconds"),
        pl.col("is_conversion").any().alias("bought"),
        (kind == "add_to_cart").any().alias("filled"),
    )
    return (
        visits.group_by("customer_id")
        .agg(
            pl.len().cast(pl.Int64).alias("total_sessions"),
            # a sum of integers is the same in any order of its rows
            (pl.col("microseconds").sum() / pl.len() / 1e6).alias("avg_session_length_seconds"),
            pl.col("bought").mean().alias("conversion_rate"),
            pl.col("filled").sum().alias("_filled"),
            (pl.col("filled") & ~pl.col("bought")).sum().alias("_left"),
        )
        .with_columns(_rate("_left", "_filled", "cart_abandon_rate"))
        .drop("_filled", "_left")
    )


def _paid(scope: Scope, events: pl.DataFrame) -> pl.LazyFrame:
    """Customer -> when they last paid, by whatever channel: an order that a till or a server reports counts as well."""
    return (
        events.lazy()
        .filter(
            "is_conversion", pl.col("event_at") < scope.until, pl.col("stitched_customer_id").is_not_null()
        )
        .group_by(pl.col("stitched_customer_id").alias("customer_id"))
        .agg(pl.col("event_at").max().alias("paid"))
    )


def _open_carts(mine: pl.LazyFrame, paid: pl.LazyFrame) -> pl.LazyFrame:
    """Customer -> since when there is an open cart, and the articles in it; no row without."""
    added = pl.col("event_type") == "add_to_cart"
    return (
        mine.filter(
            pl.col("event_type").is_in(["add_to_cart", "remove_from_cart"]),
            pl.col("article_id").is_not_null(),
        )
        .join(paid, on="customer_id", how="left")
        .filter(pl.col("paid").is_null() | (pl.col("event_at") > pl.col("paid")))
        .group_by("customer_id", "article_id")
        .agg(
            (added.sum().cast(pl.Int64) - (~added).sum().cast(pl.Int64)).alias("pieces"),
            pl.col("event_at").filter(added).max().alias("last"),
        )
        .filter(pl.col("pieces") > 0)
        .group_by("customer_id")
        .agg(
            pl.col("last").max().alias("open_cart_since"),
            pl.col("article_id").sort().alias("open_cart_articles"),
        )
    )
