"""Customer value of dataset C: parameters that are known are found, who has left is told, expectations come true."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.stats import beta, rankdata

from cdp_assets.datasets.customers import btyd, clv
from cdp_assets.datasets.customers.btyd import (
    BgNbd,
    GammaGamma,
    NotFitted,
    Vector,
    fit_bg_nbd,
    fit_gamma_gamma,
)
from cdp_assets.datasets.customers.build import build, snapshot
from cdp_assets.datasets.customers.people import numbered
from cdp_assets.demo.draw import draw_model
from cdp_assets.demo.model import WORLD_END
from cdp_assets.demo.sizes import size_named, tenant_spec
from tests.customers_support import AS_OF, SCOPE, ago, features_of, frames, line, person, random_rows


@dataclass
class Simulated:
    """Customers of a world that is as the model says; the truth about each."""

    x: Vector
    t_x: Vector
    t: Vector
    alive: np.ndarray
    later: np.ndarray
    """Purchases in the 180 days after."""

    @property
    def seen(self) -> tuple[Vector, Vector, Vector]:
        return self.x, self.t_x, self.t


def simulate(model: BgNbd, customers: int, seed: int, days: float = 700.0) -> Simulated:
    rng = np.random.default_rng(seed)
    rate = rng.gamma(model.r, 1 / model.alpha, customers)
    leaves = rng.beta(model.a, model.b, customers)
    t = rng.uniform(days * 0.4, days, customers)
    found = Simulated(*np.zeros((2, customers)), t, np.ones(customers, bool), np.zeros(customers))
    here = np.ones(customers, bool)
    if model.after_first:
        here = rng.uniform(size=customers) >= leaves
        found.alive &= here
    clock = np.zeros(customers)
    while here.any():
        clock += rng.exponential(1 / rate)
        seen, later = here & (clock <= t), here & (clock > t) & (clock <= t + 180)
        found.x += seen
        found.t_x[seen] = clock[seen]
        found.later += later
        left = (seen | later) & (rng.uniform(size=customers) < leaves)
        found.alive &= ~(left & seen)
        here &= (clock <= t + 180) & ~left
    return found


def auc(truth: np.ndarray, chance: Vector) -> float:
    """Chance that somebody of whom it is true is ranked above somebody of whom it is not."""
    ranks = rankdata(chance)
    yes, no = int(truth.sum()), int((~truth).sum())
    return float((ranks[truth].sum() - yes * (yes + 1) / 2) / (yes * no))


KNOWN = BgNbd(0.6, 20.0, 0.8, 2.5)


@pytest.fixture(scope="module")
def world() -> Simulated:
    return simulate(KNOWN, 5_000, seed=1)


# -- models ------------------------------------------------------------------------------------------------------------


def test_bg_nbd_finds_the_parameters_of_5_000_simulated_customers(world: Simulated) -> None:
    found = fit_bg_nbd(*world.seen, np.ones_like(world.x))
    assert not found.after_first
    assert found.r == pytest.approx(0.6, rel=0.10)
    assert found.alpha == pytest.approx(20.0, rel=0.12)
    # a and b trade against each other: the mean chance to leave is what the purchases tell
    assert found.a / (found.a + found.b) == pytest.approx(0.8 / 3.3, rel=0.10)
    assert found.a == pytest.approx(0.8, rel=0.25)
    assert found.b == pytest.approx(2.5, rel=0.35)


def test_customers_who_may_leave_after_the_first_purchase_are_recognised() -> None:
    truth = BgNbd(0.6, 20.0, 0.8, 2.5, after_first=True)
    simulated = simulate(truth, 5_000, seed=2)
    found = fit_bg_nbd(*simulated.seen, np.ones_like(simulated.x))
    assert found.after_first
    assert found.r == pytest.approx(0.6, rel=0.15)
    assert found.a / (found.a + found.b) == pytest.approx(0.8 / 3.3, rel=0.10)
    chance = found.p_alive(*simulated.seen)
    once = simulated.x == 0
    assert chance[once].mean() == pytest.approx(simulated.alive[once].mean(), abs=0.05)


@pytest.mark.parametrize("seed", [4, 14])
def test_the_search_does_not_end_on_the_ridge_that_is_near(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chances to leave that are near 0 or near 1 (a and b below 1): from one start all seem alike."""
    truth = BgNbd(2.9, 350.0, 0.05, 0.28, after_first=True)
    seen = (*simulate(truth, 400, seed).seen, np.ones(400))
    found = fit_bg_nbd(*seen)
    assert found.b < 1
    monkeypatch.setattr(btyd, "STARTS", btyd.STARTS[:1])
    near = fit_bg_nbd(*seen)
    assert near.b > 5

    def loss(model: BgNbd) -> float:
        logs = np.log([model.r, model.alpha, model.a, model.b])
        return 400 * btyd._cost_of(*seen, model.after_first)(logs)[0]

    assert loss(found) < loss(near) - 3


def test_many_histories_give_what_all_of_them_say(world: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = (*world.seen, np.ones_like(world.x))
    whole = fit_bg_nbd(*seen)
    monkeypatch.setattr(btyd, "MAX_SEARCHED", 700)
    found = fit_bg_nbd(*seen)
    assert [found.r, found.alpha, found.a, found.b] == pytest.approx(
        [whole.r, whole.alpha, whole.a, whole.b], rel=1e-3
    )


def test_parameters_on_a_bound_are_named() -> None:
    low, high = (math.exp(bound) for bound in btyd.LOG_BOUNDS)
    assert KNOWN.on_bounds == {}
    assert BgNbd(0.6, 20.0, low, high).on_bounds == {"a": low, "b": high}
    assert BgNbd(low, high, 1.0, 1.0).on_bounds == {"r": low, "alpha": high}


def test_the_chance_to_be_alive_tells_the_living_from_the_lost(world: Simulated) -> None:
    model = fit_bg_nbd(*world.seen, np.ones_like(world.x))
    chance = model.p_alive(*world.seen)
    assert ((chance >= 0) & (chance <= 1)).all()
    assert (chance[world.x == 0] == 1).all()
    again = world.x > 0
    assert auc(world.alive, chance) > 0.85
    assert auc(world.alive[again], chance[again]) > 0.85
    # of those with a chance of about 70 %, about 70 % live
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        group = again & (chance >= low) & (chance < low + 0.2)
        assert world.alive[group].mean() == pytest.approx(chance[group].mean(), abs=0.08)


def test_expected_purchases_come_true(world: Simulated) -> None:
    model = fit_bg_nbd(*world.seen, np.ones_like(world.x))
    expected = model.expected(180, *world.seen)
    assert expected.sum() == pytest.approx(world.later.sum(), rel=0.05)
    for low, high in ((0, 0), (1, 2), (3, 6), (7, 99)):
        group = (world.x >= low) & (world.x <= high)
        assert expected[group].mean() == pytest.approx(world.later[group].mean(), rel=0.15)


@pytest.mark.parametrize("after_first", [False, True])
@pytest.mark.parametrize("a", [0.3, 0.999_999_9, 1.0, 1.000_000_1, 1.01, 4.0])
def test_the_expectation_is_the_integral_that_it_stands_for(a: float, after_first: bool) -> None:
    """While alive: p is Beta(a, b + chances), purchases in d days are (1 - (1 + p d / (alpha + t))^-(r + x)) / p."""
    model = BgNbd(0.6, 20.0, a, 2.5, after_first)
    for x, t_x, t, days in (
        (0, 0, 0, 30),
        (0, 0, 400, 180),
        (1, 9, 300, 90),
        (7, 200, 210, 180),
        (90, 600, 650, 30),
    ):
        posterior = beta(a, model.b + x + after_first)

        def purchases(p: float, k: float = model.r + x, z: float = days / (model.alpha + t)) -> float:
            return -np.expm1(-k * np.log1p(p * z)) / p

        integral = quad(lambda p, f=purchases, q=posterior: f(p) * q.pdf(p), 0, 1, limit=400)[0]
        history = [np.array([float(value)]) for value in (x, t_x, t)]
        expected = integral * model.p_alive(*history)[0]
        assert model.expected(days, *history)[0] == pytest.approx(expected, rel=1e-4)


def test_extreme_histories_give_finite_numbers() -> None:
    x, t_x, t = (
        np.array(values, float) for values in ([0, 1, 500, 3000], [0, 0, 1, 2999], [0, 9000, 9000, 3000])
    )
    for model in (KNOWN, BgNbd(0.001, 0.001, 8_000.0, 0.001), BgNbd(50.0, 0.5, 0.001, 8_000.0, True)):
        chance, expected = model.p_alive(x, t_x, t), model.expected(180, x, t_x, t)
        assert np.isfinite(chance).all()
        assert ((chance >= 0) & (chance <= 1)).all()
        assert np.isfinite(expected).all()
        assert (expected >= 0).all()


def test_gamma_gamma_finds_the_parameters_whatever_the_unit_of_money() -> None:
    rng = np.random.default_rng(3)
    purchases = rng.integers(1, 12, 5_000).astype(float)
    nu = rng.gamma(4.0, 1 / 15.0, 5_000)
    mean = rng.gamma(6.0 * purchases, 1 / (nu * purchases))
    for unit in (1.0, 25_000.0):
        found = fit_gamma_gamma(purchases, mean * unit)
        assert found.p == pytest.approx(6.0, rel=0.15)
        assert found.q == pytest.approx(4.0, rel=0.15)
        assert found.gamma == pytest.approx(15.0 * unit, rel=0.25)
        everybody = found.expected(np.zeros(1), np.zeros(1))[0]
        assert everybody == pytest.approx(6 * 15 / 3 * unit, rel=0.05)


def test_the_more_purchases_the_closer_is_the_expected_value_to_their_mean() -> None:
    model = GammaGamma(6.0, 4.0, 15.0)
    found = model.expected(np.array([0.0, 1.0, 5.0, 50.0]), np.full(4, 90.0))
    assert found[0] == pytest.approx(30.0)
    assert (np.diff(found) > 0).all()
    assert found[3] == pytest.approx(90.0, rel=0.02)


def test_without_repeat_purchases_nothing_is_fitted() -> None:
    zero = np.zeros(50)
    with pytest.raises(NotFitted, match="second day"):
        fit_bg_nbd(zero, zero, zero + 10, zero + 1)


# -- of purchases ------------------------------------------------------------------------------------------------------


def histories_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    world = numbered(frames(purchases=rows))
    histories = snapshot(world, SCOPE).histories.join(world.ids, "customer")
    return {row["customer_id"]: row for row in histories.iter_rows(named=True)}


def test_orders_of_one_day_are_one_purchase_and_the_first_day_is_not_counted() -> None:
    rows = [
        line("a", ago(100), 50), line("a", ago(100, 15), 60),
        line("a", ago(40), 10), line("a", ago(40, 9), 30, order="second of the day"),
        line("a", ago(10), 80), line("a", ago(5), 999, currency="USD"), line("a", ago(2), -40),
    ]  # fmt: skip
    (found,) = histories_of(rows).values()
    assert (found["x"], found["t_x"], found["t"]) == (3, 95, 100)
    assert (found["n"], found["value"]) == (2, 60)


def test_repeat_purchases_are_the_days_with_an_order_after_the_first() -> None:
    rows = random_rows(12)["purchases"]
    features = features_of(purchases=rows)
    assert {customer: seen["x"] + 1 for customer, seen in histories_of(rows).items()} == {
        customer: row["order_days"] for customer, row in features.items() if row["order_days"]
    }


def shop(seed: int = 4, customers: int = 300) -> list[dict[str, Any]]:
    """Purchases of customers with rates and values of their own, over two years."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        start, rate, value = int(rng.integers(0, 700)), rng.gamma(0.8, 1 / 60.0), rng.gamma(5.0, 20.0)
        days = {start} | {
            int(start - day) for day in np.cumsum(rng.exponential(1 / rate, 40)) if day <= start
        }
        rows += [line(f"c{number}", ago(day), int(rng.gamma(8.0, value / 8)) + 1) for day in days]
    return rows


def test_columns_of_customer_value_are_what_the_models_say() -> None:
    rows = shop()
    built = build(SCOPE, **frames(purchases=rows, customers=[person("prospect")]))
    table = {row["customer_id"]: row for row in built.table.iter_rows(named=True)}
    told = json.loads(built.files["btyd.json"])["now"]
    model = BgNbd(told["r"], told["alpha"], told["a"], told["b"], told["model"].startswith("mbg"))
    values = GammaGamma(told["p"], told["q"], told["gamma"])
    for customer, seen in list(histories_of(rows).items())[:25]:
        history = [np.array([seen[name]]) for name in ("x", "t_x", "t")]
        row = table[customer]
        by_month = [0.0, *(model.expected(30 * month, *history)[0] for month in range(1, 7))]
        spend = values.expected(np.array([seen["n"]]), np.array([seen["value"]]))[0]
        worth = sum((by_month[m] - by_month[m - 1]) * spend / 1.01**m for m in range(1, 7))
        assert row["p_alive"] == pytest.approx(model.p_alive(*history)[0])
        assert [row[f"expected_purchases_{days}"] for days in (30, 90, 180)] == pytest.approx(
            [by_month[1], by_month[3], by_month[6]]
        )
        assert row["expected_spend"] == pytest.approx(spend)
        assert row["clv_180"] == pytest.approx(worth)
        assert row["lifetime_value_estimate"] == pytest.approx(float(row["total_amount_spent"]) + worth)
        assert row["model_version"] == told["model"]
    assert all(table["prospect"][name] is None for name in ("p_alive", "clv_180", "lifetime_value_estimate"))


def test_purchases_in_another_currency_are_expected_but_not_valued() -> None:
    rows = shop(5)
    abroad = [{**row, "currency": "USD"} if row["customer_id"].endswith("7") else row for row in rows]
    home, away = features_of(purchases=rows), features_of(purchases=abroad)
    assert away["c17"]["expected_purchases_180"] == home["c17"]["expected_purchases_180"]
    assert away["c17"]["clv_180"] < home["c17"]["clv_180"]
    total = sum(row["clv_180"] for row in home.values())
    assert 0.8 * total < sum(row["clv_180"] for row in away.values()) < 0.97 * total


def test_too_few_repeat_buyers_leave_the_columns_empty_and_say_so() -> None:
    rows = [line(f"c{n}", ago(day)) for n in range(clv.MIN_REPEATERS - 1) for day in (3, 50)]
    built = build(SCOPE, **frames(purchases=rows))
    assert built.numbers["btyd_model"] == "none"
    assert "29 customers have bought again, 30 are needed" in str(built.numbers["btyd_why"])
    assert built.table["p_alive"].null_count() == built.table.height
    assert built.table["model_version"].null_count() == built.table.height


def test_the_back_test_compares_the_model_of_60_days_ago_with_what_came() -> None:
    rows = shop()
    built = build(SCOPE, **frames(purchases=rows))
    found = json.loads(built.files["btyd.json"])["backtest"]
    then = AS_OF - timedelta(days=60)
    days = {(row["customer_id"], row["purchased_at"].date()) for row in rows}
    before = {customer for customer, day in days if day <= then}
    assert found["customers"] == len(before) == sum(group["customers"] for group in found["bins"])
    assert found["actual"] == sum(day > then and customer in before for customer, day in days)
    assert found["predicted"] == pytest.approx(found["actual"], rel=0.3)
    assert found["mae"] < found["mae_mean_rate"]
    assert built.numbers["backtest_predicted"] == found["predicted"]


def test_p_alive_tells_who_has_left_in_the_demo_world() -> None:
    """The demo's people quit on a day of their own, of which no source tells: 12 in 100 buyers have."""
    model = draw_model(tenant_spec("acme-demo"), size_named("small"), 7)
    rows, quits = [], {}
    for purchase in model.purchases:
        who = purchase.profile.winner.person
        quits[str(who.number)] = who.quits
        status = "cancelled" if purchase.status in {"cancelled", "refunded", "pending"} else "completed"
        rows += [
            line(str(who.number), purchase.at, row.price * row.quantity, order=purchase.order_id, status=status,
                 currency=purchase.currency)
            for row in purchase.lines
        ]  # fmt: skip
    table = build(SCOPE, **frames(purchases=rows)).table.filter(pl.col("p_alive").is_not_null())
    alive = np.array([quits[customer] >= WORLD_END for customer in table["customer_id"]])
    chance = table["p_alive"].to_numpy()
    again = (table["order_days"] > 1).to_numpy()
    assert table.height > 300
    assert 0.05 < (~alive).mean() < 0.3
    assert auc(alive, chance) > 0.8
    assert auc(alive[again], chance[again]) > 0.8
