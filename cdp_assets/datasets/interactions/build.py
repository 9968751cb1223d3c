"""From purchased lines to one row per customer and article."""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.model import Built, Scope

TAU_DAYS = 30.0
"""Decay of the seed's score: exp(-days / 30), half of it after 20.8 days."""


def build(scope: Scope, purchases: pl.DataFrame) -> Built:
    """Sales of known customers and articles in the tenant's main currency.

    `time_weighted_score` = purchase_count * exp(-recency_days / 30), `hyperbolic_score` = purchase_count /
    (1 + 0.1 * recency_days): seed 001.
    """
    lines = purchases.filter(
        pl.col("is_revenue"),
        pl.col("currency") == scope.currency,
        pl.col("customer_id") != UNKNOWN,
        pl.col("article_id") != UNKNOWN,
    )
    recency = (pl.lit(scope.as_of) - pl.col("last_purchase_date")).dt.total_days()
    table = (
        lines.group_by("customer_id", "article_id")
        .agg(
            pl.len().cast(pl.Int64).alias("purchase_count"),
            pl.col("line_total").sum().alias("total_spent"),
            pl.col("purchased_on").min().alias("first_purchase_date"),
            pl.col("purchased_on").max().alias("last_purchase_date"),
        )
        .with_columns(recency.alias("recency_days"))
        .with_columns(
            (pl.col("purchase_count") * (-pl.col("recency_days") / TAU_DAYS).exp()).alias(
                "time_weighted_score"
            ),
            (pl.col("purchase_count") / (1 + 0.1 * pl.col("recency_days"))).alias("hyperbolic_score"),
        )
    )
    return Built(table, time_column="last_purchase_date")
