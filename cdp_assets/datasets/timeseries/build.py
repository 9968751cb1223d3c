"""From purchases to the three tables: days, weeks, and the days to come.

Belongs here: how the parts are put together, and the files of a version. Does not belong here: any formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.model import Built, Scope
from cdp_assets.datasets.timeseries import features, forecast, levels
from cdp_assets.datasets.timeseries.calendar import calendar, region_of, with_promotions
from cdp_assets.datasets.timeseries.contract import Daily, Forecasts, Weekly
from cdp_assets.datasets.timeseries.panel import LEAD, complete, last_monday, shown_from

KEYS = ("level", "series_id")


@dataclass(frozen=True)
class History:
    """Lines that count, placed in their series, and what is known of the articles' categories."""

    lines: pl.DataFrame
    categories_of: pl.DataFrame
    numbers: dict[str, float | int | str]


def history(
    scope: Scope, purchases: pl.DataFrame, articles: pl.DataFrame, categories: pl.DataFrame
) -> History:
    """What all three tables start from."""
    lines = levels.counted(scope, purchases)
    categories_of = levels.article_categories(articles, categories)
    own = levels.articles_with_series(lines, scope.as_of)
    numbers: dict[str, float | int | str] = {
        "lines": lines.height,
        "lines_in_other_currencies": int((~lines["is_main"]).sum()),
        "articles_with_series": own.len(),
    }
    return History(levels.placed(lines, categories_of, own), categories_of, numbers)


def build_daily(
    scope: Scope,
    purchases: pl.DataFrame,
    articles: pl.DataFrame,
    categories: pl.DataFrame,
    promotions: pl.DataFrame,
) -> Built:
    """`timeseries_daily`, with `calendar.parquet` (28 days further than the series) and `nixtla.parquet`."""
    past = history(scope, purchases, articles, categories)
    first = shown_from(scope.as_of)
    panel = complete(levels.sums(past.lines), past.categories_of, first - LEAD, scope.as_of, "1d")
    days = _calendar(scope, promotions, first, scope.as_of + timedelta(days=forecast.HORIZON))
    table = (
        features.daily(panel)
        .lazy()
        .filter(pl.col("date") >= first)
        .join(days.lazy(), on="date", how="left", maintain_order="left")
        .rename(
            {name: f"daily_{name}" for name in levels.SUMS}
            | {"price": "avg_price", "customers": "unique_customers"}
        )
        .select(Daily.column_names())
        .collect()
    )
    files = {"calendar.parquet": parquet(days), "nixtla.parquet": parquet(_nixtla(table))}
    return Built(table, files, "date", {**past.numbers, **_counts(table), "holiday_region": region_of(scope)})


def build_weekly(
    scope: Scope,
    purchases: pl.DataFrame,
    articles: pl.DataFrame,
    categories: pl.DataFrame,
    promotions: pl.DataFrame,
) -> Built:
    """`timeseries_weekly`: whole ISO weeks up to `as_of`."""
    past = history(scope, purchases, articles, categories)
    first, last = shown_from(scope.as_of), last_monday(scope.as_of)
    monday = pl.col("date").dt.truncate("1w")
    lines = past.lines.with_columns(monday).filter(pl.col("date") <= last)
    panel = complete(levels.sums(lines), past.categories_of, first - LEAD, last, "1w")
    weeks = (
        _calendar(scope, promotions, first, scope.as_of)
        .group_by(monday)
        .agg(
            pl.col("promo_flag").sum().cast(pl.Int8).alias("promo_days"),
            pl.col("holiday_flag").sum().cast(pl.Int8).alias("holiday_days"),
        )
    )
    table = (
        features.weekly(panel)
        .lazy()
        .filter(pl.col("date") >= first)
        .join(weeks.lazy(), on="date", how="left")
        .with_columns(
            pl.col("date").dt.iso_year().cast(pl.Int16).alias("iso_year"),
            pl.col("date").dt.week().cast(pl.Int8).alias("iso_week"),
        )
        .rename(
            {name: f"weekly_{name}" for name in levels.SUMS}
            | {"price": "avg_price", "customers": "unique_customers", "date": "week_start"}
        )
        .select(Weekly.column_names())
        .collect()
    )
    return Built(table, time_column="week_start", numbers={**past.numbers, **_counts(table)})


def build_forecast(
    scope: Scope, purchases: pl.DataFrame, articles: pl.DataFrame, categories: pl.DataFrame
) -> Built:
    """`timeseries_forecast`, with `series.parquet`: demand class, weekday profile and back-test of each series."""
    past = history(scope, purchases, articles, categories)
    first = scope.as_of - timedelta(days=forecast.DAYS - 1)
    panel = complete(levels.sums(past.lines), past.categories_of, first, scope.as_of, "1d")
    matrix = _matrix(panel, first)
    demand = forecast.demand(matrix)
    found = forecast.forecast(matrix, demand.kind)
    series = _series(scope, panel, demand, found)
    first, last = scope.as_of + timedelta(days=1), scope.as_of + timedelta(days=forecast.HORIZON)
    names = ("forecast_q10", "forecast_q50", "forecast_q90")
    table = (
        series.select(*KEYS, "article_id", "category_id", "demand_class", "method", "wape")
        .with_columns(pl.date_ranges(first, last).alias("date"))
        .explode("date")
        .with_columns(
            (pl.col("date") - pl.lit(scope.as_of)).dt.total_days().cast(pl.Int16).alias("horizon"),
            pl.Series("forecast", found.y.ravel()),
            *(
                pl.Series(name, values.ravel()).fill_nan(None)
                for name, values in zip(names, found.quantiles, strict=True)
            ),
        )
        .select(Forecasts.column_names())
    )
    total = series.filter(pl.col("level") == levels.TOTAL)
    errors = {f"{name}_total": value for name in ("mase", "wape") for value in total[name].drop_nulls()}
    return Built(
        table,
        {"series.parquet": parquet(series)},
        "date",
        {**past.numbers, "series": series.height, **errors},
    )


def _calendar(scope: Scope, promotions: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    return with_promotions(calendar(first, last, region_of(scope)), promotions, scope.timezone)


def _matrix(panel: pl.DataFrame, first: date) -> forecast.Matrix:
    """Sales by series (rows in the panel's order) and day from `first` on; NaN before a series begins."""
    series = panel["series"].to_numpy()
    day = panel.select((pl.col("date") - first).dt.total_days()).to_series().to_numpy()
    matrix = np.full((panel["series"].n_unique(), forecast.DAYS), np.nan)
    matrix[series, day] = panel["sales"].to_numpy()
    return matrix


def _series(
    scope: Scope, panel: pl.DataFrame, demand: forecast.Demand, found: forecast.Forecast
) -> pl.DataFrame:
    """One row per series, as the rows of the matrices."""
    tomorrow = (scope.as_of + timedelta(days=1)).weekday()
    weekdays = {f"weekday_index_{(tomorrow + step) % 7}": demand.weekday_index[:, step] for step in range(7)}
    measured = {
        "adi": demand.adi,
        "cv2": demand.cv2,
        "mase": found.mase,
        "wape": found.wape,
        "wape_seasonal_naive": found.wape_naive,
        **dict(sorted(weekdays.items())),
    }
    return (
        panel.group_by("series", maintain_order=True)
        .agg(pl.col(*KEYS, "article_id", "category_id").first(), pl.col("date").min().alias("first_day"))
        .drop("series")
        .with_columns(
            pl.Series("demand_class", np.array(forecast.CLASSES)[demand.kind], dtype=pl.String),
            pl.Series("method", np.array(forecast.METHODS)[found.method], dtype=pl.String),
            pl.Series("folds", found.folds, dtype=pl.Int8),
            *(pl.Series(name, values).fill_nan(None) for name, values in measured.items()),
        )
    )


def _nixtla(table: pl.DataFrame) -> pl.DataFrame:
    """The long format of Nixtla's libraries: unique_id (level/series_id), ds, y (lines sold)."""
    return table.select(
        pl.format("{}/{}", "level", "series_id").alias("unique_id"),
        pl.col("date").alias("ds"),
        pl.col("daily_sales").cast(pl.Float64).alias("y"),
    )


def _counts(table: pl.DataFrame) -> dict[str, float | int | str]:
    return {"series": table.select(KEYS).n_unique()}
