"""What an event is among others: whose it is, and whether its order was told of before.

Belongs here: stitching. Whose an event is depends on the events of its own device alone, whether its order is news on
those that name the order, which is what lets a run look only where something changed.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets.event_types import canonical, converted
from cdp_assets.datasets.events.vocabulary import SHARED
from cdp_assets.datasets.frames import UNKNOWN

STITCHED = ("stitched_customer_id", "stitch_method", "visitor_key", "is_order_told_before")


def stitch(events: pl.DataFrame) -> pl.DataFrame:
    """Events with `STITCHED`; all events of every device and of every order that occurs must be there.

    `stitch_method`: `known` (the event names its customer), `visitor` (the last known customer of its device),
    `shared` (more than three customers on the device: nobody's), `none`. `visitor_key`: the customer, else `visitor:`
    and the device, else `event:` and the event: whose sessions it belongs to. `is_order_told_before`: see
    `told_before`.
    """
    known = events.lazy().filter(pl.col("customer_id") != UNKNOWN, pl.col("visitor_id").is_not_null())
    owners = (
        known.group_by("visitor_id", "customer_id")
        .agg(pl.col("event_at").max())
        .sort("event_at", "customer_id")
        .group_by("visitor_id")
        .agg(pl.len().alias("_customers"), pl.col("customer_id").last().alias("_last"))
    )
    names_customer = pl.col("customer_id") != UNKNOWN
    is_shared = pl.col("_customers") > SHARED
    # in one piece: the streaming engine would cut all the other columns up and put them together again
    return (
        events.lazy()
        .join(owners, on="visitor_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(names_customer)
            .then("customer_id")
            .when(~is_shared)
            .then("_last")
            .alias("stitched_customer_id"),
            pl.when(names_customer)
            .then(pl.lit("known"))
            .when(is_shared)
            .then(pl.lit("shared"))
            .when(pl.col("_last").is_not_null())
            .then(pl.lit("visitor"))
            .otherwise(pl.lit("none"))
            .alias("stitch_method"),
        )
        .with_columns(
            pl.coalesce(
                "stitched_customer_id", "visitor:" + pl.col("visitor_id"), "event:" + pl.col("event_id")
            ).alias("visitor_key")
        )
        .with_columns(told_before(first_tellings(events)))
        .drop("_customers", "_last")
        .collect(engine="in-memory")
    )


def first_tellings(events: pl.DataFrame) -> pl.DataFrame:
    """The first purchase event on a page of each order: order_number, event_id."""
    kind = converted(canonical(pl.col("source_event_type")), pl.col("source_is_conversion"))
    return (
        events.filter(pl.col("order_number").is_not_null(), ~pl.col("is_imported"))
        .filter(kind == "purchase")
        .sort("event_at", "event_id")
        .unique("order_number", keep="first", maintain_order=True)
        .select("order_number", "event_id")
    )


def told_before(first: pl.DataFrame) -> pl.Expr:
    """Whether a purchase on a page is of an order that an earlier one told of: a thank-you page that was reloaded.

    Of other events it says whether they name such an order, which no one asks.
    """
    is_told = pl.col("order_number").is_in(first["order_number"].implode()).fill_null(value=False)
    is_first = pl.col("event_id").is_in(first["event_id"].implode())
    return (is_told & ~is_first & ~pl.col("is_imported")).alias("is_order_told_before")
