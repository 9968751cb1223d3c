"""Examples to train on: who bought until an earlier day, what was known of them then, and whether they came back.

Whether a customer is lost today is known only later, and nothing after `as_of` may be read: so the newest day of which
the answer is known is HORIZON days before `as_of`. The features of that day and the answer make the file
`training.parquet` of each version. A column of the table would be null for everybody. What the sources only tell as of
today may not speak for that day: orders count as they were placed, and `LEFT_OUT` is left out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl

from cdp_assets.datasets.model import Scope

HORIZON = 60
"""Days without an order after which a customer counts as lost."""

LABEL = "churned_60d"

LEFT_OUT = ("cancelled_orders", "country", "language", "is_in_shop", "is_in_leo")
"""Columns of which the sources keep no history: what came of an order, and where and as whom somebody is known."""


def earlier(scope: Scope) -> Scope:
    """The newest day whose outcome is known."""
    return replace(scope, as_of=scope.as_of - timedelta(days=HORIZON))


def purchases_since(days: pl.DataFrame, before: Scope) -> pl.DataFrame:
    """`customer` and `purchases`: days with an order (`Sales.days`) after `before`, of who had one."""
    return (
        days.filter(pl.col("day") > before.as_of)
        .group_by("customer")
        .agg(pl.len().cast(pl.Int64).alias("purchases"))
    )


def examples(features: pl.DataFrame, since: pl.DataFrame) -> pl.DataFrame:
    """Features of who had bought by then, with the label: true where no order has come since."""
    return features.filter(pl.col("total_orders") > 0).with_columns(
        (~pl.col("customer").is_in(since["customer"].implode())).alias(LABEL)
    )
