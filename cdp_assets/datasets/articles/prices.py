"""Prices and stock made comparable.

Belongs here: scales. A price is compared with prices of its own currency only.
"""

from __future__ import annotations

import polars as pl

STOCK_BUCKETS = ("out", "low", "in")
LOW_STOCK = 5
"""Pieces below which stock is low: the seed's view of the inventory."""

EPSILON = 1e-4
"""In the denominator of the seed's min-max, so that one price alone gives 0 and not a division by zero."""

_PEERS = ("currency", "group")


def scaled(articles: pl.DataFrame) -> pl.DataFrame:
    """Adds the scales to articles (price, currency, stock, group: the category that they are compared in).

    price_log: ln(1 + price). normalized_price: (x - min) / (max - min + 1e-4) among prices of the currency;
    normalized_stock likewise among all. price_pct_in_category: share of the other articles of category and currency
    that are cheaper, ties half; null for one alone. price_robust_z: (x - median) / interquartile range of the same;
    null where that is 0.
    """
    price = pl.col("_price")
    spread = price.quantile(0.75, "linear").over(_PEERS) - price.quantile(0.25, "linear").over(_PEERS)
    others = price.count().over(_PEERS) - 1
    stock = pl.col("stock")
    return (
        articles.with_columns(pl.col("price").cast(pl.Float64).alias("_price"))
        .with_columns(
            # a price below 0 breaks the contract; its scales are none
            pl.when(price >= 0).then(price.log1p()).alias("price_log"),
            _min_max(price, "currency").alias("normalized_price"),
            pl.when(others > 0).then((price.rank("average").over(_PEERS) - 1) / others).alias("price_pct_in_category"),
            pl.when(spread > 0).then((price - price.median().over(_PEERS)) / spread).alias("price_robust_z"),
            ((stock - stock.min()) / (stock.max() - stock.min() + EPSILON)).alias("normalized_stock"),
            pl.when(stock <= 0).then(pl.lit("out"))
            .when(stock < LOW_STOCK).then(pl.lit("low"))
            .when(stock.is_not_null()).then(pl.lit("in"))
            .alias("stock_bucket"),
        )
        .drop("_price")
    )  # fmt: skip


def _min_max(values: pl.Expr, within: str) -> pl.Expr:
    least, most = values.min().over(within), values.max().over(within)
    return (values - least) / (most - least + EPSILON)
