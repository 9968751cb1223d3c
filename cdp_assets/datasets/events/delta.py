"""What a run changes: from changed events to the visitors they touch, and those visitors' rows anew.

Belongs here: the plan of an incremental run, on an abstract store. What comes out is, row by row, what one run over
all events would make: a visitor's rows depend on that visitor's events alone, an event's visitor on the events of its
device alone, and whether its order is news on those that name the order. So devices and orders of changed events are
stitched anew, and visitors who lost or won an event, or of whom one is news now or no more, are built anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from cdp_assets.datasets.events.build import Tables, build
from cdp_assets.datasets.events.contract import CONTRACTS, RAW
from cdp_assets.datasets.events.funnels import Funnel
from cdp_assets.datasets.events.identity import STITCHED, first_tellings, stitch, told_before
from cdp_assets.datasets.model import Scope

OWNER = {"session_funnel": "visitor_key", "customer_behavior": "customer_id", "funnel_member": "visitor_key"}
"""Column by which a table's rows belong to a visitor."""


class Store(Protocol):
    """The tables as they are."""

    def fetch(self, table: str, column: str, values: pl.Series) -> pl.DataFrame:
        """Rows of a table with one of the values in a column; all columns of its contract."""
        ...


@dataclass(frozen=True)
class Change:
    """What happened since the run before; what is listed need not have changed.

    Attributes:
        events: as they are now, columns `RAW`.
        gone: event_id of those that are no more.
        customers: reference -> customer_id it leads to today, of references that lead elsewhere than before.
        products: reference -> article_id, category_id.
        orders: reference -> order_number, order_value, currency.
    """

    events: pl.DataFrame
    gone: pl.Series
    customers: pl.DataFrame
    products: pl.DataFrame
    orders: pl.DataFrame


LINKS = {
    "customers": ("customer_reference", ("customer_id",)),
    "products": ("product_reference", ("article_id", "category_id")),
    "orders": ("order_reference", ("order_number", "order_value", "currency")),
}
"""Frame of `Change` -> the column of an event that it speaks of, and those that follow from it."""


@dataclass(frozen=True)
class Delta:
    """What a run writes.

    Attributes:
        tables: new rows of the visitors that are touched, among them rows that are as they were.
        before: the rows that these visitors have now.
        changed: events that are new, different or gone.
    """

    tables: Tables
    before: Tables
    changed: int

    def gone(self, table: str) -> pl.DataFrame:
        """Keys of rows that are no more."""
        key = CONTRACTS[table].primary_key()
        old: pl.DataFrame = getattr(self.before, table)
        return old.select(key).join(getattr(self.tables, table), on=key, how="anti")

    def different(self, table: str) -> pl.DataFrame:
        """Rows that are new or not as they were."""
        new: pl.DataFrame = getattr(self.tables, table)
        old: pl.DataFrame = getattr(self.before, table)
        return new.join(old.select(new.columns), on=new.columns, how="anti", nulls_equal=True)

    def superseded(self) -> pl.DataFrame:
        """See `superseded`."""
        return superseded(
            self.gone("session_funnel"), self.before.events_enriched, self.tables.events_enriched
        )


def superseded(lost: pl.DataFrame, before: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """Which sessions take the place of those that are no more (`session_id` of `lost`), from F1 as it was and is.

    Columns old_id and new_id: the session of its first event that is left, null where none is.
    """
    old = before.select("event_id", "event_at", pl.col("session_id").alias("old_id"))
    new = now.select("event_id", pl.col("session_id").alias("new_id"))
    return (
        old.join(lost, left_on="old_id", right_on="session_id", how="semi")
        .join(new, on="event_id", how="left")
        .sort("event_at", "event_id")
        .group_by("old_id", maintain_order=True)
        .agg(pl.col("new_id").drop_nulls().first())
        .sort("old_id")
    )


def plan(
    scope: Scope, configured: Sequence[Funnel], store: Store, change: Change, now: datetime
) -> Delta | None:
    """The rows that a change makes different; None where it changes nothing."""
    fresh, touched = _fresh(store, change)
    gone = change.gone.filter(change.gone.is_in(touched["event_id"].implode()))
    if fresh.is_empty() and gone.is_empty():
        return None
    replaced = pl.concat([fresh["event_id"], gone])
    devices = pl.concat([fresh["visitor_id"], touched["visitor_id"]]).drop_nulls().unique()
    neighbours = store.fetch("events_enriched", "visitor_id", devices)
    before = pl.concat([neighbours, touched]).unique("event_id")
    kept = before.filter(~pl.col("event_id").is_in(replaced.implode()))
    orders = pl.concat([fresh["order_number"], touched["order_number"]]).drop_nulls().unique()
    seen = pl.concat([before["event_id"], replaced])
    elsewhere = store.fetch("events_enriched", "order_number", orders).filter(
        ~pl.col("event_id").is_in(seen.implode())
    )
    pool = stitch(pl.concat([kept.select(*RAW), fresh]))
    first = first_tellings(
        pl.concat([pool.select(*RAW), elsewhere.select(*RAW)]).filter(
            pl.col("order_number").is_in(orders.implode())
        )
    )
    pool = _restated(pool, orders, first, before)
    renewed = _restated(elsewhere, orders, first, elsewhere)
    is_other = renewed["is_order_told_before"] != elsewhere["is_order_told_before"]
    moved = (
        pl.concat([_moved(before, pool, replaced), elsewhere["visitor_key"].filter(is_other)]).unique().sort()
    )
    stored = store.fetch("events_enriched", "visitor_key", moved)
    alone = stored.filter(~pl.col("event_id").is_in(seen.implode()))
    mine = pl.concat(
        [
            pool.filter(pl.col("visitor_key").is_in(moved.implode())),
            _restated(alone, orders, first, alone).select(*RAW, *STITCHED),
        ]
    )
    old = {name: store.fetch(name, column, moved) for name, column in OWNER.items()}
    return Delta(build(scope, configured, mine, now), Tables(stored, **old), replaced.len())


def _fresh(store: Store, change: Change) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events that are new or different, as they are now; and the stored rows of all that are different or gone."""
    ids = pl.concat([change.events["event_id"], change.gone]).unique()
    stored = [store.fetch("events_enriched", "event_id", ids)]
    for name, (reference, _) in LINKS.items():
        links: pl.DataFrame = getattr(change, name)
        if links.height:
            stored.append(store.fetch("events_enriched", reference, links["reference"]))
    known = pl.concat(stored).unique("event_id")
    linked = known.filter(~pl.col("event_id").is_in(ids.implode())).select(*RAW)
    for name, (reference, columns) in LINKS.items():
        links = getattr(change, name)
        if links.height:
            linked = (
                linked.join(
                    links.with_columns(pl.lit(True).alias("_hit")),
                    left_on=reference, right_on="reference", how="left", suffix="_new",
                )
                .with_columns(
                    pl.when("_hit").then(pl.col(f"{column}_new")).otherwise(column).alias(column)
                    for column in columns
                )
                .select(*RAW)
            )  # fmt: skip
    now = pl.concat([change.events.select(*RAW), linked])
    fresh = now.join(known.select(*RAW), on=list(RAW), how="anti", nulls_equal=True)
    changed = pl.concat([fresh["event_id"], change.gone])
    return fresh, known.filter(pl.col("event_id").is_in(changed.implode()))


def _restated(
    events: pl.DataFrame, orders: pl.Series, first: pl.DataFrame, before: pl.DataFrame
) -> pl.DataFrame:
    """Events with `is_order_told_before` anew where they name one of these orders, as it was before elsewhere."""
    was = before.select("event_id", pl.col("is_order_told_before").alias("_was"))
    names_one = pl.col("order_number").is_in(orders.implode()).fill_null(value=False)
    return (
        events.join(was, on="event_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(names_one)
            .then(told_before(first))
            .otherwise(pl.col("_was").fill_null(value=False))
            .alias("is_order_told_before")
        )
        .drop("_was")
    )


def _moved(before: pl.DataFrame, pool: pl.DataFrame, replaced: pl.Series) -> pl.Series:
    """Visitors who lost, won or hold a changed event, or one whose order is news now or no more."""
    stitched = ("visitor_key", "is_order_told_before")
    both = before.select("event_id", *stitched).join(
        pool.select("event_id", *stitched), on="event_id", how="full", coalesce=True, suffix="_new"
    )
    different = both.filter(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_new")) for name in stitched)
        | pl.col("event_id").is_in(replaced.implode())
    ).select(pl.col("visitor_key").alias("old"), pl.col("visitor_key_new").alias("new"))
    return pl.concat([different["old"], different["new"]]).drop_nulls().unique().sort()
