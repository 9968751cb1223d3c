"""Dataset D, forecasts: each method by hand, the back-test, demand classes, and what the table says."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from cdp_assets.datasets.timeseries import FORECAST, forecast
from tests.timeseries_support import AS_OF, SCOPE, built, daily_lines, inputs, line, series, table


def history(*rows: list[float]) -> forecast.Matrix:
    """Series that end alike; NaN before each begins."""
    found = np.full((len(rows), forecast.DAYS), np.nan)
    for place, row in enumerate(rows):
        found[place, forecast.DAYS - len(row) :] = row
    return found


def simulated(seed: int, series_: int = 40) -> forecast.Matrix:
    """Sales with a strong week: Poisson, twenty a day, three times as many at the end of the week."""
    draw = np.random.default_rng(seed)
    week = np.tile([0.5, 0.5, 0.7, 0.8, 1.0, 2.0, 1.5], forecast.DAYS // 7 + 1)[: forecast.DAYS]
    return draw.poisson(20 * week, (series_, forecast.DAYS)).astype(float)


def test_each_method_repeats_or_averages_what_it_says() -> None:
    counts = [float(day % 7 + day // 7) for day in range(56)]
    naive, flat, seasonal, sba = forecast.forecasts(history(counts), np.array([0.3]))[:, 0]
    assert naive.tolist() == counts[-7:] * 4
    assert flat.tolist() == [np.mean(counts[-28:])] * 28
    assert seasonal[:7].tolist() == [np.mean(counts[day::7]) for day in range(7)]
    assert sba.tolist() == [0.3] * 28


def test_croston_counts_sizes_and_intervals_apart() -> None:
    rows = history([2, 0, 0, 4, 0, 3], [0, 0, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0])
    found = forecast.croston_sba(rows, [forecast.DAYS])[forecast.DAYS]
    # sizes 2, 4, 3 and intervals 3, 2, of which the first ten count alike; then the correction of 5 %
    assert found[0] == pytest.approx(0.95 * 3.0 / 2.5)
    assert found[1] == 0
    assert found[2] == pytest.approx(0.95 * 5 / 5), "one demand, and five days without"


def test_croston_smooths_by_a_tenth_after_ten_demands() -> None:
    sizes = [1.0] * 10 + [11.0]
    found = forecast.croston_sba(history(sizes), [forecast.DAYS])[forecast.DAYS]
    assert found[0] == pytest.approx(0.95 * (1.0 + 0.1 * 10))


def test_an_earlier_origin_knows_nothing_of_later_days() -> None:
    rows = simulated(1, 5)
    origin = forecast.DAYS - 28
    before = forecast.croston_sba(rows, [origin, forecast.DAYS])[origin]
    rows[:, origin:] = 999
    assert np.array_equal(before, forecast.croston_sba(rows, [origin, forecast.DAYS])[origin])


def test_demand_classes_follow_the_cut_offs() -> None:
    rows = history(
        [2.0] * 364,
        [1.0, 9.0] * 182,
        [3.0, 0.0] * 182,
        [1.0, 0.0, 9.0, 0.0] * 91,
        [0.0] * 364,
    )
    found = forecast.demand(rows)
    assert [forecast.CLASSES[kind] for kind in found.kind] == [
        "smooth", "erratic", "intermittent", "lumpy", "none",
    ]  # fmt: skip
    assert found.adi[2] == 2.0
    assert found.cv2[1] == pytest.approx(16 / 25)
    assert np.isnan(found.adi[4])


def test_the_weekday_index_is_the_weekday_over_all_days() -> None:
    found = forecast.demand(history([0.0, 0, 0, 0, 0, 7, 7] * 8))
    assert found.weekday_index[0].tolist() == [0, 0, 0, 0, 0, 3.5, 3.5]


def test_the_back_test_beats_the_naive_forecast_on_seasonal_series() -> None:
    rows = simulated(7)
    found = forecast.forecast(rows, forecast.demand(rows).kind)
    assert (found.folds == forecast.FOLDS).all()
    assert {forecast.METHODS[method] for method in found.method} == {"seasonal_average"}
    assert (found.wape < found.wape_naive).mean() > 0.95
    assert found.mase.mean() < 0.85
    last_value = np.abs(rows[:, -28:] - rows[:, -29:-28]).sum() / rows[:, -28:].sum()
    assert found.wape.mean() < 0.6 * last_value, "against repeating the last day"


def test_what_was_forecast_comes_true_within_the_quantiles() -> None:
    rows = simulated(3, 60)
    later = np.random.default_rng(4).poisson(20 * np.tile([0.5, 0.5, 0.7, 0.8, 1.0, 2.0, 1.5], 4), (60, 28))
    later = np.roll(later, -(forecast.DAYS % 7), axis=1)
    found = forecast.forecast(rows, forecast.demand(rows).kind)
    inside = (later >= found.quantiles[0]) & (later <= found.quantiles[2])
    assert 0.72 < inside.mean() < 0.9


def test_errors_are_those_of_a_loop_over_origins() -> None:
    draw = np.random.default_rng(11)
    y = draw.poisson(6, forecast.DAYS).astype(float)
    rows = history(list(y))
    found = forecast.forecast(rows, np.array([0]))
    errors, scaled = [], []
    for fold in range(1, forecast.FOLDS + 1):
        origin = forecast.DAYS - 28 * fold
        flat = y[origin - 28 : origin].mean()
        week = np.mean(y[origin - 56 : origin].reshape(8, 7), axis=0)
        expected = {"moving_average": np.full(28, flat), "seasonal_average": np.tile(week, 4)}
        off = np.abs(y[origin : origin + 28] - expected[forecast.METHODS[found.method[0]]])
        errors.append(off)
        scaled.append(off.mean() / np.abs(y[7:origin] - y[: origin - 7]).mean())
    assert found.wape[0] == pytest.approx(np.sum(errors) / y[-112:].sum())
    assert found.mase[0] == pytest.approx(np.mean(scaled))


def test_a_young_series_is_forecast_but_not_tested() -> None:
    found = forecast.forecast(history([4.0] * 10, [4.0] * 90), np.array([0, 0]))
    assert found.folds.tolist() == [0, 1]
    assert forecast.METHODS[found.method[0]] == "moving_average"
    assert found.y[0].tolist() == [4.0] * 28
    assert np.isnan(found.quantiles[:, 0]).all()
    assert np.isnan(found.wape[0])
    assert found.quantiles[1, 1].tolist() == [4.0] * 28


def test_quantiles_are_those_of_numpy() -> None:
    errors = np.random.default_rng(5).normal(size=(3, 112))
    errors[1, 28:] = np.nan
    found = forecast._quantiles(errors)
    assert found[:, 0] == pytest.approx(np.quantile(errors[0], [0.1, 0.5, 0.9]))
    assert found[:, 1] == pytest.approx(np.quantile(errors[1, :28], [0.1, 0.5, 0.9]))


def test_the_table_has_28_days_of_every_series() -> None:
    rows = [*daily_lines([2] * 200), *daily_lines([0] * 50 + [1], article="shop:3")]
    found = table(FORECAST, inputs(rows))
    total = series(found, "total", "all")
    assert total["date"].to_list() == [AS_OF + timedelta(days=step) for step in range(1, 29)]
    assert total["horizon"].to_list() == list(range(1, 29))
    wanted = series(found, "article", "shop:1").row(0, named=True)
    assert (wanted["forecast"], wanted["method"], wanted["demand_class"]) == (2.0, "seasonal_naive", "smooth")
    assert (wanted["forecast_q10"], wanted["forecast_q90"], wanted["wape"]) == (2.0, 2.0, 0.0)
    assert found.group_by("level", "series_id").len()["len"].unique().to_list() == [28]


def test_weekdays_of_the_forecast_are_those_of_the_sales() -> None:
    """A shop that sells on Saturdays only, whatever the weekday of `as_of`."""
    saturdays = [date(2026, 6, 27) - timedelta(days=7 * week) for week in range(80)]
    rows = [line(day) for day in saturdays for _ in range(5)] + [line(AS_OF - timedelta(1), "shop:3")]
    for shift in range(7):
        scope = SCOPE.__class__("acme", AS_OF - timedelta(days=shift), SCOPE.timezone, "VND")
        frames = inputs([row for row in rows if row["purchased_on"] <= scope.as_of])
        found = pl.read_parquet(built(FORECAST, frames, scope).files["series.parquet"])
        assert series(found, "total", "all").row(0, named=True)["weekday_index_5"] > 6.9


def test_series_parquet_says_what_kind_of_demand_each_is() -> None:
    found = pl.read_parquet(built(FORECAST, inputs(daily_lines([2, 0, 0, 0] * 60))).files["series.parquet"])
    one = series(found, "article", "shop:1").row(0, named=True)
    assert (one["demand_class"], one["method"], one["folds"]) == ("intermittent", "croston_sba", 4)
    assert one["adi"] == pytest.approx(4.0)
