"""Dataset D, features: golden windows, agreement with windows by time, and nothing of the day itself in a `_lag1`."""

from __future__ import annotations

import math
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.datasets.timeseries import DAILY, WEEKLY
from tests.timeseries_support import AS_OF, daily_lines, inputs, series, table

GOLDEN = [2, 0, 0, 5, 1, 0, 0, 3]
LEAK_FREE = [
    "lag_1", "lag_7", "lag_14", "lag_28", "lag_364", "rolling_7_lag1", "rolling_28_lag1", "rolling_91_lag1",
    "rolling_364_lag1", "rolling_std_28_lag1", "zero_share_28_lag1", "ewm_7_lag1", "ewm_28_lag1",
    "same_weekday_mean_4",
]  # fmt: skip


def daily(counts: list[int]) -> pl.DataFrame:
    """The article's rows of a history that begins with a sale."""
    return series(table(DAILY, inputs(daily_lines(counts))), "article", "shop:1")


def test_the_rolling_mean_of_seven_days_is_golden() -> None:
    found = daily(GOLDEN)
    assert found["daily_sales"].to_list() == GOLDEN
    assert found["rolling_7"].to_list() == pytest.approx(
        [2, 1, 0.6667, 1.75, 1.6, 1.3333, 1.1429, 1.2857], abs=5e-5
    )
    assert found["rolling_7_lag1"].to_list()[-1] == pytest.approx(1.1429, abs=5e-5)
    assert found["rolling_7_lag1"][0] is None


def test_the_trend_is_golden() -> None:
    assert daily([1] * 13)["trend_score"].to_list()[-1] == pytest.approx(0.6 * 7 + 0.3 * 13)
    growing = daily([1] * 13 + [8])["trend_score"].to_list()[-1]
    # by hand: this week 6 + 8 = 14; the seven weeks that ended 7 to 13 days ago had 7, 6, 5, 4, 3, 2, 1 lines
    assert growing == pytest.approx(0.6 * 14 + 0.3 * 21 + 0.1 * (14 - 4) / 4)
    assert daily([9] * 7 + [1] * 7)["trend_score"].to_list()[-1] == pytest.approx(0.6 * 7 + 0.3 * 70)


def test_lags_and_the_mean_of_weekdays_look_back_by_whole_days() -> None:
    counts = list(range(1, 40))
    last = daily(counts).row(-1, named=True)
    assert [last[f"lag_{days}"] for days in (1, 7, 14, 28, 364)] == [38, 32, 25, 11, None]
    assert last["same_weekday_mean_4"] == (32 + 25 + 18 + 11) / 4


@given(st.lists(st.integers(0, 6), min_size=1, max_size=120))
@settings(max_examples=25)
def test_windows_of_rows_are_windows_of_days(counts: list[int]) -> None:
    """Against polars' own windows by time, `closed="left"` being without the day itself."""
    found = daily([1, *counts])
    y, on = pl.col("daily_sales"), "date"
    expected = found.select(
        y.rolling_mean_by(on, "7d").alias("rolling_7"),
        y.rolling_mean_by(on, "30d").alias("rolling_30"),
        *(y.rolling_mean_by(on, f"{days}d", closed="left").alias(f"rolling_{days}_lag1") for days in (7, 28, 91)),
        y.rolling_std_by(on, "28d", closed="left").alias("rolling_std_28_lag1"),
        (y == 0).cast(pl.Float64).rolling_mean_by(on, "28d", closed="left").alias("zero_share_28_lag1"),
        y.ewm_mean(half_life=7).shift(1).alias("ewm_7_lag1"),
    )  # fmt: skip
    for name in expected.columns:
        for here, there in zip(found[name], expected[name], strict=True):
            same = here is there or (
                here is not None and there is not None and math.isclose(here, there, abs_tol=1e-9)
            )
            assert same, (name, here, there)


@given(st.lists(st.integers(0, 5), min_size=30, max_size=60), st.integers(0, 59), st.integers(1, 9))
@settings(max_examples=20)
def test_what_happens_on_a_day_changes_no_leak_free_feature_of_it(
    counts: list[int], place: int, more: int
) -> None:
    day = 1 + place % len(counts)
    changed = [1, *counts]
    changed[day] += more
    before, after = daily([1, *counts]), daily(changed)
    assert (
        before.select(LEAK_FREE).head(day + 1).equals(after.select(LEAK_FREE).head(day + 1), null_equal=True)
    )
    assert before["rolling_7"][day] < after["rolling_7"][day]


def test_one_series_knows_nothing_of_another() -> None:
    rows = [*daily_lines([3] * 40, article="shop:1"), *daily_lines([1], article="shop:2")]
    found = series(table(DAILY, inputs(rows)), "article", "shop:2").row(0, named=True)
    assert found["rolling_7"] == 1
    assert [found[name] for name in LEAK_FREE] == [None] * len(LEAK_FREE)


def test_weekly_features_look_back_by_weeks() -> None:
    rows = [row for week in range(60) for row in daily_lines([week + 1], AS_OF - timedelta(days=7 * week))]
    found = series(table(WEEKLY, inputs(rows)), "total", "all").row(-1, named=True)
    assert [found[f"lag_{weeks}"] for weeks in (1, 4, 52)] == [2, 5, 53]
    assert (found["rolling_4"], found["rolling_4_lag1"], found["rolling_13_lag1"]) == (2.5, 3.5, 8.0)
