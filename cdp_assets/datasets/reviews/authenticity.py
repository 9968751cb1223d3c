"""What makes a review doubtful: said before, spam, never bought.

Belongs here: what is known from the rows around a review. Nothing is dropped: each doubt is a column.
"""

from __future__ import annotations

from hashlib import sha256

import polars as pl

from cdp_assets.datasets.frames import UNKNOWN

BURST = 5
"""Reviews of one person on one day from which they are a burst."""

MIN_WORDS = 2
"""Seed 001's rule: fewer words, or fewer different words, say nothing. Faces and stars alone are no spam."""


def text_key(folded: pl.Series) -> pl.Series:
    """16 hexadecimal digits of the SHA-256 of the set of words; null without a word."""
    sets = folded.to_frame("folded").select(
        pl.col("folded").str.split(" ").list.unique().list.sort().list.join(" ")
    )
    keys = [text and sha256(text.encode()).hexdigest()[:16] for text in sets["folded"]]
    return pl.Series("text_key", keys, pl.String)


def duplicates(reviews: pl.DataFrame) -> pl.DataFrame:
    """`duplicate_of`: the first review in which the same person said the same, null for that first one.

    The same: the same words about anything, three or more of them (a copy), or the same stars for the same article on
    the same day (LEO and the shop both keep a review, the shop with a headline). Whoever is unknown repeats nobody.
    """
    known = reviews.filter(pl.col("customer_id") != UNKNOWN).sort("created_at", "review_id")
    first = pl.col("review_id").first()
    says_enough = pl.col("text_key").is_not_null() & (pl.col("review_length") > MIN_WORDS)
    same_opinion = (
        pl.col("article_id").is_not_null()
        & (pl.col("article_id") != UNKNOWN)
        & pl.col("rating").is_not_null()
    )
    found = known.select(
        "review_id",
        pl.when(same_opinion)
        .then(first.over("customer_id", "article_id", "rating", "written_on"))
        .alias("opinion"),
        pl.when(says_enough).then(first.over("customer_id", "text_key")).alias("copy"),
    ).select(
        "review_id",
        pl.coalesce(
            pl.when(pl.col(name) != pl.col("review_id")).then(name) for name in ("opinion", "copy")
        ).alias("duplicate_of"),
    )
    return reviews.join(found, on="review_id", how="left", maintain_order="left")


def spam(reviews: pl.DataFrame) -> pl.DataFrame:
    """`spam_reasons` and `is_spam`.

    contact: a link, or where to reach somebody; repeated: three words or more, and all the same; burst: five reviews or
    more of one person on one day, copies not counted; too_short: a text with letters, but one word of one letter.
    """
    words = pl.col("clean_text").str.split(" ")
    of_day = pl.col("duplicate_of").is_null().sum().over("customer_id", "written_on")
    reasons = {
        "burst": (pl.col("customer_id") != UNKNOWN) & (of_day >= BURST),
        "contact": pl.col("has_link") | pl.col("review_text").str.contains(r"\[(?:email|phone)\]"),
        "repeated": (pl.col("review_length") > MIN_WORDS) & (words.list.n_unique() < MIN_WORDS),
        "too_short": (pl.col("clean_text").str.len_chars() < MIN_WORDS),
    }
    return reviews.with_columns(
        pl.concat_list(
            pl.when(holds.fill_null(False)).then(pl.lit(reason)) for reason, holds in reasons.items()
        )
        .list.drop_nulls()
        .alias("spam_reasons")
    ).with_columns((pl.col("spam_reasons").list.len() > 0).alias("is_spam"))


def verified(reviews: pl.DataFrame, purchases: pl.DataFrame) -> pl.DataFrame:
    """`verified_purchase`: the writer had bought the article, in a sale, before writing."""
    bought = (
        purchases.filter(
            pl.col("is_revenue"), pl.col("customer_id") != UNKNOWN, pl.col("article_id") != UNKNOWN
        )
        .group_by("customer_id", "article_id")
        .agg(pl.col("purchased_at").min().alias("first_bought"))
    )
    return reviews.join(
        bought, on=["customer_id", "article_id"], how="left", maintain_order="left"
    ).with_columns(
        (pl.col("first_bought") <= pl.col("created_at")).fill_null(False).alias("verified_purchase")
    )
