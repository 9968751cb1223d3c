"""From what was told to what was done: which events tell of one act, and which of them stands for it.

Belongs here: the identity of an act. Rows come in order (`order`), so that the work is arithmetic on arrays over the
few rows that have a neighbour close by. What an act is worth is in `summaries`.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from cdp_assets.datasets.events import vocabulary as words
from cdp_assets.datasets.frames import UNKNOWN

_REPEAT = words.REPEAT // timedelta(microseconds=1)

_WEIGHS = ("article_id", "order_number")
"""What the event that stands for an act should say, if any does; the second more than the first."""


def standing(events: pl.DataFrame, owner: np.ndarray, at: np.ndarray) -> np.ndarray:
    """For each row the row that stands for its act: itself, or the telling that stands for it.

    One act is what a visitor does within a second of the first telling, with the same type, article, page, query and
    order. What a telling does not say is taken to be what its neighbours say. A purchase of an order that is named is
    that order's purchase, whatever article or page goes with it. The first telling stands for the act, or the first
    of those that name order and article as well as any.
    """
    stands = np.arange(at.size)
    near = (np.diff(at) <= _REPEAT) & (owner[1:] == owner[:-1])
    # tellings of one act have only events of the same second between them, so each has a close neighbour
    close = np.flatnonzero(np.append(near, False) | np.append(False, near))[: at.size]
    if close.size < 2 or at.size < 2:
        return stands
    told = events.select("event_type", "page", "query_hash", *_WEIGHS)[close].with_columns(
        pl.when(pl.col("article_id") != UNKNOWN).then("article_id")
    )
    group, first = _acts(told, owner[close], at[close])
    article, order = (told[name].is_not_null().to_numpy().astype(np.int64) for name in _WEIGHS)
    full = article + 2 * order
    # of each act the fullest, the first of equals
    best = np.lexsort((group, -full[group], first))
    leads = np.append(True, first[best][1:] != first[best][:-1])
    stands[close[group[best]]] = close[group[best]][np.flatnonzero(leads)][np.cumsum(leads) - 1]
    return stands


def _acts(told: pl.DataFrame, owner: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows act by act, each in order of time, and the number of each row's act."""
    kind, order, article, page, query = (
        _codes(told[name]) for name in ("event_type", "order_number", "article_id", "page", "query_hash")
    )
    row = np.lexsort((np.arange(at.size), kind, owner))
    kind, order, article, page, query, who, time = (
        each[row] for each in (kind, order, article, page, query, owner, at)
    )
    same = np.append(False, (who[1:] == who[:-1]) & (kind[1:] == kind[:-1]))
    said = [order, article, page, query]
    for place in range(len(said)):
        said[place] = _filled(said, place, np.cumsum(~same), time)
    order, article, page, query = said
    is_order = (order >= 0) & (told["event_type"] == "purchase").to_numpy()[row]
    article, page, query = (np.where(is_order, -1, each) for each in (article, page, query))
    # lexsort is stable: rows of equal keys stay in order of time
    inner = np.lexsort((query, page, article, order, kind, who))
    keys = np.stack([each[inner] for each in (who, kind, order, article, page, query)])
    begins = np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0))
    return row[inner], np.cumsum(_heads(begins, time[inner])) - 1


def _codes(values: pl.Series) -> np.ndarray:
    """Equal numbers for equal values; -1 for null."""
    if values.dtype == pl.String:
        values = values.cast(pl.Categorical(pl.Categories.random())).to_physical()
    found: np.ndarray = values.cast(pl.Int64).fill_null(-1).to_numpy()
    return found


def _filled(said: list[np.ndarray], place: int, group: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values of one column, with those of the nearest telling where a row has none and nothing else speaks against."""
    values = said[place]
    others = [each for number, each in enumerate(said) if number != place]
    size = np.arange(values.size)
    before = np.maximum.accumulate(np.where(values >= 0, size, 0))
    after = values.size - 1 - np.maximum.accumulate(np.where(values[::-1] >= 0, size, 0))[::-1]
    found = values
    for near in (before, after):
        fits = (found < 0) & (group[near] == group) & (np.abs(at - at[near]) <= _REPEAT)
        for other in others:
            fits &= (other < 0) | (other[near] < 0) | (other == other[near])
        found = np.where(fits, values[near], found)
    return found


def _heads(begins: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Which rows begin an act: the first of each group, then each first one later than the window of the one before."""
    # gaps count up to just over the window, so that one search serves all groups
    steps = np.where(begins, _REPEAT + 1, np.minimum(np.diff(at, prepend=at[:1]), _REPEAT + 1))
    line = np.cumsum(steps)
    following = np.searchsorted(line, line + _REPEAT, side="right")
    heads = begins.copy()
    group = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], at.size)
    # most groups end within one window; in the others every head leads to the next, by leaps of doubled length
    rows = np.flatnonzero((line[ends - 1] - line[starts] > _REPEAT)[group])
    if rows.size:
        place = np.full(at.size + 1, rows.size)
        place[rows] = np.arange(rows.size)
        leap = place[np.where(following < ends[group], following, at.size)][rows]
        leap = np.append(leap, rows.size)
        reached = np.append(begins[rows], False)
        while True:
            ahead = reached.copy()
            ahead[leap[reached]] = True
            ahead[-1] = False
            if (ahead == reached).all():
                break
            reached, leap = ahead, leap[leap]
        heads[rows] |= reached[:-1]
    return heads
