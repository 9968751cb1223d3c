"""What customers like and when they come: categories, brands, price level, channel, weekday, hour, promotions.

Belongs here: what is read off the articles and times of purchases, and of reviews. Ties go to the name that sorts
first, so the same rows in any order give the same favourite.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets.customers.purchases import Sales
from cdp_assets.datasets.frames import NO_END, UNKNOWN
from cdp_assets.datasets.model import Scope

TOP = 3
"""Categories that are listed with their shares."""

DAY_HOURS = 24

MILLION = 1_000_000
"""Percentiles are summed as whole millionths: sums of floats depend on the order of the rows."""


def kinds_of(articles: pl.DataFrame) -> pl.DataFrame:
    """One row per article: its category (the last step of the path, one word for all languages) and its brand."""
    leaf = pl.col("category_path").str.split(" > ").list.last()
    kinds = articles.select("article_id", pl.coalesce(leaf, "product_category").alias("category"), "brand")
    return kinds.unique("article_id").with_columns(_ranked(kinds[name]) for name in ("category", "brand"))


def bought_lines(sales: Sales, articles: pl.DataFrame) -> pl.DataFrame:
    """Lines bought, without returns, with category and brand where the article is known."""
    columns = ["customer", "article_id", "quantity", "unit_price", "is_main"]
    return (
        sales.lines.filter(~pl.col("is_return"))
        .select(columns)
        .join(kinds_of(articles), "article_id", "left")
    )


def categories(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per customer with a purchase of a known category: how purchases spread over categories, by items.

    `category_entropy` is in bits: 0 buys one category alone, 1 two of them equally.
    """
    share = pl.col("share")
    return (
        _shares(lines, "category")
        .group_by("customer", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("categories_bought"),
            pl.col("category").first().alias("top_category"),
            share.first().alias("top_category_share"),
            pl.struct("category", "share").head(TOP).alias("top_categories"),
            # 0 - x rather than -x: a single category has 0.0, not -0.0
            (0.0 - (share * share.log(2)).sum()).alias("category_entropy"),
        )
    )


def brands(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per customer with a purchase of a known brand: the brand of most items, and its share."""
    return (
        _shares(lines, "brand")
        .unique("customer", keep="first", maintain_order=True)
        .select("customer", pl.col("brand").alias("top_brand"), pl.col("share").alias("top_brand_share"))
    )


def price_level(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per customer with a purchase of a known category in the main currency: how dear are the things bought.

    The mean percentile (0 to 1) of the prices paid among all prices paid in the same category; 0.5 is the usual price.
    """
    price = pl.col("unit_price")
    percentile = (price.rank("average").over("category") - 0.5) / price.count().over("category")
    return (
        lines.filter("is_main", pl.col("category").is_not_null(), price.is_not_null())
        .with_columns((percentile * MILLION).round().cast(pl.Int64).alias("percentile"))
        .group_by("customer")
        .agg((pl.col("percentile").sum() / pl.len() / MILLION).alias("price_level"))
    )


def channels(sales: Sales) -> pl.DataFrame:
    """One row per customer with an order of a known channel: the channel of most orders, and its share."""
    orders = sales.orders.filter(pl.col("channel") != UNKNOWN).with_columns(pl.lit(1).alias("quantity"))
    orders = orders.with_columns(_ranked(orders["channel"]))
    return (
        _shares(orders, "channel")
        .unique("customer", keep="first", maintain_order=True)
        .select(
            "customer",
            pl.col("channel").alias("most_used_sales_channel"),
            pl.col("share").alias("most_used_channel_share"),
        )
    )


def times(scope: Scope, sales: Sales) -> pl.DataFrame:
    """One row per customer with an order: favourite weekday (1 Monday to 7 Sunday), favourite hour, share of weekends.

    Of equals the earlier.
    """
    local = pl.col("ordered_at").dt.convert_time_zone(scope.timezone)
    orders = sales.orders.select(
        "customer", local.dt.weekday().alias("weekday"), local.dt.hour().alias("hour")
    )
    found = orders.group_by("customer").agg((pl.col("weekday") > 5).mean().alias("weekend_share"))
    for name in ("weekday", "hour"):
        # one number orders by the count first, and of equal counts the earlier is the larger
        place = pl.col("len").cast(pl.Int64) * DAY_HOURS + DAY_HOURS - 1 - pl.col(name)
        favourite = DAY_HOURS - 1 - place.max() % DAY_HOURS
        counted = orders.group_by("customer", name).len().group_by("customer")
        found = found.join(counted.agg(favourite.alias(f"preferred_{name}")), "customer", "left")
    return found


def promotions(sales: Sales, promotions: pl.DataFrame) -> pl.DataFrame:
    """One row per customer with an order: share of orders placed while a promotion ran; one without end runs on."""
    # the latest end of all promotions begun so far tells whether one of them still runs
    begun = (
        promotions.filter(pl.col("starts_at").is_not_null())
        .sort("starts_at")
        .select("starts_at", pl.col("ends_at").fill_null(NO_END).cum_max().alias("latest_end"))
    )
    runs = (pl.col("latest_end") > pl.col("ordered_at")).fill_null(value=False)
    return (
        sales.orders.select("customer", "ordered_at")
        .sort("ordered_at")
        .join_asof(begun, left_on="ordered_at", right_on="starts_at")
        .group_by("customer")
        .agg(runs.mean().alias("promotion_share"))
    )


def opinions(reviews: pl.DataFrame) -> pl.DataFrame:
    """One row per customer who wrote a review: how many, and the mean of their ratings (1 to 5)."""
    hundredths = (pl.col("rating") * 100).round().cast(pl.Int64)
    return (
        reviews.group_by("customer")
        .agg(
            pl.len().cast(pl.Int64).alias("reviews_written"),
            (hundredths.sum() / pl.col("rating").count() / 100).alias("rating_mean"),
        )
        .with_columns(pl.col("rating_mean").fill_nan(None))
    )


def _shares(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Customer and value -> share of the quantity; the largest first, of equals the one that sorts first."""
    quantity = pl.col("quantity")
    return (
        rows.filter(pl.col(name).is_not_null(), quantity > 0)
        .group_by("customer", name)
        .agg(quantity.sum())
        .sort("customer", "quantity", name, descending=[False, True, False])
        .with_columns((quantity / quantity.sum().over("customer")).alias("share"))
    )


def _ranked(names: pl.Series) -> pl.Expr:
    """A column of names as numbers that sort as the names do: dozens of names, any number of rows."""
    return pl.col(names.name).cast(pl.Enum(names.drop_nulls().unique().sort()))
