"""What customers bought: totals, dates, rhythm and windows of purchases.

Belongs here: everything that is counted or summed over sales (`datasets.sales`). A return lowers what was spent and is
counted as a return, never as a purchase.
Money is of the tenant's main currency only; purchases in other currencies are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cdp_assets.datasets.customers import windows
from cdp_assets.datasets.model import Scope
from cdp_assets.datasets.sales import sale_lines


@dataclass(frozen=True, slots=True)
class Sales:
    """Purchases by customers who are known, in four grains.

    Attributes:
        lines: sale lines, returns among them, with `age` in days.
        orders: one row per customer and order with something bought: `ordered_at`, `ordered_on`, `age`, `channel`,
            `value` in the main currency, `is_main`. An order belongs to the time of its first line.
        days: one row per customer and day with an order, sorted by both: `day`, `value`, and `is_later`, which
            the first day of a customer is not.
        cancelled: orders that were cancelled, one row per customer and order.
    """

    lines: pl.DataFrame
    orders: pl.DataFrame
    days: pl.DataFrame
    cancelled: pl.DataFrame


def sales_of(scope: Scope, purchases: pl.DataFrame) -> Sales:
    """Lines and orders that count, of the purchases known at the end of `as_of`."""
    lines = sale_lines(scope, purchases).with_columns(
        windows.age(pl.col("purchased_on"), scope.as_of).alias("age")
    )
    orders = (
        lines.filter(~pl.col("is_return"))
        .group_by("customer", "order")
        .agg(
            pl.col("purchased_at").min().alias("ordered_at"),
            pl.col("purchased_on").min().alias("ordered_on"),
            pl.col("age").max(),
            pl.col("channel").min(),
            pl.when("is_main").then(pl.col("line_total")).sum().alias("value"),
            pl.col("is_main").any(),
        )
    )
    days = (
        orders.group_by("customer", pl.col("ordered_on").alias("day"))
        .agg(pl.col("value").sum())
        .sort("customer", "day")
        .with_columns(
            (pl.col("customer") == pl.col("customer").shift(1)).fill_null(value=False).alias("is_later")
        )
    )
    cancelled = purchases.filter(pl.col("order_status") == "cancelled").unique(["customer", "order"])
    return Sales(lines, orders, days, cancelled)


def totals(scope: Scope, sales: Sales) -> pl.DataFrame:
    """One row per customer with a line of a sale: counts, money and windows of lines."""
    bought, main = ~pl.col("is_return"), pl.col("is_main")
    money = pl.when(main).then(pl.col("line_total"))
    day = pl.col("purchased_on")
    since = {months: day > pl.lit(scope.as_of).dt.offset_by(f"-{months}mo") for months in (6, 12)}
    return sales.lines.group_by("customer").agg(
        bought.sum().cast(pl.Int64).alias("total_transactions"),
        (bought & main).sum().cast(pl.Int64).alias("transactions_in_currency"),
        (~bought).sum().cast(pl.Int64).alias("returned_lines"),
        money.sum().alias("total_amount_spent"),
        pl.when(main & bought).then(pl.col("line_total")).sum().alias("total_revenue"),
        pl.when(bought).then(pl.col("quantity")).sum().alias("total_items_bought"),
        day.filter(bought).min().alias("first_purchase_date"),
        day.filter(bought).max().alias("last_purchase_date"),
        *(pl.when(since[months]).then(money).sum().alias(f"monetary_{months}m") for months in since),
        *windows.sums("items", pl.when(bought).then(pl.col("quantity"))),
        *windows.sums("spend", money),
    )


def order_counts(scope: Scope, sales: Sales) -> pl.DataFrame:
    """One row per customer with an order: distinct orders, in all and by window."""
    since = {months: pl.lit(scope.as_of).dt.offset_by(f"-{months}mo") for months in (6, 12)}
    return sales.orders.group_by("customer").agg(
        pl.len().cast(pl.Int64).alias("total_orders"),
        pl.col("is_main").sum().cast(pl.Int64).alias("orders_in_currency"),
        *(
            (pl.col("ordered_on") > start).sum().cast(pl.Int64).alias(f"frequency_{months}m")
            for months, start in since.items()
        ),
        *windows.counts("orders"),
        windows.before_last_30().alias("orders_prev_30d"),
    )


def rhythm(sales: Sales) -> pl.DataFrame:
    """One row per customer with an order: days with an order, and the days between them.

    Mean and standard deviation (n - 1) come of whole numbers, so the order of rows cannot move their last digit.
    """
    gap = pl.when("is_later").then(pl.col("day").diff().dt.total_days())
    n, total, squares = pl.col("n"), pl.col("total"), pl.col("squares")
    return (
        sales.days.with_columns(gap.alias("gap"))
        .group_by("customer")
        .agg(
            pl.len().cast(pl.Int64).alias("order_days"),
            pl.col("gap").count().cast(pl.Int64).alias("n"),
            pl.col("gap").sum().alias("total"),
            (pl.col("gap") ** 2).sum().alias("squares"),
        )
        .select(
            "customer",
            "order_days",
            pl.when(n > 0).then(total / n).alias("days_between_orders_mean"),
            pl.when(n > 1)
            .then(((n * squares - total**2) / (n * (n - 1))).sqrt())
            .alias("days_between_orders_std"),
        )
    )


def cancelled_orders(sales: Sales) -> pl.DataFrame:
    """One row per customer with a cancelled order."""
    return sales.cancelled.group_by("customer").agg(pl.len().cast(pl.Int64).alias("cancelled_orders"))
