"""From purchased lines to sums per level, series and day (or week) on which anything happened.

Belongs here: which lines count, which series a line belongs to, and the sums. Does not belong here: days on which
nothing happened (`panel`).

A line belongs to one series of each level: `total` (series `all`), `root_category`, `category`, and below that either
`article` or `rest`. An article has a series of its own when it is among the `MAX_ARTICLES` most sold of the last
`ACTIVE_DAYS` days; all others of a category, and lines whose article nobody knows, are the category's `rest`. A daily
series of an article that sells twice a year is nearly all zeros and tells less than its category; a thousand of them
over three years are 1.1 million rows, and the table stays that small however many articles a shop has ever had.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from cdp_assets.datasets.categories import tree
from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.model import Scope
from cdp_assets.datasets.sales import sale_lines

TOTAL, ROOT_CATEGORY, CATEGORY, ARTICLE, REST = LEVELS = (
    "total", "root_category", "category", "article", "rest",
)  # fmt: skip
ALL = "all"
"""The only series of level `total`."""

MAX_ARTICLES = 1_000
ACTIVE_DAYS = 364

SUMS = ("sales", "sales_other_currency", "units", "revenue", "returns", "refunds")
"""What adds up from level to level; customers do not, since one buys in several categories."""


def counted(scope: Scope, purchases: pl.DataFrame) -> pl.DataFrame:
    """Sale lines (`sales`) by day: demand has no currency, money has, and only that of the main one is added up."""
    return sale_lines(scope, purchases).select(
        "article_id",
        pl.col("purchased_on").alias("date"),
        "quantity",
        "line_total",
        "is_return",
        "is_main",
        pl.when(pl.col("customer_id") != UNKNOWN).then("customer_id").alias("customer_id"),
    )


def article_categories(articles: pl.DataFrame, categories: pl.DataFrame) -> pl.DataFrame:
    """Today's category of each article. Columns: article_id, category_id, root_category_id.

    Keys are canonical: `shop:<number>` of the shop's category, `leo:<name>` where only LEO names one.
    """
    shop = pl.col("category_id").is_not_null()
    roots = tree(categories).rows.select("category_id", "root_category_id")
    return articles.join(roots, on="category_id", how="left").select(
        "article_id",
        pl.when(shop)
        .then(pl.format("shop:{}", "category_id"))
        .otherwise(pl.format("leo:{}", "product_category"))
        .fill_null(UNKNOWN)
        .alias("category_id"),
        pl.when(shop)
        .then(pl.format("shop:{}", pl.coalesce("root_category_id", "category_id")))
        .otherwise(pl.format("leo:{}", "product_category"))
        .fill_null(UNKNOWN)
        .alias("root_category_id"),
    )


def articles_with_series(lines: pl.DataFrame, as_of: date) -> pl.Series:
    """Articles that have a series of their own: the most sold of the last `ACTIVE_DAYS` days, ties by key."""
    return (
        lines.filter(
            ~pl.col("is_return"),
            pl.col("date") > as_of - timedelta(days=ACTIVE_DAYS),
            pl.col("article_id") != UNKNOWN,
        )
        .group_by("article_id")
        .len("sales")
        .sort(["sales", "article_id"], descending=[True, False])
        .head(MAX_ARTICLES)
        .get_column("article_id")
        .sort()
    )


def placed(lines: pl.DataFrame, categories_of: pl.DataFrame, own: pl.Series) -> pl.DataFrame:
    """Lines with category_id, root_category_id, and whether their article has a series of its own (`is_own`)."""
    return lines.join(categories_of, on="article_id", how="left").with_columns(
        pl.col("category_id", "root_category_id").fill_null(UNKNOWN),
        pl.col("article_id").is_in(own.to_list()).alias("is_own"),
    )


def sums(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per level, series_id and `date` with a line.

    `sales` (lines sold), `units` (pieces), `revenue` and `customers` (known ones) leave returns out; `returns` (lines)
    and `refunds` (money given back) hold them. Money is that of the main currency, `sales_other_currency` the lines
    among `sales` that brought another, `priced_units` the pieces behind `revenue`.
    """
    is_own = pl.col("is_own")
    series = (
        (pl.lit(TOTAL), pl.lit(ALL)),
        (pl.lit(ROOT_CATEGORY), pl.col("root_category_id")),
        (pl.lit(CATEGORY), pl.col("category_id")),
        (
            pl.when(is_own).then(pl.lit(ARTICLE)).otherwise(pl.lit(REST)),
            pl.when(is_own).then("article_id").otherwise("category_id"),
        ),
    )
    sold, is_main = ~pl.col("is_return"), pl.col("is_main")
    measured = lines.lazy().with_columns(
        sold.cast(pl.Int64).alias("sales"),
        (sold & ~is_main).cast(pl.Int64).alias("sales_other_currency"),
        pl.when(sold).then("quantity").otherwise(0).alias("units"),
        pl.when(sold & is_main).then("quantity").otherwise(0).alias("priced_units"),
        pl.when(sold & is_main).then("line_total").otherwise(0).alias("revenue"),
        (~sold).cast(pl.Int64).alias("returns"),
        pl.when(~sold & is_main).then(-pl.col("line_total")).otherwise(0).alias("refunds"),
        pl.when(sold).then("customer_id").alias("customer"),
    )
    return pl.concat(
        measured.group_by(level.alias("level"), id_.alias("series_id"), "date").agg(
            pl.col(*SUMS, "priced_units").sum(),
            pl.col("customer").drop_nulls().n_unique().cast(pl.Int64).alias("customers"),
        )
        for level, id_ in series
    ).collect()
