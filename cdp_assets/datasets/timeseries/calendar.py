"""What kind of day a day is: weekdays, paydays, public holidays, Tet, days of sales, promotions.

Belongs here: the calendar of a region, for days past and to come, and the promotions laid over it. Does not belong
here: anything sold.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import polars as pl

from cdp_assets.datasets.frames import NO_END
from cdp_assets.datasets.model import Scope

PAYDAYS = (5, 15, 25)
"""Days of the month on which wages are paid, beside its last."""

TET_BEFORE, TET_AFTER = 21, 7
"""Days around the lunar new year in which Vietnam shops, then travels and closes."""

VIETNAMESE_DAYS = {(8, 3): "women_day", (20, 10): "vietnamese_women_day", (20, 11): "teachers_day"}
"""(day, month) -> day on which presents are given."""


def region_of(scope: Scope) -> str:
    """Country whose holidays the tenant keeps: its option `default_region`, as of its telephone numbers."""
    return scope.options.default_region


def public_holidays(region: str, first: date, last: date) -> pl.DataFrame:
    """Public holidays of a country, official days off in their stead included. Columns: date, holiday_name (English).

    Empty for a region of which none are known. A year more on either side than asked: the next holiday of December
    is in January.
    """
    return _holidays(region, first.year - 1, last.year + 1)


@cache
def _holidays(region: str, first: int, last: int) -> pl.DataFrame:
    # slow to import (0.2 s), and only a build needs it
    import holidays

    known = region in holidays.list_supported_countries(include_aliases=True)
    years = range(first, last + 1)
    found = holidays.country_holidays(region, years=years, language="en_US") if known else {}
    days = sorted(found.items())
    return pl.DataFrame(
        {"date": [day for day, _ in days], "holiday_name": [name for _, name in days]},
        schema={"date": pl.Date, "holiday_name": pl.String},
    )


def tet_days(first: date, last: date) -> list[date]:
    """First days of the lunar year."""
    found = public_holidays("VN", first, last).filter(
        pl.col("holiday_name").str.contains("^Lunar New Year(;|$)")
    )
    return found["date"].to_list()


def calendar(first: date, last: date, region: str) -> pl.DataFrame:
    """One row per day. `shopping_day` names a day of sales or presents, null on others.

    `days_to_holiday` and `days_from_holiday` are 0 on a holiday, null where no holiday is known.
    """
    holidays = public_holidays(region, first, last)
    is_vietnam = region == "VN"
    tet = tet_days(first, last) if is_vietnam else []
    window = [day + timedelta(days=shift) for day in tet for shift in range(-TET_BEFORE, TET_AFTER + 1)]
    day, month, weekday = (
        pl.col("date").dt.day(),
        pl.col("date").dt.month(),
        pl.col("date").dt.weekday() - 1,
    )
    is_month_end = pl.col("date") == pl.col("date").dt.month_end()
    black_friday = (month == 11) & (weekday == 4) & day.is_between(23, 29)
    shopping = (
        pl.when(day == month).then(pl.lit("double_day")).when(black_friday).then(pl.lit("black_friday"))
    )
    for (on, of), name in VIETNAMESE_DAYS.items() if is_vietnam else ():
        shopping = shopping.when(day == on, month == of).then(pl.lit(name))
    days = pl.select(pl.date_range(first, last).alias("date"))
    named = holidays.with_columns(pl.col("date").alias("holiday"))
    return (
        days.join(holidays, on="date", how="left", maintain_order="left")
        .join_asof(named.select("date", pl.col("holiday").alias("next")), on="date", strategy="forward")
        .join_asof(named.select("date", pl.col("holiday").alias("last")), on="date", strategy="backward")
        .select(
            "date",
            weekday.cast(pl.Int8).alias("weekday"),
            day.cast(pl.Int8).alias("day"),
            pl.col("date").dt.week().cast(pl.Int8).alias("iso_week"),
            month.cast(pl.Int8).alias("month"),
            pl.col("date").dt.quarter().cast(pl.Int8).alias("quarter"),
            pl.col("date").dt.year().cast(pl.Int16).alias("year"),
            (weekday >= 5).alias("is_weekend"),
            (day == 1).alias("is_month_start"),
            is_month_end.alias("is_month_end"),
            (day.is_in(PAYDAYS) | is_month_end).alias("is_payday"),
            pl.col("holiday_name").is_not_null().alias("holiday_flag"),
            "holiday_name",
            (pl.col("next") - pl.col("date")).dt.total_days().cast(pl.Int16).alias("days_to_holiday"),
            (pl.col("date") - pl.col("last")).dt.total_days().cast(pl.Int16).alias("days_from_holiday"),
            pl.col("date").is_in(window).alias("is_tet_window"),
            shopping.otherwise(None).alias("shopping_day"),
        )
    )


def with_promotions(days: pl.DataFrame, promotions: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """The calendar with promo_flag, promo_depth and days_into_promo.

    A day counts when a promotion runs at any time of it. Depth is the share off (0 to 1) of the deepest, 0 without
    one, null where no discount is said, or none that can be; days into it are counted from the start of the newest.
    One without end runs on; one without start, or that ends before it starts, is left out.
    """
    first, last = days["date"].min(), days["date"].max()
    running = (
        promotions.filter(pl.col("starts_at") < pl.col("ends_at").fill_null(NO_END))
        .select(
            pl.col("starts_at").dt.convert_time_zone(timezone).dt.date().alias("start"),
            # the end is exclusive: one that ends at midnight does not touch the day that begins
            pl.col("ends_at")
            .fill_null(NO_END)
            .dt.offset_by("-1us")
            .dt.convert_time_zone(timezone)
            .dt.date()
            .alias("end"),
            pl.when(pl.col("discount_percent").is_between(0, 100))
            .then(pl.col("discount_percent") / 100)
            .alias("depth"),
        )
        .filter(pl.col("start") <= last, pl.col("end") >= first)
        .with_columns(
            pl.date_ranges(
                pl.max_horizontal("start", pl.lit(first)), pl.min_horizontal("end", pl.lit(last))
            ).alias("date")
        )
        .explode("date")
        .group_by("date")
        .agg(pl.col("depth").max(), pl.col("start").max())
    )
    flag = pl.col("start").is_not_null()
    return days.join(running, on="date", how="left", maintain_order="left").select(
        *days.columns,
        flag.alias("promo_flag"),
        pl.when(flag).then("depth").otherwise(0.0).alias("promo_depth"),
        (pl.col("date") - pl.col("start")).dt.total_days().cast(pl.Int32).alias("days_into_promo"),
    )
