"""From signals to one row per customer and article.

Belongs here: sums, scores and flags of a pair. Signals come with integer ids; a pair is both in one number. Sums of
decayed values are taken in integers of 2^-36: they are the same in whatever order the rows come.
"""

from __future__ import annotations

import math
from datetime import date

import polars as pl

from cdp_assets.datasets.frames import MONEY
from cdp_assets.datasets.interactions.signals import MIDDLE_RATING

TAU_DAYS = 30.0
"""Decay of the seed's score: exp(-days / 30), half of it after 20.8 days."""

DAILY_DECAY = 0.95
"""Decay of a signal's strength per day, half of it after 13.5 days: the seed's recommender."""

HYPERBOLIC_RATE = 0.1

ALPHA = 40.0
"""How fast confidence grows with strength: Hu, Koren, Volinsky, 2008."""

EPSILON = 1.0
"""Strength that counts as one sighting: a view of today."""

OUTLIER_QUANTILE = 0.999

COUNTS = {
    "n_view": "view",
    "n_click": "click",
    "n_wishlist": "wishlist",
    "n_cart": "cart",
    "n_remove": "remove",
}
"""Column -> the signal it counts."""

PAIR = "pair"
_FIXED_POINT = 2.0**36
_ITEMS = 2**32


def pair() -> pl.Expr:
    """Customer and article in one number; in the order of (user, item)."""
    return (pl.col("user").cast(pl.UInt64) * _ITEMS + pl.col("item").cast(pl.UInt64)).alias(PAIR)


def aggregate(signals: pl.DataFrame, lines: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row per customer and article with any signal, sorted by (user, item).

    Args:
        signals: user, item, pair, signal, on, at, strength, sorted by pair.
        lines: the sale lines among them: user, item, pair, on, at, purchase_key, channel, is_return, is_main,
            line_total.
        as_of: the day from which ages are counted; no row is of a later one.

    Returns:
        user, item, strength (of all signals together, undecayed), and the columns of the contract but the two keys.
    """
    rows = signals.group_by(PAIR, maintain_order=True).agg(
        *((pl.col("signal") == signal).sum().cast(pl.Int64).alias(name) for name, signal in COUNTS.items()),
        _exact_sum(pl.col("strength")).alias("strength"),
        _exact_sum(pl.col("strength") * (_age(as_of) * math.log(DAILY_DECAY)).exp()).alias("implicit_weight"),
        pl.col("on").max().alias("last_interaction_date"),
    )
    return (
        rows.with_columns(
            (pl.col(PAIR) // _ITEMS).cast(pl.UInt32).alias("user"),
            (pl.col(PAIR) % _ITEMS).cast(pl.UInt32).alias("item"),
        )
        .join(_bought(lines, as_of), on=PAIR, how="left", maintain_order="left")
        .join(_returned(lines), on=PAIR, how="left", maintain_order="left")
        .join(_ratings(signals), on=PAIR, how="left", maintain_order="left")
        .with_columns(
            pl.col("purchase_count", "other_currency_count", "return_count").fill_null(0),
            pl.col("decayed_purchase_score").fill_null(0.0),
            pl.col("user").is_in(_outliers(signals).implode()).alias("is_outlier"),
            (_money("paid") + _money("refunded")).alias("total_spent"),
            (pl.lit(as_of) - pl.col("last_purchase_date")).dt.total_days().alias("recency_days"),
        )
        .with_columns(*_scores())
        .select(
            "user",
            "item",
            "strength",
            "purchase_count",
            "return_count",
            "other_currency_count",
            "total_spent",
            "avg_price_paid",
            "first_purchase_date",
            "last_purchase_date",
            "recency_days",
            "time_weighted_score",
            "hyperbolic_score",
            "decayed_purchase_score",
            "last_sales_channel",
            *COUNTS,
            "rating",
            "last_interaction_date",
            "implicit_weight",
            "confidence",
            "is_outlier",
        )
    )


def _scores() -> list[pl.Expr]:
    """`count * exp(-recency / 30)` and `count / (1 + 0.1 * recency)` of seed 001; 0 where nothing was bought."""
    count, recency = pl.col("purchase_count"), pl.col("recency_days").fill_null(0)
    strength = pl.max_horizontal("implicit_weight", pl.lit(0.0))
    return [
        (count * (-recency / TAU_DAYS).exp()).alias("time_weighted_score"),
        (count / (1 + HYPERBOLIC_RATE * recency)).alias("hyperbolic_score"),
        (1 + ALPHA * (strength / EPSILON).log1p()).alias("confidence"),
    ]


def _bought(lines: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Purchases of a pair. The price is that of the lines in the main currency, before returns."""
    main = pl.col("is_main")
    paid = pl.when(main).then(pl.col("line_total")).otherwise(pl.lit(0, MONEY))
    priced = pl.col("purchase_count") - pl.col("other_currency_count")
    return (
        lines.filter(~pl.col("is_return"))
        .sort(PAIR, "at", "purchase_key")
        .group_by(PAIR, maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("purchase_count"),
            (~main).sum().cast(pl.Int64).alias("other_currency_count"),
            paid.sum().alias("paid"),
            pl.col("on").min().alias("first_purchase_date"),
            pl.col("on").max().alias("last_purchase_date"),
            _exact_sum((-_age(as_of) / TAU_DAYS).exp()).alias("decayed_purchase_score"),
            pl.col("channel").last().alias("last_sales_channel"),
        )
        .with_columns((pl.col("paid") / pl.when(priced > 0).then(priced).cast(MONEY)).alias("avg_price_paid"))
    )


def _returned(lines: pl.DataFrame) -> pl.DataFrame:
    refunded = pl.when(pl.col("is_main")).then(pl.col("line_total")).otherwise(pl.lit(0, MONEY))
    return (
        lines.filter("is_return")
        .group_by(PAIR)
        .agg(pl.len().cast(pl.Int64).alias("return_count"), refunded.sum().alias("refunded"))
        .sort(PAIR)
    )


def _ratings(signals: pl.DataFrame) -> pl.DataFrame:
    """The latest rating of a pair; of two at the same instant the higher."""
    return (
        signals.filter(pl.col("signal") == "rating")
        .sort(PAIR, "at", "strength")
        .group_by(PAIR, maintain_order=True)
        .agg((pl.col("strength").last() + MIDDLE_RATING).alias("rating"))
    )


def _outliers(signals: pl.DataFrame) -> pl.Series:
    """Resellers and robots: users whose busiest day is above the 99.9th percentile of all customers' busiest days.

    Purchases and other signals are looked at apart: a reseller's forty lines would drown among people who browse.
    Below 1,000 customers nobody is above it.
    """
    busiest = (
        signals.lazy()
        .group_by("user", "on")
        .agg(
            (pl.col("signal") == "purchase").sum().alias("bought"),
            (pl.col("signal") != "purchase").sum().alias("did"),
        )
        .group_by("user")
        .agg(pl.col("bought", "did").max())
        .collect(engine="streaming")
    )
    over = [_above_usual(busiest[name]) for name in ("bought", "did")]
    return busiest["user"].filter(over[0] | over[1])


def _above_usual(most: pl.Series) -> pl.Series:
    # among those who did it at all: most customers of a shop only look
    usual = most.filter(most > 0).quantile(OUTLIER_QUANTILE, interpolation="higher")
    return most > (usual or 0)


def _age(as_of: date) -> pl.Expr:
    return (pl.lit(as_of) - pl.col("on")).dt.total_days()


def _exact_sum(value: pl.Expr) -> pl.Expr:
    """A sum that is the same in any order of the rows, exact to 1e-11 per row."""
    return (value * _FIXED_POINT).round().cast(pl.Int64).sum() / _FIXED_POINT


def _money(name: str) -> pl.Expr:
    return pl.col(name).fill_null(pl.lit(0, MONEY))
