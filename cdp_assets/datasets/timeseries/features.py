"""What can be said of a series on a day from the days before it: lags, windows, exponential means.

Belongs here: expressions over a complete panel, sorted by series and date, with `series` and `age` (rows of the series
before this one). Because the panel has no gaps, a window of so many rows is a window of so many days; sums over it are
differences of running sums, exact in integers. Names ending in `_lag1` and all lags look only at days before the row's
own and may be used to predict it; the others include it, as in the seed.
"""

from __future__ import annotations

import polars as pl

TREND_RECENT, TREND_MONTH, TREND_GROWTH = 0.6, 0.3, 0.1
"""Weights of the seed's recommender."""


def lag(column: str | pl.Expr, steps: int) -> pl.Expr:
    """The value so many rows earlier; null where the series was not there yet."""
    value = pl.col(column) if isinstance(column, str) else column
    return pl.when(pl.col("age") >= steps).then(value.shift(steps))


def _through(running: str, steps: int) -> pl.Expr:
    """Sum over the row and the `steps` - 1 before it, of which `running` is the running sum of the series."""
    return pl.col(running) - lag(running, steps).fill_null(0)


def _before(running: str, steps: int) -> pl.Expr:
    """Sum over the `steps` rows before this one; null on the first of the series."""
    return lag(running, 1) - lag(running, steps + 1).fill_null(0)


def _rows_before(steps: int) -> pl.Expr:
    return pl.min_horizontal(pl.col("age"), pl.lit(steps, pl.Int64))


def mean_through(steps: int) -> pl.Expr:
    """Mean of the row and the `steps` - 1 before it, of those there are."""
    return _through("_y", steps) / pl.min_horizontal(pl.col("age") + 1, pl.lit(steps, pl.Int64))


def mean_before(steps: int, running: str = "_y") -> pl.Expr:
    """Mean of the `steps` rows before this one, of those there are; null on the first of the series."""
    return _before(running, steps) / _rows_before(steps)


def std_before(steps: int) -> pl.Expr:
    """Sample standard deviation of the `steps` rows before this one; null where there are fewer than two.

    From n * sum(y^2) - sum(y)^2, which is exact in integers and never negative.
    """
    n = _rows_before(steps)
    spread = n * _before("_y2", steps) - _before("_y", steps) ** 2
    return pl.when(n >= 2).then((spread / (n * (n - 1))).sqrt())


def ewm_before(column: str, half_life: int) -> pl.Expr:
    """Exponential mean of all rows before this one, the newest weighing most; weights halve every `half_life` rows."""
    return lag(pl.col(column).ewm_mean(half_life=half_life).over("series"), 1)


def running(column: str) -> list[pl.Expr]:
    """Running sums of each series that the windows need: of the values, their squares, and how many are zero."""
    y = pl.col(column)
    return [
        y.cum_sum().over("series").alias("_y"),
        (y * y).cum_sum().over("series").alias("_y2"),
        (y == 0).cast(pl.Int64).cum_sum().over("series").alias("_zeros"),
    ]


def trend_score() -> pl.Expr:
    """0.6 * sum of 7 days + 0.3 * sum of 30 days + 0.1 * max(growth, 0), the row's own day included (seed 001).

    growth = (r - m) / m, where r is the 7-day sum and m the mean of the seven 7-day sums that ended 7 to 13 days
    earlier; 0 in the first 13 days and where m is 0.
    """
    recent = _through("_y", 7)
    earlier = (lag("_weeks", 7) - lag("_weeks", 14).fill_null(0)) / 7
    growth = pl.when(pl.col("age") >= 13, earlier > 0).then((recent - earlier) / earlier).otherwise(0.0)
    return (
        TREND_RECENT * recent
        + TREND_MONTH * _through("_y", 30)
        + TREND_GROWTH * pl.max_horizontal(growth, pl.lit(0.0))
    )


def daily(panel: pl.DataFrame) -> pl.DataFrame:
    """The panel with the features of `sales` per day."""
    # eager: the lazy optimizer takes twice as long over these expressions as their evaluation does
    weeks = [lag("sales", steps) for steps in (7, 14, 21, 28)]
    return (
        panel.with_columns(running("sales"))
        .with_columns(_through("_y", 7).cum_sum().over("series").alias("_weeks"))
        .with_columns(
            mean_through(7).alias("rolling_7"),
            mean_through(30).alias("rolling_30"),
            trend_score().alias("trend_score"),
            *(lag("sales", steps).alias(f"lag_{steps}") for steps in (1, 7, 14, 28, 364)),
            *(mean_before(steps).alias(f"rolling_{steps}_lag1") for steps in (7, 28, 91, 364)),
            std_before(28).alias("rolling_std_28_lag1"),
            mean_before(28, "_zeros").alias("zero_share_28_lag1"),
            ewm_before("sales", 7).alias("ewm_7_lag1"),
            ewm_before("sales", 28).alias("ewm_28_lag1"),
            pl.mean_horizontal(weeks).alias("same_weekday_mean_4"),
        )
        .drop("_y", "_y2", "_zeros", "_weeks")
    )


def weekly(panel: pl.DataFrame) -> pl.DataFrame:
    """The panel with the features of `sales` per week."""
    return (
        panel.with_columns(running("sales"))
        .with_columns(
            mean_through(4).alias("rolling_4"),
            *(lag("sales", steps).alias(f"lag_{steps}") for steps in (1, 4, 52)),
            *(mean_before(steps).alias(f"rolling_{steps}_lag1") for steps in (4, 13, 52)),
        )
        .drop("_y", "_y2", "_zeros")
    )
