"""Dataset F1 and F2: events with their place in a session, and sessions with what was done in them."""

from __future__ import annotations

import numpy as np
import polars as pl

from cdp_assets.datasets.event_types import EventType, canonical, converted
from cdp_assets.datasets.events import vocabulary as words
from cdp_assets.datasets.events.contract import Events, Sessions
from cdp_assets.datasets.events.order import in_order
from cdp_assets.datasets.events.sessions import Sessionized, sessionize
from cdp_assets.datasets.frames import MONEY, UNKNOWN
from cdp_assets.datasets.model import Scope

COUNTS = {
    "views": "view", "clicks": "click", "wishlist": "wishlist", "searches": "search", "carts": "add_to_cart",
    "removes": "remove_from_cart", "checkouts": "checkout_start", "buys": "purchase",
}  # fmt: skip
"""Column of F2 -> event type that it counts."""

_FROM_EVENTS = (
    "session_id", "visitor_key", "stitched_customer_id", "event_at", "event_on", "event_type", "is_conversion",
    "article_id", "order_number", "order_value", "currency", "page", "utm_source", "campaign_id", "device_type",
    "is_bot", "bot_reason", "is_quarantined",
)  # fmt: skip
_TEXTS = ("page", "utm_source", "campaign_id", "device_type")
"""Columns of which a session takes the first that any of its events has."""

_FULLER = ("article_id", "order_number", *_TEXTS)
"""Columns that an act takes from any event that tells of it; the value of its order comes with its currency."""

ENGAGED_VIEWS, ENGAGED_SECONDS = 2, 10.0
"""As Google Analytics 4 counts an engaged session: ten seconds, two views, or an order."""


def described(scope: Scope, events: pl.DataFrame) -> pl.DataFrame:
    """Events with what follows from each alone: type in our words, local day and hour, lateness.

    `event_day` counts from Sunday = 0, as the seed's SQL does; `lateness_s` is null where the source does not say when
    it received the event.
    """
    local = pl.col("event_at").dt.convert_time_zone(scope.timezone).dt.replace_time_zone(None)
    kind = pl.col("_kind")
    return (
        events.with_columns(canonical(pl.col("source_event_type")).alias("_kind"), local.alias("_local"))
        .with_columns(
            kind.is_not_null().alias("is_known_type"),
            converted(kind, pl.col("source_is_conversion")).alias("_kind"),
        )
        .with_columns(
            kind.cast(pl.String).fill_null(pl.col("source_event_type")).alias("event_type"),
            ((kind == "purchase").fill_null(value=False) & ~pl.col("is_order_told_before")).alias(
                "is_conversion"
            ),
            pl.col("_local").dt.date().alias("event_on"),
            pl.col("_local").dt.hour().alias("event_hour"),
            (pl.col("_local").dt.weekday() % 7).cast(pl.Int8).alias("event_day"),
            ((pl.col("received_at") - pl.col("event_at")).dt.total_microseconds() / 1e6).alias("lateness_s"),
        )
        .drop("_kind", "_local")
    )


def enrich(scope: Scope, stitched: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """F1 and F2 of stitched events; all events of every visitor that occurs must be there.

    F1's rows come in order (`in_order`). Imported ones are of no session: an order at the till is no visit.
    """
    events = described(scope, in_order(stitched))
    tracked = events.head(events.height - events["is_imported"].to_numpy().sum())
    found = sessionize(scope.tenant_id, tracked)
    table = _with_session(events, found)
    return table, _sessions(scope, table.head(tracked.height), found)


def _with_session(events: pl.DataFrame, found: Sessionized) -> pl.DataFrame:
    """F1: each event with what is known of it and of its session."""
    number = found.events["session_no"]
    sessions = found.sessions.with_columns(pl.col("bot_reason").is_not_null().alias("is_bot"))
    told = found.events.with_columns(sessions[name].gather(number) for name in sessions.columns)
    since = (pl.col("event_at") - pl.col("session_start")).dt.total_microseconds() / 1e6
    return (
        # the rows of `told` are the first ones; imported events, behind them, get nulls
        pl.concat([_converting(events, found), told], how="horizontal_extend")
        .with_columns(
            pl.col("is_duplicate", "is_bot", "is_quarantined").fill_null(False),
            # a poorer telling may come a moment before the one that stands for the act
            since.clip(lower_bound=0.0).alias("time_since_session_start"),
        )
        .select(Events.column_names())
    )


def _converting(events: pl.DataFrame, found: Sessionized) -> pl.DataFrame:
    """Events of which all that tell of one act are conversions, where one of them is."""
    repeats = np.flatnonzero(found.events["is_duplicate"].to_numpy())
    stands = found.events["act"].to_numpy()[repeats]
    is_conversion = events["is_conversion"].to_numpy().copy()
    np.logical_or.at(is_conversion, stands, is_conversion[repeats])
    is_conversion[repeats] = is_conversion[stands]
    return events.with_columns(pl.Series("is_conversion", is_conversion))


def _acts(tracked: pl.DataFrame, found: Sessionized) -> pl.DataFrame:
    """The events that stand for acts, each with the fullest values that any telling of its act has."""
    is_repeat = found.events["is_duplicate"]
    known = pl.when(pl.col("article_id") != UNKNOWN).then("article_id")
    acts = tracked.select(*_FROM_EVENTS, found.events["session_no"]).filter(~is_repeat).with_columns(known)
    act = found.events["act"]
    twice = act.filter(is_repeat).unique().sort()
    if twice.is_empty():
        return acts
    money = ("order_value", "currency")
    tellings = pl.int_range(act.len(), eager=True).filter(act.is_in(twice.implode()))
    fuller = (
        tracked[tellings].select(*_FULLER, *money)
        .with_columns(known, act[tellings], is_repeat[tellings])
        .sort("act", "is_duplicate", maintain_order=True)
        .group_by("act", maintain_order=True)
        .agg(
            *(pl.col(name).drop_nulls().first() for name in _FULLER),
            *(pl.col(name).filter(pl.col("order_value").is_not_null()).first() for name in money),
        )
    )  # fmt: skip
    place = ((~is_repeat).cum_sum() - 1)[twice].to_numpy()
    source = {name: name for name in _FULLER} | dict.fromkeys(money, "order_value")
    columns = []
    for name, says in source.items():
        better = fuller[says].is_not_null().to_numpy()
        row = np.arange(acts.height)
        row[place[better]] = acts.height + np.flatnonzero(better)
        columns.append(pl.concat([acts[name], fuller[name]]).gather(row))
    return acts.with_columns(columns)


def _sessions(scope: Scope, tracked: pl.DataFrame, found: Sessionized) -> pl.DataFrame:
    """F2 of F1's tracked rows.

    `time_to_convert`: seconds from the first act to the first conversion. `revenue`: of orders that were not told of
    before, in the main currency. `bounce`: one act; `engaged`: see `ENGAGED_VIEWS`. `cart_abandoned`: since the last
    conversion more was put into the cart than taken out.
    """
    told = _acts(tracked, found).with_columns(pl.col("session_no").set_sorted()).with_row_index("_row")
    at, kind = pl.col("event_at"), pl.col("_kind")
    # Aggregates of plain columns run at the speed of memory, those of filters within groups ten times slower: what is
    # filtered is filtered before, and texts are fetched by the number of their row.
    sessions = (
        told.lazy()
        .with_columns(pl.col("event_type").cast(EventType, strict=False).alias("_kind"))
        .with_columns(
            pl.when("is_conversion").then(at).alias("_buy"),
            _depth(kind).alias("_stage"),
            *(pl.when(pl.col(name).is_not_null()).then("_row").alias(f"_{name}") for name in _TEXTS),
        )
        .group_by("session_no", maintain_order=True)
        .agg(
            pl.col("_row").first(),
            at.first().alias("first_event"),
            at.last().alias("last_event"),
            pl.len().cast(pl.Int64).alias("events"),
            *((kind == name).sum().cast(pl.Int64).alias(column) for column, name in COUNTS.items()),
            pl.col("article_id").drop_nulls().n_unique().cast(pl.Int64).alias("articles"),
            pl.col("_stage").max(),
            pl.col("_buy").min().alias("_first_buy"),
            *(pl.col(f"_{name}").min() for name in _TEXTS),
            pl.col("_page").max().alias("_exit"),
        )
        .with_columns(
            ((pl.col("last_event") - pl.col("first_event")).dt.total_microseconds() / 1e6).alias(
                "duration_s"
            ),
            ((pl.col("_first_buy") - pl.col("first_event")).dt.total_microseconds() / 1e6).alias(
                "time_to_convert"
            ),
            pl.col("_stage")
            .replace_strict(dict(enumerate(words.STAGES)), default=None, return_dtype=pl.String)
            .alias("funnel_stage"),
            pl.col("_first_buy").is_not_null().alias("converted"),
            (pl.col("events") == 1).alias("bounce"),
        )
        .with_columns(
            (
                (pl.col("views") >= ENGAGED_VIEWS)
                | (pl.col("duration_s") >= ENGAGED_SECONDS)
                | pl.col("converted")
            ).alias("engaged"),
        )
        .join(_orders(scope, told), on="session_no", how="left", maintain_order="left")
        .join(_left_in_carts(told), on="session_no", how="left", maintain_order="left")
        .with_columns(
            pl.col("orders").fill_null(0),
            pl.col("revenue").fill_null(0).cast(MONEY),
            (pl.col("pieces") > 0).fill_null(value=False).alias("cart_abandoned"),
        )
        # rows come session by session: groups are slices, which this engine knows to use
        .collect(engine="in-memory")
    )
    return _with_texts(told, sessions).select(Sessions.column_names())


def _depth(kind: pl.Expr) -> pl.Expr:
    """Place of a type in `STAGES`; null for those that are no stage."""
    return pl.coalesce(
        *(pl.when(kind == name).then(pl.lit(place, pl.Int8)) for place, name in enumerate(words.STAGES))
    )


def _with_texts(told: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Sessions with what their first event says, and the first and last page, campaign and device of any of them."""
    head = sessions["_row"]
    of_head = {name: name for name in ("session_id", "visitor_key", "bot_reason", "is_bot", "is_quarantined")}
    of_head |= {"customer_id": "stitched_customer_id", "started_on": "event_on"}
    visitor = told["visitor_key"].gather(head)
    # rows come visitor by visitor
    begins = (visitor != visitor.shift()).fill_null(True)
    place = pl.int_range(sessions.height, dtype=pl.Int64, eager=True)
    return sessions.with_columns(
        *(told[name].gather(head).alias(column) for column, name in of_head.items()),
        *(told[name].gather(sessions[f"_{name}"]) for name in _TEXTS if name != "page"),
        told["page"].gather(sessions["_page"]).alias("landing_page"),
        told["page"].gather(sessions["_exit"]).alias("exit_page"),
        (place - place.filter(begins).gather(begins.cum_sum() - 1) + 1).alias("session_index"),
    ).with_columns(pl.col("customer_id").fill_null(UNKNOWN))


def _orders(scope: Scope, told: pl.DataFrame) -> pl.LazyFrame:
    """Orders and revenue by session; an order in two events counts once."""
    bought = told.lazy().filter("is_conversion", pl.col("order_number").is_not_null())
    return (
        bought.group_by("session_no", "order_number")
        .agg(
            pl.col("order_value").filter(pl.col("currency") == scope.currency).drop_nulls().first().alias("value")
        )
        .group_by("session_no")
        .agg(pl.len().cast(pl.Int64).alias("orders"), pl.col("value").sum().alias("revenue"))
    )  # fmt: skip


def _left_in_carts(told: pl.DataFrame) -> pl.LazyFrame:
    """Pieces left in the cart by session, since its last conversion; no row where nothing was put in or taken out.

    Of each article no more is taken out than was put in; what was taken out without saying which article may be any.
    """
    changes = told.lazy().filter(pl.col("event_type").is_in(["add_to_cart", "remove_from_cart"]))
    bought = (
        told.lazy().filter("is_conversion").group_by("session_no").agg(pl.col("_row").max().alias("_bought"))
    )
    pieces = pl.when(pl.col("event_type") == "add_to_cart").then(1).otherwise(-1).sum().alias("pieces")
    return (
        changes.join(bought, on="session_no", how="left")
        .filter(pl.col("_bought").is_null() | (pl.col("_row") > pl.col("_bought")))
        .group_by("session_no", "article_id")
        .agg(pieces)
        .with_columns(
            pl.when(pl.col("article_id").is_null())
            .then("pieces")
            .otherwise(pl.col("pieces").clip(lower_bound=0))
        )
        .group_by("session_no")
        .agg(pl.col("pieces").sum())
    )
