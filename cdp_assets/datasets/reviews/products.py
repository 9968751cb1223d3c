"""From reviews to one row per article: what people think of it, and what they complain about.

Belongs here: sums over `datasets.reviews_nlp`. An opinion counts once: duplicates and spam are left out.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets.frames import UNKNOWN
from cdp_assets.datasets.model import Built, Scope
from cdp_assets.datasets.reviews.contract import ReviewProducts

PRIOR_WEIGHT = 10.0
"""`rating_bayes` starts from ten ratings of the category's mean: one rating of 5 is no better than a hundred of 4.8."""

HALF_LIFE_DAYS = 90.0
"""Age at which a review counts half in `sentiment_recent`."""

NEGATIVE_RATING = 2.0
MIN_COMPLAINTS, TOP_COMPLAINTS = 3, 3
_Z = 1.959964

_ASPECTS = pl.List(
    pl.Struct({"aspect": pl.String, "score": pl.Float64, "label": pl.String, "term": pl.String})
)


def build(scope: Scope, reviews_nlp: pl.DataFrame) -> Built:
    """Articles with a review; a mean without anything to average is null.

    `rating_bayes` = (10 * prior + sum of ratings) / (10 + number of ratings), the prior being the mean rating of the
    category, or of all articles where a category has none. `sentiment_recent` weighs a review 0.5 ** (age / 90 days).
    """
    counted = reviews_nlp.filter(
        pl.col("article_id").is_not_null(),
        pl.col("article_id") != UNKNOWN,
        pl.col("duplicate_of").is_null(),
        ~pl.col("is_spam"),
    ).sort("article_id", "review_id")
    rating, score = pl.col("rating"), pl.col("sentiment_score")
    weight = pl.when(score.is_not_null()).then(0.5 ** (pl.col("review_age_days") / HALF_LIFE_DAYS))
    rows = counted.group_by("article_id", maintain_order=True).agg(
        pl.col("category_id").first(),
        pl.len().cast(pl.Int64).alias("n_reviews"),
        pl.col("review_text").count().cast(pl.Int64).alias("n_texts"),
        rating.count().cast(pl.Int64).alias("rating_count"),
        rating.mean().alias("rating_mean"),
        rating.std().alias("rating_std"),
        rating.sum().alias("rating_sum"),
        pl.when(rating.count() > 0).then((rating <= NEGATIVE_RATING).sum() / rating.count()).alias("pct_negative"),
        score.mean().alias("sentiment_mean"),
        score.std().alias("sentiment_std"),
        ((score * weight).sum() / weight.sum()).alias("sentiment_recent"),
        pl.col("rating_sentiment_conflict").sum().cast(pl.Int64).alias("conflict_count"),
        pl.col("verified_purchase").sum().cast(pl.Int64).alias("verified_count"),
        pl.col("created_at").min().alias("first_review_at"),
        pl.col("created_at").max().alias("last_review_at"),
    )  # fmt: skip
    table = (
        rows.with_columns(
            pl.when(pl.col("sentiment_mean").is_not_null())
            .then("sentiment_recent")
            .alias("sentiment_recent"),
            _bayes(),
        )
        .join(_languages(counted), on="article_id", how="left")
        .join(_aspects(counted), on="article_id", how="left")
        .with_columns(pl.col("languages", "aspects", "top_complaints").fill_null([]))
        .select(*ReviewProducts.columns())
    )
    return Built(
        table, time_column="last_review_at", numbers={"left_out": reviews_nlp.height - counted.height}
    )


def _bayes() -> pl.Expr:
    total, count = pl.col("rating_sum"), pl.col("rating_count")
    of_category = total.sum().over("category_id") / count.sum().over("category_id")
    of_all = total.sum() / count.sum()
    prior = pl.when(count.sum().over("category_id") > 0).then(of_category).otherwise(of_all)
    bayes = (PRIOR_WEIGHT * prior + total) / (PRIOR_WEIGHT + count)
    return pl.when(count.sum() > 0).then(bayes).alias("rating_bayes")


def _languages(counted: pl.DataFrame) -> pl.DataFrame:
    return (
        counted.filter(pl.col("review_text").is_not_null())
        .group_by("article_id", "language")
        .agg(pl.len().cast(pl.Int64).alias("n"))
        .sort("article_id", "n", "language", descending=[False, True, False])
        .group_by("article_id", maintain_order=True)
        .agg(pl.struct("language", "n").alias("languages"))
    )


def _aspects(counted: pl.DataFrame) -> pl.DataFrame:
    """Per article: its aspects with count, mean score, and share of negative mentions (Wilson's interval, 95 %)."""
    n, negative = pl.col("n"), pl.col("negative")
    share = negative / n
    centre = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    spread = _Z / (1 + _Z * _Z / n) * (share * (1 - share) / n + _Z * _Z / (4 * n * n)).sqrt()
    each = (
        counted.select("article_id", pl.col("aspects").str.json_decode(_ASPECTS))
        .explode("aspects")
        .drop_nulls("aspects")
        .unnest("aspects")
        .group_by("article_id", "aspect", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("n"),
            pl.col("score").mean(),
            (pl.col("label") == "negative").sum().cast(pl.Int64).alias("negative"),
        )
        .with_columns(
            (centre - spread).clip(0, 1).alias("negative_low"),
            (centre + spread).clip(0, 1).alias("negative_high"),
        )
        .sort("article_id", "negative_low", "aspect", descending=[False, True, False])
    )
    worst = pl.col("aspect").filter(negative >= MIN_COMPLAINTS).head(TOP_COMPLAINTS)
    return each.group_by("article_id", maintain_order=True).agg(
        pl.struct("aspect", "n", "score", "negative", "negative_low", "negative_high")
        .sort_by("aspect")
        .alias("aspects"),
        worst.alias("top_complaints"),
    )
