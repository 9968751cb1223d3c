"""From a visitor's acts to sessions: visits, and those of bots.

Belongs here: numbering. Rows come in order (`order`), so that all of it is arithmetic on neighbours in arrays. What a
session is worth is in `summaries`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import md5

import numpy as np
import polars as pl

from cdp_assets.datasets.events import vocabulary as words
from cdp_assets.datasets.events.acts import standing
from cdp_assets.vocabulary.bots import is_bot

_MICROSECOND = timedelta(microseconds=1)
_GAP = words.GAP // _MICROSECOND
_LONGEST = words.LONGEST // _MICROSECOND
_SPREAD = words.BOT_REGULAR_SPREAD // _MICROSECOND
_MINUTE = 60_000_000


@dataclass(frozen=True)
class Sessionized:
    """What came of tracked events, and their sessions.

    Attributes:
        events: one row per event, as they came: `session_no` (place in `sessions`), `is_duplicate`, `event_index`,
            `gap_s`, `act` (place of the event that stands for what was done).
        sessions: session_id, session_start, bot_reason (null for people), is_quarantined.
    """

    events: pl.DataFrame
    sessions: pl.DataFrame


def sessionize(tenant_id: str, events: pl.DataFrame) -> Sessionized:
    """Number the sessions of tracked events, which come in order of visitor and time.

    Needs event_id, visitor_key, event_type, event_at, event_on, browser, and what `acts` compares. A session ends with
    a gap strictly longer than 30 minutes, or 24 hours after its first act; a change of user is a change of
    `visitor_key`. Events that tell of an act for which another stands are in its session, and count for nothing.
    """
    owner, at = events["visitor_key"].rle_id().to_numpy(), events["event_at"].to_physical().to_numpy()
    stands = standing(events, owner, at)
    is_repeat = stands != np.arange(at.size)
    row = np.flatnonzero(~is_repeat)
    at, visitor = at[row], owner[row]
    first = _starts(at, visitor)
    number = np.cumsum(first) - 1
    starts = np.flatnonzero(first)
    place = (np.cumsum(~is_repeat) - 1)[stands]
    by_visitor = (events["event_type"] != words.BY_ITSELF).to_numpy()[row]
    sizes = np.bincount(number[by_visitor], minlength=starts.size)
    gaps = np.diff(at, prepend=at[:1])
    is_new = np.append(True, visitor[1:] != visitor[:-1])[: at.size]
    sessions = pl.DataFrame(
        {
            "session_id": _ids(tenant_id, events[row[starts]]),
            "session_start": events["event_at"].gather(row[starts]),
            "bot_reason": _bots(events, row, at, visitor, number, by_visitor),
            "is_quarantined": pl.Series(sizes > words.MOST_EVENTS, dtype=pl.Boolean),
        }
    )
    repeat = pl.Series(is_repeat)
    numbered = pl.DataFrame(
        {
            "session_no": pl.Series(number[place], dtype=pl.UInt32),
            "is_duplicate": repeat,
            "event_index": pl.Series(np.arange(at.size) - starts[number] + 1)[place].cast(pl.Int64),
            "gap_s": pl.Series(gaps / 1e6).set(pl.Series(is_new), None)[place],
            "act": pl.Series(stands),
        }
    )
    counts = ("event_index", "gap_s")
    return Sessionized(numbered.with_columns(numbered[name].set(repeat, None) for name in counts), sessions)


def _starts(at: np.ndarray, visitor: np.ndarray) -> np.ndarray:
    """Whether each row begins a session."""
    first = np.ones(at.size, dtype=bool)
    first[1:] = (visitor[1:] != visitor[:-1]) | (np.diff(at) > _GAP)
    chain = np.cumsum(first) - 1
    rows = np.flatnonzero(at - at[first][chain] > _LONGEST)
    # one round per day of the longest chain, over the rows that are still beyond its cap
    while rows.size:
        chains, place = np.unique(chain[rows], return_index=True)
        caps = rows[place]
        first[caps] = True
        rows = rows[at[rows] - at[caps][np.searchsorted(chains, chain[rows])] > _LONGEST]
    return first


def _ids(tenant_id: str, first: pl.DataFrame) -> pl.Series:
    """MD5 of tenant, visitor and first event: a name, not a secret; 0.8 s per million sessions."""
    names = first.select(pl.concat_str(pl.lit(tenant_id), "visitor_key", "event_id", separator="\0"))
    return pl.Series(
        [md5(name, usedforsecurity=False).hexdigest() for name in names.to_series().cast(pl.Binary)],
        dtype=pl.String,
    )


def _bots(
    events: pl.DataFrame,
    row: np.ndarray,
    at: np.ndarray,
    visitor: np.ndarray,
    number: np.ndarray,
    by_visitor: np.ndarray,
) -> pl.Series:
    """By which rule a session is no person's; null for people. A rule that any of its acts meets condemns all.

    What a page reports by itself, of its visitor's time on it for instance, says nothing of pace: pages are clocks.
    """
    condemned = np.zeros((4, int(number[-1]) + 1 if number.size else 0), dtype=bool)
    names = events["browser"].unique().drop_nulls()
    robots = names.filter(pl.Series([is_bot(name) for name in names], dtype=pl.Boolean))
    if robots.len():
        is_robot = events["browser"].is_in(robots.implode()).fill_null(False).to_numpy()
        condemned[0][number[is_robot[row]]] = True
    condemned[2][number[_looks_all_day(events, row, visitor)]] = True
    at, visitor, number = at[by_visitor], visitor[by_visitor], number[by_visitor]
    far = words.BOT_EVENTS_PER_MINUTE
    if at.size > far:
        fast = (visitor[far:] == visitor[:-far]) & (at[far:] - at[:-far] < _MINUTE)
        condemned[1][number[far:][fast]] = True
    if at.size:
        gaps = np.diff(at, prepend=at[:1])
        inner = np.append(False, number[1:] == number[:-1])
        starts = np.flatnonzero(~inner)
        longest = np.maximum.reduceat(np.where(inner, gaps, -1), starts)
        shortest = np.minimum.reduceat(np.where(inner, gaps, np.iinfo(np.int64).max), starts)
        sizes = np.diff(np.append(starts, at.size))
        regular = (sizes >= words.BOT_REGULAR_EVENTS) & (longest - shortest < _SPREAD)
        condemned[3][number[starts][regular]] = True
    reasons = pl.Series(["user_agent", "too_fast", "views_without_cart", "regular_gaps", None])
    return reasons.gather(np.where(condemned.any(axis=0), condemned.argmax(axis=0), 4))


def _looks_all_day(events: pl.DataFrame, row: np.ndarray, visitor: np.ndarray) -> np.ndarray:
    """Places of events of visitors on days with more than 500 views and nothing put into the cart."""
    edges = np.flatnonzero(np.append(visitor[1:] != visitor[:-1], True)[: visitor.size])
    sizes = np.diff(edges, prepend=-1)
    place = np.flatnonzero(np.repeat(sizes > words.BOT_VIEWS_PER_DAY, sizes))
    if not place.size:
        return place
    days = (
        events.select("event_on", "event_type")[row[place]]
        .with_columns(pl.Series("place", place), pl.Series("visitor", visitor[place]))
        .group_by("visitor", "event_on")
        .agg(
            "place",
            (pl.col("event_type") == "view").sum().alias("views"),
            (pl.col("event_type") == "add_to_cart").any().alias("has_cart"),
        )
        .filter(pl.col("views") > words.BOT_VIEWS_PER_DAY, ~pl.col("has_cart"))
    )
    found: np.ndarray = days["place"].explode().drop_nulls().to_numpy()
    return found
