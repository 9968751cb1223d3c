"""From reviews to one row per review with language, opinion, aspects, and what makes it doubtful.

Belongs here: putting the parts together. Each distinct comment is looked at once. The raw comment ends here: what
leaves is redacted.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.datasets.model import Built, Scope
from cdp_assets.datasets.reviews import authenticity, learned
from cdp_assets.datasets.reviews.checks import looks_personal
from cdp_assets.datasets.reviews.contract import Reviews
from cdp_assets.datasets.reviews.language import LANGUAGES, NONE
from cdp_assets.datasets.reviews.learned import Lesson
from cdp_assets.datasets.reviews.normalise import normalise
from cdp_assets.datasets.reviews.sentiment import Opinions, opinions

CONFLICT = 0.6
"""Distance of stars and words, both on 0 to 1, from which they contradict each other."""


def build(scope: Scope, reviews: pl.DataFrame, articles: pl.DataFrame, purchases: pl.DataFrame) -> Built:
    """All reviews and ratings written until the end of `as_of`; those without words keep their stars.

    `rating_gap` = (rating - 1) / 4 - sentiment_score: above 0 the stars are kinder than the words.
    """
    reviews = reviews.sort("review_id")
    texts = _withheld(normalise(reviews["comment"])).with_row_index("text_id")
    # the same words in whatever order, case, accents and number: SHA-256 is the same on every machine
    texts = texts.with_columns(authenticity.text_key(texts["folded"]))
    said = opinions(texts.select("text_id", "said"))
    rated = reviews.filter(pl.col("rating").is_not_null()).join(texts, on="comment").select(
        "text_id", "rating", "customer_id", "created_at", "review_id"
    )  # fmt: skip
    read, lessons = learned.read_again(
        rated,
        texts.select("text_id", "clean_text", "folded", "text_key").join(
            said.texts, on="text_id", maintain_order="left"
        ),
    )
    said = Opinions(said.texts.drop(read.columns[1:]).join(read, on="text_id"), said.aspects)
    local_day = pl.col("created_at").dt.convert_time_zone(scope.timezone).dt.date()
    table = (
        reviews.join(_described(texts, said), on="comment", how="left", maintain_order="left")
        .join(
            articles.select("article_id", "category_id"), on="article_id", how="left", maintain_order="left"
        )
        .rename({"source": "review_source"})
        .drop("language")
        .rename({"spoken": "language"})
        .with_columns(
            local_day.alias("written_on"),
            (pl.lit(scope.as_of) - local_day).dt.total_days().alias("review_age_days"),
            pl.col("review_length").fill_null(0),
            pl.col("language").fill_null(NONE),
            pl.col("language_confidence", "toxicity_score").fill_null(0.0),
            pl.col("sentiment_method").fill_null("none"),
            pl.col("aspects").fill_null([]),
            pl.col("pii_found", "has_link").fill_null(False),
            ((pl.col("rating") - 1) / 4 - pl.col("sentiment_score")).alias("rating_gap"),
            # vectors are made of LEO's reviews that have a text: `embedding.review_embedding.entity_key`
            pl.when(pl.col("review_source") == "leo", pl.col("review_text").is_not_null())
            .then(pl.col("review_id").str.strip_prefix("leo:"))
            .alias("bert_embedding_ref"),
        )
        .with_columns(pl.col("rating_gap").abs().gt(CONFLICT).alias("rating_sentiment_conflict"))
        .pipe(authenticity.duplicates)
        .pipe(authenticity.spam)
        .pipe(authenticity.verified, purchases)
        .select(*Reviews.columns())
    )
    return Built(
        table,
        files={learned.CARD: learned.card(lessons)},
        time_column="created_at",
        numbers={**_numbers(table), **_taught(lessons)},
    )


def _withheld(texts: pl.DataFrame) -> pl.DataFrame:
    """Texts without those in which the redaction left something: one must neither tell it nor stop the others."""
    kept = pl.lit(~looks_personal(texts))
    return texts.with_columns(
        pl.col("pii_found") | ~kept,
        pl.when(kept).then("said").otherwise(pl.lit("")).alias("said"),
        *(pl.when(kept).then(name).alias(name) for name in ("review_text", "clean_text", "folded")),
    )


def _described(texts: pl.DataFrame, said: Opinions) -> pl.DataFrame:
    """Everything that follows from a comment alone, one row per distinct comment."""
    aspects = said.aspects.group_by("text_id", maintain_order=True).agg(
        pl.struct("aspect", "score", "label", "term").alias("aspects")
    )
    return (
        texts.join(said.texts.rename({"language": "spoken"}), on="text_id", how="left", maintain_order="left")
        .join(aspects, on="text_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("clean_text").str.split(" ").list.len().cast(pl.Int64).alias("review_length"),
        )
        .drop("text_id", "said", "folded")
    )


def _taught(lessons: list[Lesson]) -> dict[str, float | int | str]:
    """Who reads each language, and how well: macro-F1 against the stars, for the check and the asset's page."""
    numbers: dict[str, float | int | str] = {}
    for lesson in lessons:
        numbers[f"sentiment_{lesson.family}"] = lesson.answers
        numbers[f"rated_{lesson.family}"] = lesson.rated
        if lesson.lexicon_f1 is not None and lesson.learned_f1 is not None:
            numbers[f"f1_lexicon_{lesson.family}"] = lesson.lexicon_f1
            numbers[f"f1_learned_{lesson.family}"] = lesson.learned_f1
    return numbers


def _numbers(table: pl.DataFrame) -> dict[str, float | int | str]:
    spoken = table.filter(pl.col("review_text").is_not_null())["language"].value_counts()
    of = dict(spoken.iter_rows())
    return {
        "without_text": table["review_text"].null_count(),
        "conflicts": int(table["rating_sentiment_conflict"].sum() or 0),
        "spam": int(table["is_spam"].sum()),
        "duplicates": table.height - table["duplicate_of"].null_count(),
        "with_personal_data": int(table["pii_found"].sum()),
        **{f"language_{language}": of.get(language, 0) for language in LANGUAGES},
    }
