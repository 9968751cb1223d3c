"""Faults that the demo world's ledger has not, but shops have: each changes the inputs of a dataset of the clean world.

Belongs here: the faults, and which check must find each. Does not belong here: faults of the ledger, which the sources
hold (`cdp_assets.demo.defects`), and faults of a build, which no input shows (`test_dataset_*_checks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from cdp_assets.datasets.model import Frames

Spoilt = tuple[dict[str, pl.DataFrame], set[str]]
"""Frames in place of the sound ones, and the keys that the sample of the check must name."""


@dataclass(frozen=True)
class Fault:
    """`checks` are those that must fail, and no other; the first of them must name the keys."""

    name: str
    dataset: str
    checks: tuple[str, ...]
    spoil: Callable[[Frames], Spoilt]


def put(frame: pl.DataFrame, column: str, keys: Iterable[Any], **values: Any) -> pl.DataFrame:
    """The frame with other values in the rows whose `column` is one of the keys."""
    chosen = pl.col(column).is_in(list(keys))
    return frame.with_columns(
        pl.when(chosen).then(pl.lit(value, frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def some(frame: pl.DataFrame, column: str, share: float = 0.0) -> list[Any]:
    """Keys of the first rows: this share of them, or one."""
    return frame[column].sort().head(max(1, int(frame.height * share) + 1 if share else 1)).to_list()


def _category_in_a_circle(inputs: Frames) -> Spoilt:
    rows = inputs["categories"]
    child, parent = rows.filter(pl.col("parent_id").is_not_null()).select("category_id", "parent_id").row(0)
    return {"categories": put(rows, "category_id", [parent], parent_id=child)}, {str(child), str(parent)}


def _category_without_parent(inputs: Frames) -> Spoilt:
    rows = inputs["categories"]
    (child,) = some(rows.filter(pl.col("parent_id").is_not_null()), "category_id")
    return {"categories": put(rows, "category_id", [child], parent_id=9_999)}, {str(child)}


def _articles(**values: Any) -> Callable[[Frames], Spoilt]:
    def spoil(inputs: Frames) -> Spoilt:
        keys = some(inputs["articles"], "article_id")
        return {"articles": put(inputs["articles"], "article_id", keys, **values)}, set(keys)

    return spoil


def _shared_sku(inputs: Frames) -> Spoilt:
    first, second = inputs["articles"].sort("article_id")["article_id"].head(2)
    return {"articles": put(inputs["articles"], "article_id", [first, second], sku="TWICE")}, {first, second}


def _reviews(share: float = 0.0, **values: Any) -> Callable[[Frames], Spoilt]:
    def spoil(inputs: Frames) -> Spoilt:
        keys = some(inputs["reviews"], "review_id", share)
        return {"reviews": put(inputs["reviews"], "review_id", keys, **values)}, set(keys)

    return spoil


def _reviews_of_tomorrow(inputs: Frames) -> Spoilt:
    late = inputs["reviews"]["created_at"].max() + timedelta(days=400)  # type: ignore[operator]
    return _reviews(created_at=late)(inputs)


def _lines_of_nobody(inputs: Frames) -> Spoilt:
    keys = some(inputs["purchases"].filter("is_revenue"), "purchase_key", 0.06)
    return {"purchases": put(inputs["purchases"], "purchase_key", keys, customer_id="unknown")}, set()


def _taken_back_without_buying(inputs: Frames) -> Spoilt:
    rows = inputs["purchases"]
    single = pl.len().over("customer_id", "article_id") == 1
    row = rows.filter(single, "is_revenue", pl.col("currency") == "VND", pl.col("line_total") > 0).sort(
        "purchase_key"
    )
    key, value, customer = row.select("purchase_key", "line_total", "customer_id").row(0)
    return {"purchases": put(rows, "purchase_key", [key], line_total=-value)}, {customer}


def _price_of_another_unit(inputs: Frames) -> Spoilt:
    rows = inputs["purchases"]
    often = pl.col("purchased_on").n_unique().over("article_id") >= 5
    sold = rows.filter(often, "is_revenue", pl.col("currency") == "VND", pl.col("line_total") > 0)
    key, value, article = sold.sort("purchase_key").select("purchase_key", "line_total", "article_id").row(0)
    return {"purchases": put(rows, "purchase_key", [key], line_total=value * 1_000)}, {article}


def _sold_for_nothing(inputs: Frames) -> Spoilt:
    rows = inputs["purchases"]
    keys = some(rows.filter("is_revenue"), "purchase_key", 0.15)
    return {"purchases": put(rows, "purchase_key", keys, line_total=Decimal(0))}, set()


FAULTS: tuple[Fault, ...] = (
    Fault("category in a circle", "articles_content", ("categories_are_a_tree",), _category_in_a_circle),
    Fault("category without its parent", "articles_content", ("categories_are_a_tree",), _category_without_parent),
    Fault("price of 0", "articles_content", ("prices_are_possible",), _articles(unit_price=Decimal(0))),
    Fault("price below 0", "articles_content", ("inputs_are_usable", "prices_are_possible"),
          _articles(unit_price=Decimal(-1))),
    Fault("stock code of another", "articles_content", ("skus_are_distinct",), _shared_sku),
    Fault("review of an article that is not there", "reviews_nlp", ("links_are_known",), _reviews(article_id="shop:0")),
    Fault("reviews by nobody", "reviews_nlp", ("links_are_known",), _reviews(0.1, customer_id="unknown")),
    Fault("rating of 9", "reviews_nlp", ("inputs_are_usable",), _reviews(rating=9.0)),
    Fault("review of tomorrow", "reviews_nlp", ("inputs_are_usable",), _reviews_of_tomorrow),
    Fault("wave of spam", "reviews_nlp", ("spam",), _reviews(0.1, comment="Mua ngay https://spam.example/x1")),
    Fault("lines of nobody", "user_item_interactions", ("sales_linked",), _lines_of_nobody),
    Fault("taken back and never bought", "user_item_interactions", ("spend_not_negative",), _taken_back_without_buying),
    Fault("price of another unit", "timeseries_daily", ("price_in_range",), _price_of_another_unit),
    Fault("sold for nothing", "timeseries_daily", ("sales_bring_revenue",), _sold_for_nothing),
)  # fmt: skip


@dataclass(frozen=True)
class EventFault:
    """`spoil` gives all events with the fault, and the ids of those that have it; `flag` is true for these alone."""

    name: str
    check: str
    flag: pl.Expr
    spoil: Callable[[pl.DataFrame], tuple[pl.DataFrame, set[str]]]


def _unknown_words(events: pl.DataFrame) -> tuple[pl.DataFrame, set[str]]:
    keys = some(events, "event_id", 0.02)
    return put(events, "event_id", keys, source_event_type="wiggle"), set(keys)


def _crawler(events: pl.DataFrame) -> tuple[pl.DataFrame, set[str]]:
    """As many pages as half of all events, by one visitor that says what it is."""
    visit = events.filter(pl.col("event_at") == pl.col("event_at").max()).head(1)
    pages = pl.concat([visit] * (events.height // 2)).with_columns(
        pl.format("bot:{}", pl.int_range(pl.len())).alias("event_id"),
        (pl.col("event_at") - pl.int_range(1, pl.len() + 1) * timedelta(seconds=3)).alias("event_at"),
        pl.lit("leo").alias("source"),
        pl.lit("page-view").alias("source_event_type"),
        pl.lit("Mozilla/5.0 (compatible; examplebot/2.1)").alias("browser"),
        pl.lit("crawler").alias("visitor_id"),
        pl.lit("unknown").alias("customer_id"),
        pl.lit(False).alias("is_imported"),
        *(pl.lit(None, events.schema[name]).alias(name) for name in (
            "customer_reference", "client_session_id", "article_id", "product_reference", "order_number",
            "order_reference", "order_value", "received_at",
        )),
    )  # fmt: skip
    return pl.concat([events, pages]), set(pages["event_id"])


def _told_four_times(events: pl.DataFrame) -> tuple[pl.DataFrame, set[str]]:
    """Every event of LEO comes three times more, under other ids that come later in order."""
    tracked = events.filter(~pl.col("is_imported"))
    copies = [
        tracked.with_columns(pl.format("zz{}:{}", pl.lit(n), "event_id").alias("event_id")) for n in range(3)
    ]
    return pl.concat([events, *copies]), {key for copy in copies for key in copy["event_id"]}


def _received(by: timedelta) -> Callable[[pl.DataFrame], tuple[pl.DataFrame, set[str]]]:
    """A source that says of every event when it came, and of some that it came that much later."""

    def spoil(events: pl.DataFrame) -> tuple[pl.DataFrame, set[str]]:
        keys = some(events, "event_id", 0.02)
        late = pl.when(pl.col("event_id").is_in(keys)).then(pl.lit(by)).otherwise(timedelta(seconds=1))
        return events.with_columns((pl.col("event_at") + late).alias("received_at")), set(keys)

    return spoil


EVENT_FAULTS: tuple[EventFault, ...] = (
    EventFault("words that nobody knows", "known_types", ~pl.col("is_known_type"), _unknown_words),
    EventFault("a crawler", "bots", pl.col("is_bot"), _crawler),
    EventFault("everything told four times", "repeats",
               pl.col("is_duplicate") & pl.col("event_id").str.starts_with("zz"), _told_four_times),
    EventFault("events five days late", "in_time", pl.col("lateness_s") > 4 * 86_400, _received(timedelta(days=5))),
    EventFault("clocks an hour ahead", "in_time", pl.col("lateness_s") < -60, _received(timedelta(hours=-1))),
)  # fmt: skip
