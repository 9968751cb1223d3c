"""Baseline forecasts and their back-test: what any better model has to beat.

Belongs here: matrices of series by days (floats; NaN before a series begins) and what is computed of them. Does not
belong here: frames, tables and keys (`build`). Four methods, all without parameters to tune: `seasonal_naive` (the
last week again), `moving_average` (mean of 28 days), `seasonal_average` (mean of the same weekday of 8 weeks),
`croston_sba` (Syntetos and Boylan's correction of Croston's method, for demand that comes now and then).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

HORIZON = 28
WEEK = 7
MEAN_DAYS = 28
SEASON_WEEKS = 8
ALPHA = 0.1
"""Croston's smoothing of sizes and intervals; 0.05 to 0.2 is customary."""

FOLDS = 4
"""Origins of the back-test, a horizon apart: the last 112 days."""

MIN_HISTORY = SEASON_WEEKS * WEEK
"""Days before an origin that a series must have to be tested at it."""

CLASS_DAYS = 364
DAYS = CLASS_DAYS + FOLDS * HORIZON
"""Columns of a matrix that are looked at: a year before the first origin."""

METHODS = ("seasonal_naive", "moving_average", "seasonal_average", "croston_sba")
SEASONAL_NAIVE, MOVING_AVERAGE, SEASONAL_AVERAGE, CROSTON_SBA = range(len(METHODS))

MAX_ADI, MAX_CV2 = 1.32, 0.49
"""Cut-offs of Syntetos, Boylan and Croston (2005)."""

CLASSES = ("smooth", "erratic", "intermittent", "lumpy", "none")


def mean(values: Matrix, axis: int | tuple[int, ...]) -> Matrix:
    """Mean of what is there; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    found: Matrix = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
    return found


def ratio(above: Matrix, below: Matrix) -> Matrix:
    """One over the other; NaN where that says nothing."""
    found: Matrix = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
    return found


def _repeat(week: Matrix) -> Matrix:
    """A week for every week of the horizon."""
    return np.tile(week, (1, HORIZON // WEEK))


def croston_sba(history: Matrix, origins: list[int]) -> dict[int, Matrix]:
    """Demand per day as known at each origin (number of columns known), of every series; 0 before any demand.

    (1 - alpha / 2) * size / interval, both smoothed over the days with demand. Two departures from the books, both for
    articles that sell a few times a year, of which a level would else forecast three times its total: the first ten
    values count alike (weight 1/k until that is below alpha) rather than the first for ever, and an interval is at
    least the days since the last demand. One pass over the days, all series at once.
    """
    series = history.shape[0]
    size, interval = np.zeros(series), np.zeros(series)
    since, times = np.zeros(series), np.zeros(series)
    found = {}
    for day in range(max(origins)):
        y = history[:, day]
        sold = y > 0
        since += ~np.isnan(y)
        # the days before the first demand tell nothing: a series begins with it, or was cut off
        gap = sold & (times > 0)
        interval += np.where(gap, (since - interval) * np.maximum(ALPHA, 1 / np.maximum(times, 1)), 0.0)
        times += sold
        size += np.where(sold, (y - size) * np.maximum(ALPHA, 1 / np.maximum(times, 1)), 0.0)
        since[sold] = 0.0
        if day + 1 in origins:
            expected = np.maximum(np.maximum(interval, since), 1.0)
            found[day + 1] = np.where(times > 0, (1 - ALPHA / 2) * size / expected, 0.0)
    return found


def forecasts(history: Matrix, croston: Matrix) -> Matrix:
    """What each method says of the days after the last column. Shape: methods, series, horizon."""
    weeks = history[:, -SEASON_WEEKS * WEEK :].reshape(history.shape[0], SEASON_WEEKS, WEEK)
    flat = np.ones((1, HORIZON))
    return np.stack(
        [
            _repeat(history[:, -WEEK:]),
            mean(history[:, -MEAN_DAYS:], 1)[:, None] * flat,
            _repeat(mean(weeks, 1)),
            croston[:, None] * flat,
        ]
    )


@dataclass(frozen=True)
class Demand:
    """How each series sells, over its last `CLASS_DAYS` days.

    Attributes:
        adi: average interval between days with demand: days / days with demand. NaN without demand.
        cv2: squared coefficient of variation of the sizes on days with demand.
        kind: index into `CLASSES`.
        weekday_index: mean of a weekday / mean of all days over 8 weeks; column 0 is the weekday of the day after the
            last. NaN where nothing was sold.
    """

    adi: Matrix
    cv2: Matrix
    kind: npt.NDArray[np.int64]
    weekday_index: Matrix


def demand(history: Matrix) -> Demand:
    """Demand classes by Syntetos, Boylan and Croston, and the weekday profile."""
    year = history[:, -CLASS_DAYS:]
    sizes = np.where(year > 0, year, np.nan)
    days, sold = (~np.isnan(year)).sum(axis=1), (~np.isnan(sizes)).sum(axis=1)
    adi = ratio(days.astype(float), sold.astype(float))
    size = mean(sizes, 1)
    cv2 = ratio(mean((sizes - size[:, None]) ** 2, 1), size**2)
    kind = np.where(sold == 0, 4, 2 * (adi >= MAX_ADI) + (cv2 >= MAX_CV2))
    recent = history[:, -SEASON_WEEKS * WEEK :]
    profile = mean(recent.reshape(-1, SEASON_WEEKS, WEEK), 1)
    return Demand(adi, cv2, kind, ratio(profile, np.repeat(mean(recent, 1)[:, None], WEEK, axis=1)))


@dataclass(frozen=True)
class Forecast:
    """What the chosen method of each series says, and how it did in the back-test.

    Attributes:
        y: shape (series, horizon); never negative.
        quantiles: 10, 50 and 90 %: `y` plus the quantiles of the method's errors in the back-test, not below 0. Shape
            (3, series, horizon); NaN for a series too young to be tested.
        method: index into `METHODS`.
        folds: origins at which the series was tested.
        mase: mean absolute error / that of repeating the week before, within the days before the origin (Hyndman and
            Koehler 2006, season 7); mean over the folds.
        wape: sum of absolute errors / sum of what was sold.
        wape_naive: the same of `seasonal_naive`.
    """

    y: Matrix
    quantiles: Matrix
    method: npt.NDArray[np.int64]
    folds: npt.NDArray[np.int64]
    mase: Matrix
    wape: Matrix
    wape_naive: Matrix


def forecast(history: Matrix, kind: npt.NDArray[np.int64]) -> Forecast:
    """Forecast of `HORIZON` days after the last column of `history` (series by at least `DAYS` days).

    Demand that comes now and then is croston_sba's: its mean is what a planner needs, and an absolute error would
    always prefer to forecast nothing. Of the others each takes the method with the least absolute error in the
    back-test; one too young to be tested takes the moving average. The error reported is that of the choice, hence a
    little flattered.
    """
    end = history.shape[1]
    origins = [end - HORIZON * fold for fold in range(FOLDS, 0, -1)]
    croston = croston_sba(history, [*origins, end])
    errors = np.full((FOLDS, len(METHODS), history.shape[0], HORIZON), np.nan)
    actual = np.full((FOLDS, history.shape[0], HORIZON), np.nan)
    scale = np.full((FOLDS, history.shape[0]), np.nan)
    for fold, origin in enumerate(origins):
        known = history[:, :origin]
        tested = ~np.isnan(history[:, origin - MIN_HISTORY])
        actual[fold] = np.where(tested[:, None], history[:, origin : origin + HORIZON], np.nan)
        errors[fold] = actual[fold] - forecasts(known, croston[origin])
        scale[fold] = mean(np.abs(known[:, WEEK:] - known[:, :-WEEK]), 1)
    method = _choice(mean(np.abs(errors), (0, 3)), kind)
    every = np.arange(history.shape[0])
    of_choice = errors[:, method, every]
    y = np.maximum(forecasts(history, croston[end])[method, every], 0.0)
    pooled = np.moveaxis(of_choice, 1, 0).reshape(history.shape[0], FOLDS * HORIZON)
    spread = _quantiles(pooled)
    sold = np.nansum(actual, axis=(0, 2))
    naive = errors[:, SEASONAL_NAIVE]
    return Forecast(
        y,
        np.maximum(y[None] + spread[:, :, None], 0.0),
        method,
        (~np.isnan(scale) & ~np.isnan(actual[:, :, 0])).sum(axis=0),
        mean(ratio(mean(np.abs(of_choice), 2), scale), 0),
        ratio(np.nansum(np.abs(of_choice), axis=(0, 2)), sold),
        ratio(np.nansum(np.abs(naive), axis=(0, 2)), sold),
    )


def _choice(error: Matrix, kind: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Method of each series; `error` by method and series. Of equal errors the first method is taken."""
    regular = np.where(np.isnan(error), np.inf, error)[:CROSTON_SBA]
    best = np.where(np.isfinite(regular).any(axis=0), regular.argmin(axis=0), MOVING_AVERAGE)
    found: npt.NDArray[np.int64] = np.where((kind == 2) | (kind == 3), CROSTON_SBA, best)
    return found


def _quantiles(errors: Matrix) -> Matrix:
    """10, 50 and 90 % of each row, interpolated; NaN for a row without errors. Shape (3, rows)."""
    count = (~np.isnan(errors)).sum(axis=1)
    ordered = np.sort(errors, axis=1)
    found = np.full((3, errors.shape[0]), np.nan)
    rows = np.flatnonzero(count)
    for place, share in enumerate((0.1, 0.5, 0.9)):
        exact = share * (count[rows] - 1)
        low = np.floor(exact).astype(int)
        high = np.minimum(low + 1, count[rows] - 1)
        below, above = ordered[rows, low], ordered[rows, high]
        found[place, rows] = below + (above - below) * (exact - low)
    return found
