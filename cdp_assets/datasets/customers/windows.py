"""The last 7, 30, 90, 180 and 365 whole days, and what is counted in each of them.

Belongs here: the windows and how a column is named after one. A window of N days ends with `as_of` and begins N - 1
days before it; nothing later is in any of them.
"""

from __future__ import annotations

from datetime import date

import polars as pl

DAYS = (7, 30, 90, 180, 365)


def age(day: pl.Expr, as_of: date) -> pl.Expr:
    """Whole days from a day to `as_of`; 0 is `as_of` itself."""
    return (pl.lit(as_of) - day).dt.total_days()


def within(days: int) -> pl.Expr:
    """Rows (with a column `age`) of the last so many days."""
    return pl.col("age") < days


def counts(name: str, of: pl.Expr | None = None) -> list[pl.Expr]:
    """`<name>_<N>d`: rows of each window, of those that meet a condition."""
    return [
        (within(days) if of is None else within(days) & of).sum().cast(pl.Int64).alias(f"{name}_{days}d")
        for days in DAYS
    ]


def sums(name: str, value: pl.Expr) -> list[pl.Expr]:
    """`<name>_<N>d`: sum of a value over the rows of each window."""
    return [pl.when(within(days)).then(value).sum().alias(f"{name}_{days}d") for days in DAYS]


def before_last_30(of: pl.Expr | None = None) -> pl.Expr:
    """Rows of the 30 days before the last 30."""
    rows = pl.col("age").is_between(30, 59)
    return (rows if of is None else rows & of).sum().cast(pl.Int64)


def trend(now: str, before: str) -> pl.Expr:
    """(a + 1) / (b + 1): the last 30 days against the 30 before them; 1 is neither rise nor fall, and 0 to 1 is 2."""
    return (pl.col(now) + 1) / (pl.col(before) + 1)
