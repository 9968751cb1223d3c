"""From canonical rows to one row per customer, and the files beside the table.

Belongs here: which rows are known at a day, and putting the topics together. The topics are modules of their own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from cdp_assets.datasets.customers import behaviour, churn, clv, preferences, purchases
from cdp_assets.datasets.customers.btyd import NotFitted
from cdp_assets.datasets.customers.contract import CustomerFeatures
from cdp_assets.datasets.customers.people import World, known, numbered, people
from cdp_assets.datasets.customers.purchases import Sales
from cdp_assets.datasets.customers.rfm import PROSPECT, thresholds, with_rfm
from cdp_assets.datasets.customers.windows import age, trend
from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.model import Built, Frames, Scope
from cdp_assets.datasets.sales import placed

_COLUMNS = tuple(CustomerFeatures.columns())

ACTIVE_DAYS = 90
"""A customer who bought or came within so many days is active."""


@dataclass(frozen=True)
class Snapshot:
    """What was known at the end of a day.

    Attributes:
        inputs: rows of each input.
        model: of purchases to come; None where too few customers have bought again, which `why` says.
    """

    scope: Scope
    inputs: Frames
    sales: Sales
    histories: pl.DataFrame
    model: clv.Model | None
    why: str

    @property
    def told(self) -> dict[str, float | str]:
        """Which model, and its parameters; or why there is none."""
        if self.model is None:
            return {"model": "none", "why": self.why}
        return {"model": self.model.name, **self.model.parameters, "correlation": self.model.correlation}


def snapshot(world: World, scope: Scope) -> Snapshot:
    """The rows that were known at the end of `as_of`, the sales among them, and the model fitted on those."""
    inputs = known(world, scope)
    sales = purchases.sales_of(scope, inputs["purchases"])
    histories = clv.histories(scope, sales)
    try:
        return Snapshot(scope, inputs, sales, histories, clv.fit(histories), "")
    except NotFitted as reason:
        return Snapshot(scope, inputs, sales, histories, None, str(reason))


def build(scope: Scope, **frames: pl.DataFrame) -> Built:
    """Features at `as_of`.

    Files: `training.parquet` (features of 60 days before as they could be known then, with what came of it: `churn`),
    `rfm.json` (values at which
    the quintiles begin and end), `btyd.json` (parameters of both days, back-test).
    """
    world = numbered(frames)
    as_placed = replace(world, inputs={**world.inputs, "purchases": placed(world.inputs["purchases"])})
    now, then = snapshot(world, scope), snapshot(as_placed, churn.earlier(scope))
    table = _named(world, features(now), _COLUMNS)
    since = churn.purchases_since(now.sales.days, then.scope)
    known_then = [name for name in _COLUMNS if name not in churn.LEFT_OUT]
    training = _named(world, churn.examples(features(then), since), [*known_then, churn.LABEL])
    backtest = _backtest(as_placed, scope, then)
    models = {"now": now.told, "before": then.told, "backtest": backtest}
    return Built(
        table,
        {
            "training.parquet": parquet(training),
            "rfm.json": _json(thresholds(table)),
            "btyd.json": _json(models),
        },
        numbers={
            "buyers": now.histories.height,
            "prospects": table.filter(pl.col("rfm_segment") == PROSPECT).height,
            "active": int(table["active"].sum()),
            "training_rows": training.height,
            "training_churned": int(training[churn.LABEL].sum()),
            **{f"btyd_{name}": value for name, value in now.told.items()},
            **{f"backtest_{name}": value for name, value in backtest.items() if name != "bins"},
        },
    )


def features(of: Snapshot) -> pl.DataFrame:
    """One row per `customer`, with all columns of the contract but the id."""
    scope, inputs, sales = of.scope, of.inputs, of.sales
    events = inputs["events"]
    lines = preferences.bought_lines(sales, inputs["articles"])
    table = people(scope, inputs["customers"], inputs["purchases"]).sort("customer")
    for part in (
        purchases.totals(scope, sales),
        purchases.order_counts(scope, sales),
        purchases.rhythm(sales),
        purchases.cancelled_orders(sales),
        behaviour.event_counts(events),
        behaviour.sessions(events),
        behaviour.baskets(events),
        _active_days(events, sales),
        preferences.categories(lines),
        preferences.brands(lines),
        preferences.price_level(lines),
        preferences.channels(sales),
        preferences.times(scope, sales),
        preferences.promotions(sales, inputs["promotions"]),
        preferences.opinions(inputs["reviews"]),
        clv.columns(of.model, of.histories),
    ):
        # joins of sorted frames are merges
        table = table.join(part.sort("customer"), "customer", "left", maintain_order="left")
    return with_rfm(_with_derived(scope, _nothing_is_zero(table)))


def _backtest(as_placed: World, scope: Scope, then: Snapshot) -> dict[str, Any]:
    """What the model of 60 days ago said of the orders since; as placed, since it was fitted on those."""
    if then.model is None:
        return {}
    days = purchases.sales_of(scope, known(as_placed, scope)["purchases"]).days
    return clv.backtest(then.model, then.histories, churn.HORIZON, churn.purchases_since(days, then.scope))


def _named(world: World, table: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Columns by the customers' ids, typed as the contract has them."""
    types = CustomerFeatures.columns()
    columns = [pl.col(name).cast(types[name].dtype) if name in types else pl.col(name) for name in names]
    return table.join(world.ids, "customer").select(columns).sort("customer_id")


def _active_days(events: pl.DataFrame, sales: Sales) -> pl.DataFrame:
    """One row per customer who bought or came: days on which they did."""
    days = [events.select("customer", day="event_on"), sales.days.select("customer", "day")]
    return (
        pl.concat(days).group_by("customer").agg(pl.col("day").n_unique().cast(pl.Int64).alias("active_days"))
    )


def _nothing_is_zero(table: pl.DataFrame) -> pl.DataFrame:
    """Counts and sums of who has no row to count are 0; what is a mean or a date of them stays null."""
    zeroes = [
        name
        for name, column in CustomerFeatures.columns().items()
        if name in table.columns and not column.nullable and column.dtype.is_numeric()
    ]
    return table.with_columns(pl.col(*zeroes, "orders_prev_30d", "sessions_prev_30d").fill_null(0))


def _with_derived(scope: Scope, table: pl.DataFrame) -> pl.DataFrame:
    """Columns that are made of other columns of the same customer."""
    orders, lines = pl.col("total_orders"), pl.col("total_transactions")
    spent, revenue = (pl.col(name).cast(pl.Float64) for name in ("total_amount_spent", "total_revenue"))
    in_currency = {name: pl.col(f"{name}_in_currency") for name in ("orders", "transactions")}
    recency = age(pl.col("last_purchase_date"), scope.as_of)
    lately = pl.min_horizontal(recency, pl.col("days_since_last_event")) < ACTIVE_DAYS
    return table.with_columns(
        recency.alias("recency_days"),
        age(pl.col("first_purchase_date"), scope.as_of).alias("tenure_days"),
        lately.fill_null(value=False).alias("active"),
        _mean(spent, in_currency["transactions"]).alias("avg_transaction_value"),
        _mean(revenue, in_currency["orders"]).alias("avg_order_value"),
        _mean(pl.col("total_items_bought"), orders).alias("avg_basket_size"),
        behaviour.rate(pl.col("returned_lines"), lines).alias("return_rate"),
        (pl.col("days_between_orders_mean") - recency).alias("days_to_next_expected"),
        trend("orders_30d", "orders_prev_30d").alias("orders_trend_30d"),
        trend("sessions_30d", "sessions_prev_30d").alias("sessions_trend_30d"),
        (spent + pl.col("clv_180")).alias("lifetime_value_estimate"),
        behaviour.dominant().alias("dominant_event_type"),
        *behaviour.rates(),
    )


def _mean(total: pl.Expr, count: pl.Expr) -> pl.Expr:
    return pl.when(count > 0).then(total / count)


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).encode()
