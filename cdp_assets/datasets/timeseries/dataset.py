"""Dataset D as the graph knows it: three tables from the same purchases."""

from __future__ import annotations

from cdp_assets.datasets.model import Dataset
from cdp_assets.datasets.timeseries import pictures
from cdp_assets.datasets.timeseries.build import build_daily, build_forecast, build_weekly
from cdp_assets.datasets.timeseries.checks import DAILY_CHECKS, FORECAST_CHECKS, WEEKLY_CHECKS
from cdp_assets.datasets.timeseries.contract import Daily, Forecasts, Weekly

SERIES = (
    "Levels: `total`, `root_category`, `category`, `article` (the 1,000 most sold of the last 364 days) and `rest` "
    "(the other articles of a category); each level adds up to the one above, exactly. Returns are counted apart, and "
    "only money in the tenant's main currency is added up."
)

DAILY = Dataset(
    name="timeseries_daily",
    letter="D",
    description="One row per level, series and day from the first sale to the last whole day, without gaps: sales, "
    f"price, calendar, promotions, lags and windows. {SERIES}",
    contract=Daily,
    reads=("purchases", "articles", "categories", "promotions"),
    build=build_daily,
    checks=DAILY_CHECKS,
    pictures=pictures.of_daily,
    shows=("level", "series_id", "date", "daily_sales", "daily_revenue", "rolling_7", "rolling_7_lag1"),
    pooled=("weekday", "month", "year", "days_to_holiday", "days_from_holiday", "promo_depth"),
)

WEEKLY = Dataset(
    name="timeseries_weekly",
    letter="D",
    description="One row per level, series and whole ISO week (Monday to Sunday) from the week of the first sale on, "
    f"without gaps. {SERIES}",
    contract=Weekly,
    reads=("purchases", "articles", "categories", "promotions"),
    build=build_weekly,
    checks=WEEKLY_CHECKS,
    pictures=pictures.of_weekly,
    shows=("level", "series_id", "week_start", "weekly_sales", "weekly_revenue", "rolling_4"),
    pooled=("iso_year", "iso_week", "promo_days", "holiday_days"),
)

FORECAST = Dataset(
    name="timeseries_forecast",
    letter="D",
    description="One row per level, series and day of the 28 to come: a baseline forecast of lines sold with the 10, "
    f"50 and 90 % quantiles of its back-test, and the kind of demand. {SERIES}",
    contract=Forecasts,
    reads=("purchases", "articles", "categories"),
    build=build_forecast,
    checks=FORECAST_CHECKS,
    pictures=pictures.of_forecast,
    shows=("level", "series_id", "date", "forecast", "forecast_q10", "forecast_q90", "method"),
)
