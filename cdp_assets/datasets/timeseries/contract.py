"""Columns and rules of `datasets.timeseries_daily`, `timeseries_weekly` and `timeseries_forecast`."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from cdp_assets.datasets.timeseries.forecast import CLASSES, HORIZON, METHODS
from cdp_assets.datasets.timeseries.levels import LEVELS


class Series(dy.Schema):
    """Whose numbers a row holds."""

    level = dy.String(primary_key=True, check=lambda level: level.is_in(LEVELS))
    series_id = dy.String(primary_key=True, min_length=1)
    article_id = dy.String(nullable=True)
    category_id = dy.String(nullable=True)


class Daily(Series):
    """One row per level, series and day, from the first sale to `as_of`, without gaps."""

    date = dy.Date(primary_key=True)
    daily_sales = dy.Int64(min=0)
    daily_sales_other_currency = dy.Int64(min=0)
    daily_units = dy.Int64(min=0)
    daily_revenue = dy.Decimal(38, 4, min=0)
    avg_price = dy.Float64(nullable=True, min=0)
    daily_returns = dy.Int64(min=0)
    daily_refunds = dy.Decimal(38, 4, min=0)
    unique_customers = dy.Int64(min=0)
    is_observed = dy.Bool()
    weekday = dy.Int8(min=0, max=6)
    month = dy.Int8(min=1, max=12)
    year = dy.Int16()
    is_weekend = dy.Bool()
    is_payday = dy.Bool()
    holiday_flag = dy.Bool()
    days_to_holiday = dy.Int16(nullable=True, min=0)
    days_from_holiday = dy.Int16(nullable=True, min=0)
    is_tet_window = dy.Bool()
    shopping_day = dy.String(nullable=True)
    promo_flag = dy.Bool()
    promo_depth = dy.Float64(nullable=True, min=0, max=1)
    rolling_7 = dy.Float64(min=0)
    rolling_30 = dy.Float64(min=0)
    trend_score = dy.Float64(min=0)
    lag_1 = dy.Int64(nullable=True, min=0)
    lag_7 = dy.Int64(nullable=True, min=0)
    lag_14 = dy.Int64(nullable=True, min=0)
    lag_28 = dy.Int64(nullable=True, min=0)
    lag_364 = dy.Int64(nullable=True, min=0)
    rolling_7_lag1 = dy.Float64(nullable=True, min=0)
    rolling_28_lag1 = dy.Float64(nullable=True, min=0)
    rolling_91_lag1 = dy.Float64(nullable=True, min=0)
    rolling_364_lag1 = dy.Float64(nullable=True, min=0)
    rolling_std_28_lag1 = dy.Float64(nullable=True, min=0)
    zero_share_28_lag1 = dy.Float64(nullable=True, min=0, max=1)
    ewm_7_lag1 = dy.Float64(nullable=True, min=0)
    ewm_28_lag1 = dy.Float64(nullable=True, min=0)
    same_weekday_mean_4 = dy.Float64(nullable=True, min=0)

    @dy.rule()
    def no_revenue_without_sales(cls) -> pl.Expr:
        return (pl.col("daily_sales") > pl.col("daily_sales_other_currency")) | (pl.col("daily_revenue") == 0)

    @dy.rule()
    def what_happened_was_observed(cls) -> pl.Expr:
        return pl.col("is_observed") == ((pl.col("daily_sales") > 0) | (pl.col("daily_returns") > 0))


class Weekly(Series):
    """One row per level, series and whole ISO week, from the week of the first sale on, without gaps."""

    week_start = dy.Date(primary_key=True)
    iso_year = dy.Int16()
    iso_week = dy.Int8(min=1, max=53)
    weekly_sales = dy.Int64(min=0)
    weekly_sales_other_currency = dy.Int64(min=0)
    weekly_units = dy.Int64(min=0)
    weekly_revenue = dy.Decimal(38, 4, min=0)
    avg_price = dy.Float64(nullable=True, min=0)
    weekly_returns = dy.Int64(min=0)
    weekly_refunds = dy.Decimal(38, 4, min=0)
    unique_customers = dy.Int64(min=0)
    is_observed = dy.Bool()
    promo_days = dy.Int8(min=0, max=7)
    holiday_days = dy.Int8(min=0, max=7)
    rolling_4 = dy.Float64(min=0)
    lag_1 = dy.Int64(nullable=True, min=0)
    lag_4 = dy.Int64(nullable=True, min=0)
    lag_52 = dy.Int64(nullable=True, min=0)
    rolling_4_lag1 = dy.Float64(nullable=True, min=0)
    rolling_13_lag1 = dy.Float64(nullable=True, min=0)
    rolling_52_lag1 = dy.Float64(nullable=True, min=0)

    @dy.rule()
    def weeks_start_on_mondays(cls) -> pl.Expr:
        return pl.col("week_start").dt.weekday() == 1

    @dy.rule()
    def no_revenue_without_sales(cls) -> pl.Expr:
        return (pl.col("weekly_sales") > pl.col("weekly_sales_other_currency")) | (
            pl.col("weekly_revenue") == 0
        )


class Forecasts(Series):
    """One row per level, series and day to come."""

    date = dy.Date(primary_key=True)
    horizon = dy.Int16(min=1, max=HORIZON)
    forecast = dy.Float64(min=0, allow_inf=False, allow_nan=False)
    forecast_q10 = dy.Float64(nullable=True, min=0)
    forecast_q50 = dy.Float64(nullable=True, min=0)
    forecast_q90 = dy.Float64(nullable=True, min=0)
    method = dy.String(check=lambda method: method.is_in(METHODS))
    demand_class = dy.String(check=lambda kind: kind.is_in(CLASSES))
    wape = dy.Float64(nullable=True, min=0)

    @dy.rule()
    def quantiles_are_in_order(cls) -> pl.Expr:
        return (pl.col("forecast_q10") <= pl.col("forecast_q50")) & (
            pl.col("forecast_q50") <= pl.col("forecast_q90")
        )
