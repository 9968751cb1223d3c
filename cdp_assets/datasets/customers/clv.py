"""Customer value: from days of purchase to the columns of BG/NBD and Gamma-Gamma, and whether they hold afterwards.

Belongs here: which purchases the models see (days with an order, whatever the currency; values of the main currency),
the columns, the discount, and the back-test. Does not belong here: the models themselves (`btyd`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cdp_assets.datasets.customers.behaviour import smoothed
from cdp_assets.datasets.customers.btyd import (
    BgNbd,
    GammaGamma,
    NotFitted,
    Vector,
    fit_bg_nbd,
    fit_gamma_gamma,
)
from cdp_assets.datasets.customers.purchases import Sales
from cdp_assets.datasets.model import Scope

HORIZONS = (30, 90, 180)
MONTH_DAYS = 30
MONTHLY_DISCOUNT = 0.01

MIN_REPEATERS = 30
"""Customers with a second day of purchase (and a value of it) below which seven parameters are guesswork."""

CURRENCY_PRIOR = 2
"""Purchases that the tenant's own share of the main currency counts for in a customer's: most have one to three."""

FREQUENCY_BINS = (0, 1, 2, 3, 5)
"""Lower ends of the bins of repeat purchases by which the back-test is told."""


@dataclass(frozen=True, slots=True)
class Model:
    """What was fitted.

    Attributes:
        correlation: of frequency and mean value among repeat buyers; Gamma-Gamma takes it for 0.
    """

    purchases: BgNbd
    values: GammaGamma
    correlation: float

    @property
    def name(self) -> str:
        """Which models these are, for `model_version`."""
        return f"{self.purchases.name}+gamma-gamma"

    @property
    def parameters(self) -> dict[str, float]:
        """By the names of the papers; alpha in days, gamma in the main currency."""
        bought, values = self.purchases, self.values
        return {
            "r": bought.r, "alpha": bought.alpha, "a": bought.a, "b": bought.b,
            "p": values.p, "q": values.q, "gamma": values.gamma,
        }  # fmt: skip


def histories(scope: Scope, sales: Sales) -> pl.DataFrame:
    """One row per customer with an order: what the models look at.

    `x`, `t_x`, `t` in days; `n` and mean `value` of the repeat days with a value in the main currency; `in_currency`,
    the share of days that have one, smoothed. Orders of one day are one purchase; the first day starts the clock and
    is not counted.
    """
    day = pl.col("day")
    paid = pl.col("value") > 0
    valued = pl.col("is_later") & paid
    return (
        sales.days.group_by("customer", maintain_order=True)
        .agg(
            (pl.len() - 1).cast(pl.Float64).alias("x"),
            (day.last() - day.first()).dt.total_days().cast(pl.Float64).alias("t_x"),
            (pl.lit(scope.as_of) - day.first()).dt.total_days().cast(pl.Float64).alias("t"),
            valued.sum().cast(pl.Float64).alias("n"),
            paid.sum().cast(pl.Int64).alias("paid"),
            pl.when(valued).then(pl.col("value")).sum().cast(pl.Float64).alias("value"),
        )
        .with_columns(
            pl.when(pl.col("n") > 0).then(pl.col("value") / pl.col("n")).otherwise(0.0).alias("value"),
            smoothed(pl.col("paid"), pl.col("x") + 1, CURRENCY_PRIOR).alias("in_currency"),
        )
        .drop("paid")
    )


def fit(histories: pl.DataFrame) -> Model:
    """Both models on all customers with an order.

    Raises:
        NotFitted: fewer than `MIN_REPEATERS` customers tell of repeat purchases and their values, or what they tell
            cannot be reckoned with.
    """
    valued = histories.filter(pl.col("n") > 0).sort("n", "value")
    if valued.height < MIN_REPEATERS:
        raise NotFitted(f"{valued.height} customers have bought again, {MIN_REPEATERS} are needed")
    # equal histories are one row with a weight: a year of customers with one order is 365 rows
    alike = histories.group_by("x", "t_x", "t").agg(pl.len().alias("weight")).sort("x", "t_x", "t")
    n, value = valued["n"].to_numpy(), valued["value"].to_numpy()
    spread = n.std() * value.std()
    correlation = float(((n - n.mean()) * (value - value.mean())).mean() / spread) if spread else 0.0
    model = Model(
        fit_bg_nbd(*_arrays(alike, "x", "t_x", "t", "weight")), fit_gamma_gamma(n, value), correlation
    )
    if not np.isfinite(model.purchases.expected(HORIZONS[-1], *_arrays(alike, "x", "t_x", "t"))).all():
        raise NotFitted(f"expectations are not finite under {model.parameters}")
    return model


def columns(model: Model | None, histories: pl.DataFrame) -> pl.DataFrame:
    """One row per customer with an order: chance to be alive, purchases and value to come; null without a model.

    `clv_180` = sum over six months of 30 days of (purchases expected in the month) * (share of the main currency) *
    (expected value of a purchase in it) / 1.01^month.
    """
    if model is None:
        names = [
            "p_alive",
            *map("expected_purchases_{}".format, HORIZONS),
            "expected_spend",
            "clv_180",
            "model_version",
        ]
        return histories.select("customer", *(pl.lit(None).alias(name) for name in names))
    x, t_x, t, n, value, in_currency = _arrays(histories, "x", "t_x", "t", "n", "value", "in_currency")
    months = range(1, HORIZONS[-1] // MONTH_DAYS + 1)
    by_end = {month * MONTH_DAYS: model.purchases.expected(month * MONTH_DAYS, x, t_x, t) for month in months}
    spend = model.values.expected(n, value)
    in_month = np.diff(np.stack([np.zeros_like(x), *by_end.values()]), axis=0)
    discounted = in_month / (1 + MONTHLY_DISCOUNT) ** np.arange(1.0, len(in_month) + 1)[:, None]
    return histories.select(
        "customer",
        pl.Series("p_alive", model.purchases.p_alive(x, t_x, t)),
        *(pl.Series(f"expected_purchases_{days}", by_end[days]) for days in HORIZONS),
        pl.Series("expected_spend", spend),
        pl.Series("clv_180", discounted.sum(axis=0) * in_currency * spend),
        pl.lit(model.name).alias("model_version"),
    )


def backtest(model: Model, before: pl.DataFrame, days: int, actual: pl.DataFrame) -> dict[str, Any]:
    """What the model of an earlier day said of the days since, against what came.

    Args:
        model: fitted on that day.
        before: histories at that day.
        days: since then.
        actual: `customer_id`, `purchases` (days with an order since then) of who bought.

    Returns:
        `customers`, `predicted` and `actual` purchases in total, mean absolute errors of the model (`mae`) and of
        everyone's mean rate (`mae_mean_rate`), and per bin of repeat purchases customers and means (`bins`).
    """
    x, t_x, t = _arrays(before, "x", "t_x", "t")
    found = before.select("customer", "x").join(actual, "customer", "left", maintain_order="left")
    came = found["purchases"].fill_null(0).to_numpy().astype(np.float64)
    said = model.purchases.expected(days, x, t_x, t)
    mean_rate = x.sum() / max(t.sum(), 1.0) * days
    place = np.searchsorted(np.array(FREQUENCY_BINS), x, side="right") - 1
    return {
        "customers": len(x),
        "predicted": float(said.sum()),
        "actual": float(came.sum()),
        "mae": float(np.abs(said - came).mean()),
        "mae_mean_rate": float(np.abs(mean_rate - came).mean()),
        "bins": [
            {
                "repeat_purchases_from": low,
                "customers": int((place == at).sum()),
                "predicted_mean": float(said[place == at].mean()),
                "actual_mean": float(came[place == at].mean()),
            }
            for at, low in enumerate(FREQUENCY_BINS)
            if (place == at).any()
        ],
    }


def _arrays(frame: pl.DataFrame, *names: str) -> tuple[Vector, ...]:
    return tuple(frame[name].cast(pl.Float64).to_numpy() for name in names)
