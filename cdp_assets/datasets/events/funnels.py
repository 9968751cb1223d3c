"""Funnels: who entered, how far each got, what is still open.

Belongs here: configuration and the pure function `members`. For every event the next one of each step is looked up by
position, so that all attempts are followed at once, step by step, without a loop over visitors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import polars as pl

from cdp_assets.datasets.event_types import EVENT_TYPES, EventType
from cdp_assets.datasets.events import vocabulary as words
from cdp_assets.datasets.events.contract import FunnelDays, FunnelMembers
from cdp_assets.datasets.frames import TIME, UNKNOWN
from cdp_assets.warehouse.options import TenantOptions

Order = Literal["ordered", "strict", "any"]
Unit = Literal["session", "visitor"]

NEEDED = (
    "event_id", "event_type", "event_at", "event_on", "visitor_key", "stitched_customer_id", "session_id",
)  # fmt: skip
"""Columns of F1 that tell of a funnel."""

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CODES = {name: place for place, name in enumerate(EVENT_TYPES)}
_OTHER = len(EVENT_TYPES)
_EMPTY = FunnelMembers.create_empty().select(FunnelMembers.column_names())


@dataclass(frozen=True, slots=True)
class Funnel:
    """One funnel.

    Attributes:
        steps: canonical event types; a type may come twice, and then needs two events.
        window: from an entry to its last step, both ends included.
        order: `ordered`: each step after the one before, anything between. `strict`: nothing between. `any`: all
            steps in whatever order; whichever comes first is the entry.
        excluded: types that end an attempt.
        count_by: who enters: a session or a visitor.
    """

    funnel_id: str
    steps: tuple[str, ...]
    window: timedelta
    order: Order = "ordered"
    excluded: tuple[str, ...] = ()
    count_by: Unit = "session"


DEFAULTS = (
    Funnel("purchase", ("view", "add_to_cart", "purchase"), timedelta(minutes=30)),
    Funnel("purchase_7d", ("view", "add_to_cart", "purchase"), timedelta(days=7), count_by="visitor"),
)
"""For tenants that name none: the way to an order within a visit, and within a week."""


def funnels_of(options: TenantOptions) -> tuple[Funnel, ...]:
    """The funnels of a tenant's option `funnels`; `DEFAULTS` where it has none."""
    if options.funnels is None:
        return DEFAULTS
    return tuple(
        Funnel(
            given.funnel_id,
            given.steps,
            timedelta(minutes=given.window_minutes),
            given.order,
            given.excluded,
            given.count_by,
        )
        for given in options.funnels
    )


def members(funnel: Funnel, events: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Who entered the funnel: one row per session, or per visitor and day of entry.

    An event of the first step (of any step where the order is `any`) begins an attempt, followed to the earliest next
    step within the window. Of a session's attempts, or those of a visitor's day, the one that got furthest counts, the
    first of equals: one entry, and one conversion at most. A member without conversion is `open` while one of these
    attempts can still convert at `now`: its window has not passed, nothing excluded came, its session may go on.

    Needs the columns `NEEDED` of F1's counted events in F1's order, whole visitors of them.
    """
    unit = "session_id" if funnel.count_by == "session" else "visitor_key"
    if events.is_empty():
        return _EMPTY
    kind = events["event_type"].cast(EventType, strict=False).to_physical().fill_null(_OTHER)
    code, owner, at = (
        each.to_numpy() for each in (kind, events[unit].rle_id(), events["event_at"].to_physical())
    )
    row = np.arange(at.size)
    ends = np.flatnonzero(np.append(owner[1:] != owner[:-1], True))
    last = np.repeat(at[ends], np.diff(ends, prepend=-1))
    if funnel.order != "strict":
        relevant = np.isin(code, [_CODES[name] for name in (*funnel.steps, *funnel.excluded)])
        code, owner, at, row, last = (each[relevant] for each in (code, owner, at, row, last))
    attempts = _attempts(funnel, code, owner, at)
    if not attempts.entry.size:
        return _EMPTY
    entry = attempts.entry
    closes = at[entry] + funnel.window // _MICROSECOND
    if funnel.count_by == "session":
        closes = np.minimum(closes, last[entry] + words.GAP // _MICROSECOND)
    return _members(funnel, events, unit, row[entry], owner[entry], closes, attempts, now)


@dataclass(frozen=True)
class _Attempts:
    """All attempts in order.

    Attributes:
        entry: place of the event that began it.
        since: per step microseconds since the entry; -1: not reached.
        is_alive: whether more could come, time and session permitting.
    """

    entry: np.ndarray
    since: np.ndarray
    is_alive: np.ndarray


def _next(mask: np.ndarray) -> np.ndarray:
    """For each row the first one at or after it that the mask holds; the number of rows where there is none."""
    size = mask.size
    places = np.append(np.where(mask, np.arange(size), size), size)
    found: np.ndarray = np.minimum.accumulate(places[::-1])[::-1]
    return found


def _attempts(funnel: Funnel, code: np.ndarray, units: np.ndarray, at: np.ndarray) -> _Attempts:
    is_kind = {name: code == _CODES[name] for name in {*funnel.steps, *funnel.excluded}}
    nobody = at.size
    at = np.append(at, np.iinfo(np.int64).max)
    # a row behind the last one, of no unit: where a search ends that finds nothing
    units = np.append(units.astype(np.int64), -1)
    begins = [funnel.steps[0]] if funnel.order != "any" else list(dict.fromkeys(funnel.steps))
    entry = np.flatnonzero(np.logical_or.reduce([is_kind[name] for name in begins]))
    stop = np.full(entry.size, nobody)
    if funnel.excluded:
        stop = _next(np.logical_or.reduce([is_kind[name] for name in funnel.excluded]))[entry]
    deadline = at[entry] + funnel.window // _MICROSECOND

    def within(places: np.ndarray) -> np.ndarray:
        kept: np.ndarray = (units[places] == units[entry]) & (at[places] <= deadline) & (places < stop)
        return kept

    if funnel.order == "any":
        reached = _in_any_order(funnel, is_kind, entry, within, nobody)
        since = np.where(reached < nobody, at[reached] - at[entry][:, None], -1)
        is_broken = np.zeros(entry.size, dtype=bool)
    else:
        since = np.full((entry.size, len(funnel.steps)), -1)
        since[:, 0] = 0
        place, goes_on = entry, np.ones(entry.size, dtype=bool)
        is_broken = np.zeros(entry.size, dtype=bool)
        for step, name in enumerate(funnel.steps[1:], start=1):
            if funnel.order == "strict":
                after = place + 1
                hits = np.append(is_kind[name], False)[after]
                is_broken |= goes_on & ~hits & within(after)
                goes_on = goes_on & hits & within(after)
            else:
                after = _next(is_kind[name])[place + 1]
                goes_on = goes_on & within(after)
            place = np.where(goes_on, after, place)
            since[:, step] = np.where(goes_on, at[place] - at[entry], -1)
    is_stopped = (units[stop] == units[entry]) & (at[stop] <= deadline)
    return _Attempts(entry, since, (since[:, -1] < 0) & ~is_broken & ~is_stopped)


def _in_any_order(
    funnel: Funnel, is_kind: Mapping[str, np.ndarray], entry: np.ndarray, within: Any, nobody: int
) -> np.ndarray:
    """Per attempt the rows of its steps as they came, `nobody` for those that did not."""
    found = []
    for name in dict.fromkeys(funnel.steps):
        following = _next(is_kind[name])
        place = following[entry]
        for _ in range(funnel.steps.count(name)):
            place = np.where(within(place), place, nobody)
            found.append(place)
            place = following[np.minimum(place + 1, nobody)]
    reached: np.ndarray = np.sort(np.stack(found, axis=1), axis=1)
    return reached


def _members(
    funnel: Funnel,
    events: pl.DataFrame,
    unit: str,
    row: np.ndarray,
    owner: np.ndarray,
    closes: np.ndarray,
    attempts: _Attempts,
    now: datetime,
) -> pl.DataFrame:
    """Of each session, or visitor and day, the best attempt: most steps, then the first.

    `row`, `owner`, `closes`: of each attempt the event that began it, whose it is, until when it may go on.
    """
    size = row.size
    changes = owner[1:] != owner[:-1]
    if funnel.count_by == "visitor":
        day = events["event_on"].to_physical().gather(row).to_numpy()
        changes |= day[1:] != day[:-1]
    starts = np.flatnonzero(np.append(True, changes))
    depth = (attempts.since >= 0).sum(axis=1)
    score = depth * (size + 1) + (size - np.arange(size))
    best = size - np.maximum.reduceat(score, starts) % (size + 1)
    can_go_on = attempts.is_alive & (closes >= (now - _EPOCH) // _MICROSECOND)
    until = np.maximum.reduceat(np.where(can_go_on, closes, -1), starts)
    got = depth[best]
    is_done = got == len(funnel.steps)
    is_open = (until >= 0) & ~is_done
    seconds = np.diff(attempts.since[best], axis=1) / 1e6
    heads = events.select(
        unit, *(["visitor_key"] if unit != "visitor_key" else []), "stitched_customer_id", "event_id", "event_at",
        "event_on",
    )[row[best]]  # fmt: skip
    states = pl.Series(["dropped", "open", "completed"])
    found: pl.DataFrame = heads.select(
        pl.lit(funnel.funnel_id).alias("funnel_id"),
        pl.col("event_on").alias("day"),
        pl.col(unit).alias("member_id"),
        "visitor_key",
        pl.col("stitched_customer_id").fill_null(UNKNOWN).alias("customer_id"),
        pl.col("event_id").alias("entry_event_id"),
        pl.col("event_at").alias("entered_at"),
        pl.Series("reached", got, pl.Int64),
        states.gather(is_open + 2 * is_done).alias("state"),
        pl.Series(until).set(pl.Series(~is_open), None).cast(TIME).alias("open_until"),
        _lists(seconds, got - 1).alias("step_seconds"),
    )
    return found


def _lists(values: np.ndarray, lengths: np.ndarray) -> pl.Series:
    """The first so many values of each row as a list."""
    width = values.shape[1]
    kept = values[np.arange(width) < lengths[:, None]]
    return (
        pl.DataFrame({"row": np.repeat(np.arange(lengths.size), lengths), "value": kept})
        .group_by("row", maintain_order=True)
        .agg("value")
        .join(pl.DataFrame({"row": np.arange(lengths.size)}), on="row", how="right", maintain_order="right")[
            "value"
        ]
        .fill_null([])
        .cast(pl.List(pl.Float64))
    )


def all_members(funnels: Sequence[Funnel], events: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """`members` of several funnels."""
    return pl.concat([_EMPTY, *(members(funnel, events, now) for funnel in funnels)])


def daily(funnels: Sequence[Funnel], found: pl.DataFrame) -> pl.DataFrame:
    """Members counted by day of entry and step.

    `entered`: reached the step; `completed`: and the next one (of the last step: all who reached it); `open` and
    `dropped`: got no further, yet or for good. Rates are shares of those who reached the step before, and the first.
    Seconds are between the step and the one before, median and 90th percentile, of those who reached it. Of a funnel
    in any order `event_type` says how many of its steps were done: which, differs from member to member.
    """
    empty = FunnelDays.create_empty().select(FunnelDays.column_names())
    parts = [empty]
    for funnel in funnels:
        mine = found.lazy().filter(pl.col("funnel_id") == funnel.funnel_id)
        state, reached = pl.col("state"), pl.col("reached")
        for step, kind in enumerate(funnel.steps, start=1):
            name = kind if funnel.order != "any" else f"{step} of {', '.join(funnel.steps)}"
            is_last = step == len(funnel.steps)
            stays = (reached == step) & (state != "completed")
            spent = pl.col("step_seconds")
            between = spent.list.get(step - 2, null_on_oob=True) if step > 1 else pl.lit(None, pl.Float64)
            total = spent.list.head(step - 1).list.sum() if step > 1 else pl.lit(None, pl.Float64)
            here = reached >= step
            parts.append(
                mine.with_columns(between.alias("between"), total.alias("total"))
                .group_by("funnel_id", "day")
                .agg(
                    pl.lit(step, pl.Int64).alias("step"),
                    pl.lit(name if funnel.order != "any" else f"{step} of {', '.join(funnel.steps)}").alias(
                        "event_type"
                    ),
                    pl.lit(funnel.count_by).alias("count_by"),
                    here.sum().cast(pl.Int64).alias("entered"),
                    (here if is_last else reached > step).sum().cast(pl.Int64).alias("completed"),
                    (stays & (state == "open")).sum().cast(pl.Int64).alias("open"),
                    (stays & (state == "dropped")).sum().cast(pl.Int64).alias("dropped"),
                    (reached >= step - 1).sum().alias("_before"),
                    pl.len().alias("_first"),
                    pl.col("between").filter(here).median().alias("median_seconds"),
                    pl.col("between").filter(here).quantile(0.9, "linear").alias("p90_seconds"),
                    pl.col("total").filter(here).median().alias("median_seconds_from_entry"),
                )
                .with_columns(
                    (
                        pl.when(step > 1, pl.col("_before") > 0).then(pl.col("entered") / pl.col("_before"))
                    ).alias("rate_prev"),
                    (pl.col("entered") / pl.col("_first")).alias("rate_first"),
                )
                .select(empty.columns)
                .collect()
            )
    return pl.concat(parts)
