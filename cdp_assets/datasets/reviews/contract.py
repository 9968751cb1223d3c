"""Columns and rules of `datasets.reviews_nlp` and `datasets.review_products`."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from cdp_assets.datasets.reviews.aspects import ASPECTS
from cdp_assets.datasets.reviews.language import LANGUAGES

LABELS = ("negative", "neutral", "positive")
METHODS = ("vader", "lexicon", "lexicon+vader", "learned", "none")


class Reviews(dy.Schema):
    """One row per review or rating."""

    review_id = dy.String(primary_key=True, min_length=1)
    review_source = dy.String(min_length=1)
    customer_id = dy.String(min_length=1)
    article_id = dy.String(nullable=True, min_length=1)
    category_id = dy.Int64(nullable=True)
    rating = dy.Float64(nullable=True, min=1, max=5)
    review_text = dy.String(nullable=True, min_length=1)
    clean_text = dy.String(nullable=True, min_length=1)
    review_length = dy.Int64(min=0)
    created_at = dy.Datetime(time_unit="us", time_zone="UTC")
    review_age_days = dy.Int64(min=0)
    language = dy.String()
    language_confidence = dy.Float64(min=0, max=1)
    sentiment_score = dy.Float64(nullable=True, min=0, max=1)
    sentiment_label = dy.String(nullable=True)
    sentiment_method = dy.String()
    sentiment_confidence = dy.Float64(nullable=True, min=0, max=1)
    rating_gap = dy.Float64(nullable=True, min=-1, max=1)
    rating_sentiment_conflict = dy.Bool(nullable=True)
    aspects = dy.List(
        dy.Struct(
            {
                "aspect": dy.String(),
                "score": dy.Float64(nullable=True),
                "label": dy.String(nullable=True),
                "term": dy.String(),
            }
        )
    )
    toxicity_score = dy.Float64(min=0, max=1)
    pii_found = dy.Bool()
    is_spam = dy.Bool()
    spam_reasons = dy.List(dy.String())
    text_key = dy.String(nullable=True)
    duplicate_of = dy.String(nullable=True)
    verified_purchase = dy.Bool()
    bert_embedding_ref = dy.String(nullable=True)

    @dy.rule()
    def language_is_known(cls) -> pl.Expr:
        return pl.col("language").is_in(list(LANGUAGES))

    @dy.rule()
    def label_is_known(cls) -> pl.Expr:
        return pl.col("sentiment_label").is_in(list(LABELS))

    @dy.rule()
    def method_is_known(cls) -> pl.Expr:
        return pl.col("sentiment_method").is_in(list(METHODS))

    @dy.rule()
    def label_goes_with_score(cls) -> pl.Expr:
        return pl.col("sentiment_label").is_null() == pl.col("sentiment_score").is_null()


class ReviewProducts(dy.Schema):
    """One row per article that somebody reviewed."""

    article_id = dy.String(primary_key=True, min_length=1)
    category_id = dy.Int64(nullable=True)
    n_reviews = dy.Int64(min=1)
    n_texts = dy.Int64(min=0)
    rating_count = dy.Int64(min=0)
    rating_mean = dy.Float64(nullable=True, min=1, max=5)
    rating_std = dy.Float64(nullable=True, min=0)
    rating_bayes = dy.Float64(nullable=True, min=1, max=5)
    pct_negative = dy.Float64(nullable=True, min=0, max=1)
    sentiment_mean = dy.Float64(nullable=True, min=0, max=1)
    sentiment_std = dy.Float64(nullable=True, min=0)
    sentiment_recent = dy.Float64(nullable=True, min=0, max=1)
    conflict_count = dy.Int64(min=0)
    verified_count = dy.Int64(min=0)
    first_review_at = dy.Datetime(time_unit="us", time_zone="UTC")
    last_review_at = dy.Datetime(time_unit="us", time_zone="UTC")
    languages = dy.List(dy.Struct({"language": dy.String(), "n": dy.Int64()}))
    aspects = dy.List(
        dy.Struct(
            {
                "aspect": dy.String(),
                "n": dy.Int64(),
                "score": dy.Float64(nullable=True),
                "negative": dy.Int64(),
                "negative_low": dy.Float64(),
                "negative_high": dy.Float64(),
            }
        )
    )
    top_complaints = dy.List(dy.String())

    @dy.rule()
    def complaints_are_aspects(cls) -> pl.Expr:
        return pl.col("top_complaints").list.eval(pl.element().is_in(list(ASPECTS))).list.all()
