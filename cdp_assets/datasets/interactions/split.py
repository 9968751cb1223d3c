"""Parting signals in time: what a model may learn from, and what it is then asked.

Belongs here: who belongs to train, val and test. A random split lets a model learn from what came later; here nothing
of train comes after anything of val or test, by the calendar (`split`) or within each customer (`leave_last_out`).
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

PARTS = ("train", "val", "test")
PART = pl.Enum(list(PARTS))

WINDOW_DAYS = 7
"""Days of test, and of val before them: the task of H&M's data, next week's purchases."""

LEAST_BASKETS = 3
"""Baskets from which a customer's last two can be asked for: one at least is left to learn from."""


def train_end(as_of: date) -> date:
    """The last day of train by the calendar."""
    return as_of - timedelta(days=2 * WINDOW_DAYS)


def parted(signals: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The signals with `split` and `leave_last_out`, sorted by user, time, item, signal.

    `split`: the last 7 days are test, the 7 before are val. `leave_last_out`: of each customer with at least 3 baskets
    (purchases at one instant) everything from the last one on is test, everything from the one before on is val, so
    that the looks and carts that led to a basket are on its own side; all else is train.
    """
    last_of_val = as_of - timedelta(days=WINDOW_DAYS)
    cuts = _cuts(signals)
    return (
        signals.join(cuts, on="user", how="left")
        .with_columns(
            _part(pl.col("on") > last_of_val, pl.col("on") > train_end(as_of)).alias("split"),
            _part(pl.col("at") >= pl.col("test_from"), pl.col("at") >= pl.col("val_from")).alias(
                "leave_last_out"
            ),
        )
        .select("user", "item", "signal", "on", "at", "strength", "split", "leave_last_out")
        .sort("user", "at", "item", "signal", "strength")
    )


def cold(parts: pl.DataFrame) -> dict[str, int]:
    """Customers and articles of val and of test that train does not know."""
    found = {}
    train = parts.filter(pl.col("split") == "train")
    for part in PARTS[1:]:
        asked = parts.filter(pl.col("split") == part)
        for column in ("user", "item"):
            new = asked.select(column).unique().join(train, on=column, how="anti").height
            found[f"cold_{column}s_{part}"] = new
    return found


def _cuts(signals: pl.DataFrame) -> pl.DataFrame:
    """user, val_from, test_from: when the last two baskets of a customer were."""
    return (
        signals.filter(pl.col("signal") == "purchase")
        .select("user", "at")
        .unique()
        .sort("user", "at")
        .group_by("user")
        .agg(
            pl.len().alias("baskets"),
            pl.col("at").slice(-2, 1).first().alias("val_from"),
            pl.col("at").last().alias("test_from"),
        )
        .filter(pl.col("baskets") >= LEAST_BASKETS)
        .drop("baskets")
    )


def _part(test: pl.Expr, val: pl.Expr) -> pl.Expr:
    return (
        pl.when(test)
        .then(pl.lit("test", PART))
        .when(val)
        .then(pl.lit("val", PART))
        .otherwise(pl.lit("train", PART))
    )
