"""Columns and rules of `datasets.user_item_interactions`."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from cdp_assets.datasets.interactions.pairs import COUNTS


class Interactions(dy.Schema):
    """One row per customer and article with any signal: bought, returned, rated, carted, wished for, viewed."""

    customer_id = dy.String(primary_key=True, min_length=1)
    article_id = dy.String(primary_key=True, min_length=1)
    purchase_count = dy.Int64(min=0)
    return_count = dy.Int64(min=0)
    other_currency_count = dy.Int64(min=0)
    total_spent = dy.Decimal(38, 4)
    avg_price_paid = dy.Decimal(38, 4, min=0, nullable=True)
    first_purchase_date = dy.Date(nullable=True)
    last_purchase_date = dy.Date(nullable=True)
    recency_days = dy.Int64(min=0, nullable=True)
    time_weighted_score = dy.Float64(min=0)
    hyperbolic_score = dy.Float64(min=0)
    decayed_purchase_score = dy.Float64(min=0)
    last_sales_channel = dy.String(nullable=True)
    n_view = dy.Int64(min=0)
    n_click = dy.Int64(min=0)
    n_wishlist = dy.Int64(min=0)
    n_cart = dy.Int64(min=0)
    n_remove = dy.Int64(min=0)
    rating = dy.Float64(min=1, max=5, nullable=True)
    last_interaction_date = dy.Date()
    implicit_weight = dy.Float64()
    confidence = dy.Float64(min=1)
    is_outlier = dy.Bool()

    @dy.rule()
    def pair_has_a_signal(cls) -> pl.Expr:
        counted = pl.sum_horizontal("purchase_count", "return_count", *COUNTS)
        return (counted > 0) | pl.col("rating").is_not_null()

    @dy.rule()
    def purchases_have_dates(cls) -> pl.Expr:
        bought = pl.col("purchase_count") > 0
        return pl.all_horizontal(
            pl.col(name).is_not_null() == bought
            for name in ("first_purchase_date", "last_purchase_date", "recency_days")
        )

    @dy.rule()
    def first_is_not_after_last(cls) -> pl.Expr:
        return pl.col("first_purchase_date") <= pl.col("last_purchase_date")

    @dy.rule()
    def price_is_known_where_money_is(cls) -> pl.Expr:
        return pl.col("avg_price_paid").is_not_null() == (
            pl.col("purchase_count") > pl.col("other_currency_count")
        )
