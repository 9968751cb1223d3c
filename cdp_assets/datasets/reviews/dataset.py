"""Dataset E as the graph knows it: reviews, and what they add up to per article."""

from __future__ import annotations

from cdp_assets.datasets.model import Dataset
from cdp_assets.datasets.reviews import products
from cdp_assets.datasets.reviews.build import build
from cdp_assets.datasets.reviews.checks import CHECKS
from cdp_assets.datasets.reviews.contract import ReviewProducts, Reviews
from cdp_assets.datasets.reviews.pictures import pictures

REVIEWS = Dataset(
    name="reviews_nlp",
    letter="E",
    description="One row per review or rating: its language, its opinion in Vietnamese with and without accents and in "
    "English, ten aspects, whether stars and words agree, and what makes it doubtful. Texts are redacted.",
    contract=Reviews,
    reads=("reviews", "articles", "purchases"),
    build=build,
    checks=CHECKS,
    pictures=pictures,
    shows=(
        "review_id",
        "article_id",
        "rating",
        "language",
        "sentiment_score",
        "sentiment_label",
        "rating_gap",
    ),
)

REVIEW_PRODUCTS = Dataset(
    name="review_products",
    letter="E",
    description="One row per article with a review: ratings with a fair mean, sentiment now and over all, aspects, and "
    "what people complain about. Duplicates and spam do not count.",
    contract=ReviewProducts,
    reads=("reviews_nlp",),
    build=products.build,
    shows=("article_id", "n_reviews", "rating_mean", "rating_bayes", "sentiment_mean", "top_complaints"),
    # ten ratings of the category's mean weigh more than the few that most articles have
    pooled=("rating_bayes",),
)
