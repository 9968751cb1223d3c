"""Columns and rules of `datasets.user_item_interactions`."""

from __future__ import annotations

import dataframely as dy
import polars as pl


class Interactions(dy.Schema):
    """One row per customer and article that the customer has bought."""

    customer_id = dy.String(primary_key=True, min_length=1)
    article_id = dy.String(primary_key=True, min_length=1)
    purchase_count = dy.Int64(min=1)
    total_spent = dy.Decimal(38, 4, min=0)
    first_purchase_date = dy.Date()
    last_purchase_date = dy.Date()
    recency_days = dy.Int64(min=0)
    time_weighted_score = dy.Float64(min=0)
    hyperbolic_score = dy.Float64(min=0)

    @dy.rule()
    def first_is_not_after_last(cls) -> pl.Expr:
        return pl.col("first_purchase_date") <= pl.col("last_purchase_date")
