"""Whose an event is: the customer it names, else the one who was last known on its device.

Belongs here: stitching. An event's answer depends on the events of its own device alone, which is what lets a run
look at those devices only where something changed.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets.events.vocabulary import SHARED
from cdp_assets.datasets.frames import UNKNOWN

STITCHED = ("stitched_customer_id", "stitch_method", "visitor_key")


def stitch(events: pl.DataFrame) -> pl.DataFrame:
    """Events with `STITCHED`; all events of every device that occurs must be there.

    `stitch_method`: `known` (the event names its customer), `visitor` (the last known customer of its device),
    `shared` (more than three customers on the device: nobody's), `none`. `visitor_key`: the customer, else `visitor:`
    and the device, else `event:` and the event: whose sessions it belongs to.
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
        .drop("_customers", "_last")
        .collect(engine="in-memory")
    )
