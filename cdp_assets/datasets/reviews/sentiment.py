"""What a text thinks of its subject: a score of 0 to 1, by clause and in the clause's own language.

Belongs here: which language decides a clause, how clauses add up, labels. English clauses go to VADER (`english`),
Vietnamese ones and faces to the lexicon (`vietnamese`); a text of both is weighed clause by clause.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cdp_assets.datasets.reviews import aspects, english, language, toxicity, vietnamese
from cdp_assets.datasets.reviews.clauses import split, words

NEGATIVE_BELOW, POSITIVE_FROM = 0.4, 0.6
"""Labels of seed 001: below 0.4 negative, below 0.6 neutral, else positive."""

TURN = 1.5
"""Weight of a clause that follows a `but`."""

ALPHA = english.ALPHA


@dataclass(frozen=True)
class Opinions:
    """What texts say.

    Attributes:
        texts: text_id, language, language_confidence, sentiment_score, sentiment_label, sentiment_method,
            sentiment_confidence, toxicity_score.
        aspects: text_id, aspect, score (0 to 1, null where the clause has no opinion), label, term; one row per text,
            aspect, in order of aspect.
    """

    texts: pl.DataFrame
    aspects: pl.DataFrame


def score_of(strength: pl.Expr) -> pl.Expr:
    """0 to 1 from a sum of strengths, 0.5 for none: VADER's normalisation s / sqrt(s * s + 15), moved to 0 to 1.

    Six digits, so that the order in which a sum was taken can never show.
    """
    return ((strength / (strength * strength + ALPHA).sqrt() + 1) / 2).round(6)


def label_of(score: pl.Expr) -> pl.Expr:
    """negative, neutral or positive; null for null."""
    return (
        pl.when(score < NEGATIVE_BELOW).then(pl.lit("negative"))
        .when(score < POSITIVE_FROM).then(pl.lit("neutral"))
        .when(score.is_not_null()).then(pl.lit("positive"))
    )  # fmt: skip


def opinions(texts: pl.DataFrame) -> Opinions:
    """What each text (text_id, said) says.

    The strength of a text is the sum over its clauses, 1.5 times after a `but`, divided by the square root of the
    number of clauses with an opinion, so that a long text is not extreme for its length alone. Its confidence is the
    share of clauses with an opinion times how sure the language is.
    """
    placed = split(texts)
    clauses = placed.select("clause").unique(maintain_order=True).with_row_index("clause_id")
    placed = placed.join(clauses, on="clause", maintain_order="left").drop("clause")
    clauses = clauses.with_columns(words(pl.col("clause")).alias("words"))
    tokens = clauses.select(
        "clause_id", pl.col("words").str.strip_chars().str.split("  ").alias("token")
    ).explode("token")
    evidence = language.of_clauses(clauses, tokens)
    placed = placed.join(evidence, on="clause_id", maintain_order="left")
    spoken = language.of_texts(placed)
    placed = placed.join(spoken, on="text_id", maintain_order="left").with_columns(_method().alias("method"))
    strengths = _strengths(clauses, placed)
    placed = placed.join(strengths, on=["clause_id", "method"], how="left", maintain_order="left")
    insults = toxicity.insults(clauses)
    scored = (
        placed.join(insults, on="clause_id", how="left", maintain_order="left")
        .group_by("text_id", maintain_order=True)
        .agg(
            (pl.col("strength") * pl.when("is_turn").then(TURN).otherwise(1.0)).sum().alias("total"),
            pl.col("strength").count().alias("opinions"),
            pl.len().alias("clauses"),
            pl.col("method")
            .filter(pl.col("method") != "none")
            .unique()
            .sort()
            .str.join("+")
            .alias("methods"),
            (pl.col("insults").sum() / pl.col("letters").sum().clip(1))
            .clip(0, 1)
            .round(6)
            .alias("toxicity_score"),
        )
        .join(spoken, on="text_id", maintain_order="left")
    )
    return Opinions(_judged(scored), aspects.found(clauses, placed, score_of, label_of))


def _method() -> pl.Expr:
    """Who decides a clause. A face is read alike in all languages; a text in another language is not read."""
    spoken = pl.col("language")
    is_english = (spoken == language.EN) | ((spoken == language.MIXED) & (pl.col("en") > pl.col("vi")))
    return (
        pl.when(pl.col("letters") == 0).then(pl.lit("lexicon"))
        .when(spoken == language.OTHER).then(pl.lit("none"))
        .when(is_english).then(pl.lit("vader"))
        .otherwise(pl.lit("lexicon"))
    )  # fmt: skip


def _strengths(clauses: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    """Strength of each clause by each method that some text reads it with: clause_id, method, strength."""
    wanted = placed.select("clause_id", "method").unique(maintain_order=True)

    def by(method: str) -> pl.DataFrame:
        return clauses.join(wanted.filter(pl.col("method") == method), on="clause_id", maintain_order="left")

    in_english = by("vader")
    return pl.concat(
        [
            in_english.select("clause_id", "method", english.strengths(in_english["clause"])),
            vietnamese.strengths(by("lexicon")).select(
                "clause_id", pl.lit("lexicon").alias("method"), "strength"
            ),
        ]
    )


def _judged(scored: pl.DataFrame) -> pl.DataFrame:
    """A text that is read and says nothing known is neutral; without a language, only a word or face gives a score."""
    opinions = pl.col("opinions")
    is_spoken = ~pl.col("language").is_in([language.NONE, language.OTHER])
    has_score = (pl.col("methods") != "") & ((opinions > 0) | is_spoken)
    sure = pl.when(is_spoken).then("language_confidence").otherwise(1.0)
    return scored.with_columns(
        pl.when(has_score).then(score_of(pl.col("total") / opinions.clip(1).sqrt())).alias("sentiment_score")
    ).select(
        "text_id",
        "language",
        "language_confidence",
        "sentiment_score",
        label_of(pl.col("sentiment_score")).alias("sentiment_label"),
        pl.when(has_score).then("methods").otherwise(pl.lit("none")).alias("sentiment_method"),
        pl.when(has_score).then((sure * opinions / pl.col("clauses")).round(6)).alias("sentiment_confidence"),
        "toxicity_score",
    )
