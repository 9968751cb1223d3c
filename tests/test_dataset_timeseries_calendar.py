"""Dataset D, calendar: Vietnamese holidays, Tet, days of sales, paydays, promotions."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from cdp_assets.datasets.timeseries import DAILY
from cdp_assets.datasets.timeseries.calendar import calendar, with_promotions
from tests.timeseries_support import AS_OF, frame, inputs, line, series, table

YEARS = calendar(date(2025, 1, 1), date(2027, 12, 31), "VN")


def on(*day: int) -> dict[str, Any]:
    """The calendar's row of a day."""
    return YEARS.row(by_predicate=pl.col("date") == date(*day), named=True)


@pytest.mark.parametrize("tet", [date(2025, 1, 29), date(2026, 2, 17), date(2027, 2, 6)])
def test_the_window_of_tet_runs_from_21_days_before_to_7_after(tet: date) -> None:
    flagged = YEARS.filter("is_tet_window", pl.col("date").dt.year() == tet.year)["date"]
    assert (flagged.min(), flagged.max(), flagged.len()) == (tet - timedelta(21), tet + timedelta(7), 29)
    assert on(tet.year, tet.month, tet.day)["holiday_name"] == "Lunar New Year"


def test_official_days_off_are_holidays() -> None:
    tet_2026 = YEARS.filter("holiday_flag", pl.col("date").dt.year() == 2026, pl.col("date").dt.month() == 2)
    assert tet_2026["date"].dt.day().to_list() == [16, 17, 18, 19, 20]
    assert on(2026, 8, 31)["holiday_flag"], "swapped for a working Saturday"
    assert on(2026, 11, 24)["holiday_name"] == "Vietnam Cultural Day"
    assert not on(2025, 11, 24)["holiday_flag"]


def test_days_to_and_from_holidays_cross_the_year() -> None:
    assert (on(2026, 12, 31)["days_to_holiday"], on(2027, 1, 1)["days_to_holiday"]) == (1, 0)
    assert (on(2027, 1, 1)["days_from_holiday"], on(2027, 1, 2)["days_from_holiday"]) == (0, 1)
    assert on(2025, 1, 2)["days_from_holiday"] == 1
    assert YEARS["days_to_holiday"].null_count() == YEARS["days_from_holiday"].null_count() == 0


def test_days_of_sales_and_presents_have_names() -> None:
    assert {
        day: on(2025, *day)["shopping_day"] for day in [(3, 8), (10, 20), (11, 20), (11, 11), (9, 9)]
    } == {
        (3, 8): "women_day",
        (10, 20): "vietnamese_women_day",
        (11, 20): "teachers_day",
        (11, 11): "double_day",
        (9, 9): "double_day",
    }
    fridays = YEARS.filter(pl.col("shopping_day") == "black_friday")["date"].to_list()
    assert fridays == [date(2025, 11, 28), date(2026, 11, 27), date(2027, 11, 26)]


def test_weekdays_weeks_and_paydays_are_told() -> None:
    assert (on(2026, 6, 27)["weekday"], on(2026, 6, 27)["is_weekend"], on(2026, 6, 26)["is_weekend"]) == (
        5,
        True,
        False,
    )
    assert (on(2026, 1, 1)["iso_week"], on(2027, 1, 3)["iso_week"]) == (1, 53)
    days = YEARS.filter("is_payday", pl.col("date").is_between(date(2026, 2, 1), date(2026, 2, 28)))["day"]
    assert days.to_list() == [5, 15, 25, 28]


def test_other_regions_have_their_own_holidays_and_no_tet() -> None:
    there = calendar(date(2026, 1, 1), date(2026, 12, 31), "US")
    assert there.filter("holiday_flag", pl.col("date").dt.month() == 7)["date"].dt.day().to_list() == [3, 4]
    assert not there["is_tet_window"].any()
    assert set(there["shopping_day"].drop_nulls()) == {"double_day", "black_friday"}


def test_a_region_without_known_holidays_has_none() -> None:
    nowhere = calendar(date(2026, 1, 1), date(2026, 1, 31), "XX")
    assert not nowhere["holiday_flag"].any()
    assert nowhere["days_to_holiday"].null_count() == 31


def promotion(start: datetime | None, end: datetime | None, percent: float | None) -> dict[str, Any]:
    return {"starts_at": start, "ends_at": end, "discount_percent": percent}


def test_promotions_cover_local_days_and_end_before_their_last_instant() -> None:
    days = calendar(date(2026, 1, 1), date(2026, 1, 10), "VN")
    midnight = datetime(2026, 1, 3, 17, tzinfo=UTC)
    rows = [
        promotion(midnight, midnight + timedelta(days=3), 10.0),
        promotion(midnight + timedelta(days=1, hours=5), midnight + timedelta(days=2), 25.0),
        promotion(midnight, midnight, 99.0),
        promotion(None, midnight, 99.0),
    ]
    found = with_promotions(days, frame("promotions", rows), "Asia/Ho_Chi_Minh").filter("promo_flag")
    assert found.select(pl.col("date").dt.day(), "promo_depth", "days_into_promo").rows() == [
        (4, 0.1, 0),
        (5, 0.25, 0),
        (6, 0.1, 2),
    ]


def test_a_promotion_without_end_runs_on() -> None:
    days = calendar(date(2026, 1, 1), date(2026, 1, 4), "VN")
    rows = [promotion(datetime(2026, 1, 2, 17, tzinfo=UTC), None, 10.0)]
    found = with_promotions(days, frame("promotions", rows), "Asia/Ho_Chi_Minh")
    assert found["promo_depth"].to_list() == [0.0, 0.0, 0.1, 0.1]


@pytest.mark.parametrize("percent", [150.0, -5.0, math.nan, math.inf])
def test_a_discount_that_cannot_be_is_none_that_is_said(percent: float) -> None:
    days = calendar(date(2026, 1, 1), date(2026, 1, 1), "VN")
    rows = [promotion(datetime(2025, 1, 1, tzinfo=UTC), None, percent)]
    found = with_promotions(days, frame("promotions", rows), "UTC")
    assert found.select("promo_flag", "promo_depth").rows() == [(True, None)]


@pytest.mark.parametrize("year", [1, 1900, 1970])
def test_a_promotion_of_a_hundred_years_is_counted_in_days(year: int) -> None:
    days = calendar(date(2026, 1, 1), date(2026, 1, 1), "VN")
    rows = [promotion(datetime(year, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), 10.0)]
    found = with_promotions(days, frame("promotions", rows), "UTC")
    assert found["days_into_promo"].to_list() == [(date(2026, 1, 1) - date(year, 1, 2)).days]


def test_promotions_over_a_change_of_clocks_cover_whole_days() -> None:
    zone = ZoneInfo("Europe/Berlin")
    days = calendar(date(2026, 3, 27), date(2026, 3, 31), "DE")
    rows = [promotion(datetime(2026, 3, 28, tzinfo=zone), datetime(2026, 3, 30, tzinfo=zone), 10.0)]
    found = with_promotions(days, frame("promotions", rows), "Europe/Berlin").filter("promo_flag")
    assert found["date"].dt.day().to_list() == [28, 29], "the day of 23 hours, too"


def test_a_promotion_without_a_discount_has_no_depth() -> None:
    days = calendar(date(2026, 1, 1), date(2026, 1, 2), "VN")
    rows = [promotion(datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 3, tzinfo=UTC), None)]
    found = with_promotions(days, frame("promotions", rows), "Asia/Ho_Chi_Minh")
    assert found.select("promo_flag", "promo_depth", "days_into_promo").rows() == [
        (True, None, 365),
        (False, 0.0, None),
    ]


def test_the_table_carries_the_calendar_of_its_days() -> None:
    sale = promotion(datetime(2026, 6, 26, 20, tzinfo=UTC), datetime(2026, 7, 30, tzinfo=UTC), 50.0)
    frames = inputs([line(AS_OF - timedelta(days=3))], promotions=frame("promotions", [sale]))
    rows = series(table(DAILY, frames), "total", "all")
    assert rows.select(
        "weekday", "month", "year", "is_weekend", "is_payday", "promo_flag", "promo_depth"
    ).rows() == [
        (3, 6, 2026, False, True, False, 0.0),
        (4, 6, 2026, False, False, False, 0.0),
        (5, 6, 2026, True, False, True, 0.5),
        (6, 6, 2026, True, False, True, 0.5),
    ]
