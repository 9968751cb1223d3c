"""What a value of an input must be to be reckoned with, and what becomes of one that is not.

Belongs here: the limits of every input's columns. One odd row of a source must not stop a tenant's dataset: a row
without what it is all about (its time, its amount) is set aside, any other odd value is taken for unknown, and both are
named by the check `inputs_are_usable`, in `ops.quarantine` and in `refused.parquet` of the version. Does not belong
here: rules of a dataset's own rows (its contract).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from cdp_assets.datasets.model import ASIDE, Frames, Scope

VALUE, ROW, AHEAD = "value", "row", "row ahead"
"""What is set aside: the value alone, the row, or a row of a day that has not come yet."""

EARLIEST = date(1980, 1, 1)
"""Sales, events and reviews before it are those of a clock that was never set (1970, 1900, year 1)."""

EARLIEST_BIRTH = date(1900, 1, 1)
LARGEST_MONEY = 10**15
"""Of a price or line: 40 billion US dollars in dong. The sum of 10^19 of them fits 38 digits."""

LARGEST_COUNT = 10**9
E_MAIL = r"[^\s@]+@[^\s@]+\.[^\s@]+"


@dataclass(frozen=True, slots=True)
class Limit:
    """A column, when a value of it is odd, and what that means.

    Attributes:
        is_odd: null counts as false.
        what: is set aside: `VALUE`, `ROW` or `AHEAD`.
        shows: whether the value may be told; no text and no birthday is.
        instead: what stands for the odd value of a row that stays; null, unknown, when left out.
    """

    column: str
    is_odd: Callable[[Scope], pl.Expr]
    reason: str
    what: str = VALUE
    shows: bool = True
    instead: pl.Expr | None = None


def _given(column: str) -> Limit:
    return Limit(column, lambda _: pl.col(column).is_null(), "is missing", ROW)


def _within(column: str, low: float, high: float, what: str = VALUE) -> Limit:
    odd = ~pl.col(column).is_between(low, high)
    return Limit(column, lambda _: odd, f"is outside {low:,} to {high:,}", what)


def _past(column: str, *, is_needed: bool) -> tuple[Limit, ...]:
    """Of a time: from `EARLIEST` to the end of the tenant's today."""
    time = pl.col(column)
    early = pl.lit(datetime(EARLIEST.year, EARLIEST.month, EARLIEST.day, tzinfo=UTC))
    limits = (
        Limit(column, lambda _: time < early, f"is before {EARLIEST.year}", ROW if is_needed else VALUE),
        Limit(column, lambda scope: time >= scope.ahead, "lies ahead", AHEAD if is_needed else VALUE),
    )
    return (_given(column), *limits) if is_needed else limits


def _without_address(column: str) -> Limit:
    odd = pl.col(column).str.contains(E_MAIL)
    return Limit(column, lambda _: odd, "holds an e-mail address", shows=False)


_born, _amount = pl.col("birth_date"), pl.col("line_total")

LIMITS: dict[str, tuple[Limit, ...]] = {
    "purchases": (
        *_past("purchased_at", is_needed=True),
        _within("quantity", -LARGEST_COUNT, LARGEST_COUNT, ROW),
        _within("line_total", -LARGEST_MONEY, LARGEST_MONEY, ROW),
        _within("unit_price", -LARGEST_MONEY, LARGEST_MONEY),
        Limit(
            "line_total", lambda _: (pl.col("quantity") < 0) & (_amount > 0),
            "is above 0 in a return: taken for money given back", instead=-_amount,
        ),
        _without_address("channel"),
    ),
    "customers": (
        *_past("customer_since", is_needed=False),
        Limit("birth_date", lambda _: _born < EARLIEST_BIRTH, f"is before {EARLIEST_BIRTH.year}", shows=False),
        Limit("birth_date", lambda scope: _born > scope.as_of, "lies ahead", shows=False),
        _without_address("country"),
        _without_address("language"),
    ),
    "articles": (
        Limit("article_id", lambda _: pl.col("article_id").fill_null("") == "", "is missing", ROW),
        _within("unit_price", 0, LARGEST_MONEY),
        _within("stock_quantity", -LARGEST_COUNT, LARGEST_COUNT),
        *_past("product_since", is_needed=False),
        _without_address("product_category"),
        _without_address("category_path"),
        _without_address("brand"),
    ),
    "events": _past("event_at", is_needed=True),
    "reviews": (*_past("created_at", is_needed=True), _within("rating", 1, 5)),
    "promotions": (
        _given("starts_at"),
        Limit("ends_at", lambda _: pl.col("ends_at") <= pl.col("starts_at"), "is not after the start", ROW),
        _within("discount_percent", 0, 100),
        *_past("created_at", is_needed=False),
    ),
}  # fmt: skip
"""Input -> limits; what is not here is a table of ours, which its own contract holds."""

KEYS = {"events": "customer_id", "promotions": "promotion_id"}
"""Input -> column by which a row is named, where that is not the first."""


def screened(scope: Scope, inputs: Frames) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """The inputs with what can be reckoned with, and what cannot (`model.ASIDE`), sorted."""
    kept, aside = {}, [pl.DataFrame(schema=ASIDE)]
    for name, frame in inputs.items():
        kept[name], found = _screened(scope, name, frame)
        aside += found
    return kept, pl.concat(aside).sort(pl.all())


def _screened(scope: Scope, name: str, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    limits = [limit for limit in LIMITS.get(name, ()) if limit.column in frame.columns]
    odd = frame.select(
        limit.is_odd(scope).fill_null(value=False).alias(str(place)) for place, limit in enumerate(limits)
    )
    hit = [(limit, odd[str(place)]) for place, limit in enumerate(limits) if odd[str(place)].any()]
    key = KEYS.get(name, frame.columns[0])
    aside = [
        frame.filter(rows).select(
            pl.lit(name).alias("input"),
            pl.col(key).cast(pl.String).alias("key"),
            pl.lit(limit.column).alias("column"),
            (pl.col(limit.column) if limit.shows else pl.lit(None)).cast(pl.String).alias("value"),
            pl.lit(limit.reason).alias("reason"),
            pl.lit(limit.what).alias("what"),
        )
        for limit, rows in hit
    ]
    for limit, rows in hit:
        if limit.what == VALUE:
            put = pl.when(rows).then(limit.instead).otherwise(limit.column)
            frame = frame.with_columns(put.alias(limit.column))
    lost = [rows for limit, rows in hit if limit.what != VALUE]
    return frame.filter(~pl.any_horizontal(lost)) if lost else frame, aside
