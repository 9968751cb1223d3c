"""Complete series: a row for every day (or week) from the first sale on, with explicit zeros.

Belongs here: gap filling and the price that holds between sales. Does not belong here: what is computed over time
(`features`). A series begins with its first sale, not with the article's listing: the source's `created_at` can be
later than a sale, and no sale may be lost. Whether an article was out of stock on a day without sale is not known:
the sources hold the stock of today, so there is no `is_stockout`.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.timeseries.levels import ARTICLE, CATEGORY, LEVELS, REST, SUMS

YEARS = 2
"""Whole calendar years of history before the current one."""

LEAD = timedelta(days=364)
"""Days before those shown that lags and windows look back on; 52 whole weeks."""


def shown_from(as_of: date) -> date:
    """First day of the tables: Monday of the first ISO week, `YEARS` years before.

    It moves once a year, so that a nightly build rewrites no row of the past.
    """
    return date.fromisocalendar(as_of.year - YEARS, 1, 1)


def last_monday(as_of: date) -> date:
    """Monday of the last whole ISO week."""
    next_day = as_of + timedelta(days=1)
    return next_day - timedelta(days=next_day.weekday() + 7)


def complete(
    sums: pl.DataFrame, categories_of: pl.DataFrame, first: date, last: date, every: str
) -> pl.DataFrame:
    """One row per series and day (`every` "1d") or week ("1w", dates are Mondays), sorted by series and date.

    From the series' first row or `first`, whichever is later, to `last`. Columns: level, series_id, date, article_id
    and category_id (where the level has one), the sums with zeros filled in, `customers`, `price` (revenue per piece,
    of articles only, carried forward from the last sale; null before the first), `is_observed` (false: filled in),
    `series` (number of the series), `age` (rows of the series before this one).
    """
    levels = pl.Enum(LEVELS)
    series = (
        sums.lazy()
        .group_by("level", "series_id")
        .agg(pl.max_horizontal(pl.col("date").min(), pl.lit(first)).alias("first"))
        .filter(pl.col("first") <= last)
        .sort(pl.col("level").cast(levels), "series_id")
        .with_row_index("series")
        .join(
            categories_of.lazy().select(pl.col("article_id").alias("series_id"), "category_id"),
            on="series_id",
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.when(pl.col("level") == ARTICLE).then("series_id").alias("article_id"),
            pl.when(pl.col("level").is_in([CATEGORY, REST]))
            .then("series_id")
            .when(pl.col("level") == ARTICLE)
            .then(pl.col("category_id").fill_null(UNKNOWN))
            .alias("category_id"),
        )
    )
    days = series.select(
        "series", "level", "series_id", "article_id", "category_id",
        pl.date_ranges("first", pl.lit(last), interval=every).alias("date"),
    ).explode("date")  # fmt: skip
    found = sums.lazy().join(series.select("series", "level", "series_id"), on=["level", "series_id"])
    return (
        days.join(
            found.select(
                "series", "date", *SUMS, "priced_units", "customers", pl.lit(True).alias("is_observed")
            ),
            on=["series", "date"],
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.col("is_observed").fill_null(False),
            pl.col(*SUMS, "customers").fill_null(0),
            pl.when(pl.col("level") == ARTICLE, pl.col("priced_units") > 0)
            .then(pl.col("revenue").cast(pl.Float64) / pl.col("priced_units"))
            .alias("price"),
        )
        .with_columns(
            pl.int_range(pl.len()).over("series").alias("age"),
            pl.col("price").forward_fill().over("series"),
        )
        .collect()
    )
