"""What a tenant's own rated reviews teach: a model of stars from words, per language, where it beats the lexicons.

Belongs here: folds, features, fit, the comparison with the lexicons, and the card that explains the model. Does not
belong here: the lexicons (`sentiment`). A review never judges itself: texts fall into five folds by their words, and
each fold is read by the model of the other four.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from cdp_assets.datasets.reviews import language
from cdp_assets.datasets.reviews.sentiment import label_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LABELS = ("negative", "neutral", "positive")
FAMILIES = {
    language.VI: "vi", language.VI_NOACCENT: "vi", language.MIXED: "vi", language.EN: "en",
}  # fmt: skip
"""Language of a text -> the model that reads it. A text in another language, or in none, teaches nothing."""

MIN_RATINGS, MIN_PER_LABEL = 300, 20
"""Rated texts, and those of each label in any four folds, below which the lexicon answers: too few to trust."""

MAX_RATINGS = 20_000
"""Newest rated texts that teach: more cost minutes and add nothing that could be measured."""

FOLDS = 5
MIN_PEOPLE, WORDS = 5, 15
"""The card names this many words per label, and only words that so many people wrote: no word leads to a person."""

METHOD = "learned"
CARD = "sentiment.json"
"""Name of the file of the version that explains the models."""


@dataclass(frozen=True)
class Lesson:
    """What the rated reviews of one language taught.

    Attributes:
        family: `vi` or `en`.
        ratings: rated texts by label: stars 1 and 2, 3, 4 and 5.
        lexicon_f1, learned_f1: macro-F1 of the three labels over the same rated texts, out of fold; None where there
            are too few of them.
        answers: who reads this language: `learned` if its F1 is at least the lexicon's, else `lexicon`.
        words: label -> words that speak most for it.
    """

    family: str
    ratings: Mapping[str, int]
    lexicon_f1: float | None = None
    learned_f1: float | None = None
    answers: str = "lexicon"
    words: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def rated(self) -> int:
        """Rated texts."""
        return sum(self.ratings.values())


def read_again(rated: pl.DataFrame, texts: pl.DataFrame) -> tuple[pl.DataFrame, list[Lesson]]:
    """The opinions of texts, by the model of their language where one is better than the lexicon.

    Args:
        rated: reviews with stars: text_id, rating, customer_id, created_at, review_id.
        texts: text_id, clean_text, folded, text_key, language, and what the lexicons say: sentiment_score,
            sentiment_label, sentiment_method, sentiment_confidence.

    Returns:
        text_id and the four columns of sentiment: the score of a learned text is P(positive) + P(neutral) / 2, its
        confidence the probability of the likeliest label; and one lesson per language that has texts.
    """
    texts = texts.with_columns(
        pl.col("language").replace_strict(FAMILIES, default=None, return_dtype=pl.String).alias("family"),
        pl.col("text_key").str.slice(0, 8).str.to_integer(base=16).mod(FOLDS).alias("fold"),
    )
    opinion = ("sentiment_score", "sentiment_label", "sentiment_method", "sentiment_confidence")
    answers, lessons = [texts.select("text_id", *opinion)], []
    for family in sorted(set(FAMILIES.values())):
        known = texts.filter(pl.col("family") == family, pl.col("clean_text").is_not_null())
        if known.is_empty():
            continue
        lesson, read = _lesson(family, known, rated)
        lessons.append(lesson)
        if lesson.answers == METHOD:
            answers.append(read.select("text_id", *opinion))
    latest = pl.concat(answers).unique("text_id", keep="last", maintain_order=True)
    return texts.select("text_id").join(latest, on="text_id", maintain_order="left"), lessons


def card(lessons: list[Lesson]) -> bytes:
    """The models as a file of the version: what they learned from, how good they are, which words decide."""
    figures: dict[str, Any] = {
        "model": "TF-IDF of words (1 to 2) and letters within words (2 to 5), and the lexicon's score, in a logistic "
        "regression with balanced classes",
        "labels": "stars 1-2 negative, 3 neutral, 4-5 positive",
        "folds": FOLDS,
        "min_ratings": MIN_RATINGS,
        "languages": [asdict(lesson) for lesson in lessons],
    }
    return json.dumps(figures, indent=2, ensure_ascii=False).encode() + b"\n"


def _lesson(family: str, texts: pl.DataFrame, rated: pl.DataFrame) -> tuple[Lesson, pl.DataFrame]:
    """What a language's texts teach, and the texts as the model reads them."""
    rows = (
        rated.join(texts.with_row_index("place"), on="text_id")
        .with_columns(label_of((pl.col("rating") - 1) / 4).alias("stars"))
        .sort("created_at", "review_id", descending=True)
        # a wave of copies teaches once
        .unique(["text_key", "stars"], keep="first", maintain_order=True)
        .head(MAX_RATINGS)
    )
    counts = dict(rows["stars"].value_counts().iter_rows())
    lesson = Lesson(family, {label: counts.get(label, 0) for label in LABELS})
    if lesson.rated < MIN_RATINGS or not _teaches_all(rows):
        return lesson, texts
    features, words = _features(texts)
    chances, weights = _out_of_fold(features, texts["fold"].to_numpy(), rows)
    read = texts.with_columns(
        pl.Series("sentiment_score", (chances[:, 2] + chances[:, 1] / 2).round(6)),
        pl.lit(METHOD).alias("sentiment_method"),
        pl.Series("sentiment_confidence", chances.max(axis=1).round(6)),
    ).with_columns(label_of(pl.col("sentiment_score")).alias("sentiment_label"))
    truth, places = rows["stars"], rows["place"].to_numpy()
    # a text that the lexicon says nothing of is neutral to whoever asks it
    lexicon_f1 = _macro_f1(truth, texts["sentiment_label"].fill_null("neutral").gather(places))
    learned_f1 = _macro_f1(truth, read["sentiment_label"].gather(places))
    return Lesson(
        family,
        lesson.ratings,
        round(lexicon_f1, 4),
        round(learned_f1, 4),
        METHOD if learned_f1 >= lexicon_f1 else "lexicon",
        _words(words, weights, rows),
    ), read


def _teaches_all(rows: pl.DataFrame) -> bool:
    """Whether every fold's four others hold enough texts of each label."""
    held = pl.DataFrame({"held": range(FOLDS)}, schema={"held": rows.schema["fold"]})
    others = rows.join(held, how="cross").filter(pl.col("fold") != pl.col("held"))
    sizes = others.group_by("held", "stars").len()
    return sizes.filter(pl.col("len") >= MIN_PER_LABEL).height == FOLDS * len(LABELS)


def _features(texts: pl.DataFrame) -> tuple[csr_matrix, list[str]]:
    """One row per text: words and pairs of words, letters of the words without accents, and the lexicon's score.

    Without accents, since the same writers leave them out on one day and not on the next. Counting words learns nothing
    from stars, so it is done once for all folds.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    common: dict[str, Any] = {"min_df": 2, "sublinear_tf": True, "lowercase": False, "dtype": np.float64}
    words = TfidfVectorizer(
        tokenizer=str.split, token_pattern=None, ngram_range=(1, 2), max_features=50_000, **common
    )
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), max_features=100_000, **common)
    columns = [
        words.fit_transform(texts["clean_text"].to_list()),
        letters.fit_transform(texts["folded"].to_list()),
        csr_matrix(texts["sentiment_score"].fill_null(0.5).to_numpy().reshape(-1, 1)),
    ]
    return hstack(columns).tocsr(), list(words.get_feature_names_out())


def _out_of_fold(
    features: csr_matrix, folds: np.ndarray, rows: pl.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Chances of the labels of every text by the model that never saw its fold, and the mean weights of features."""
    from sklearn.linear_model import LogisticRegression

    places, stars = rows["place"].to_numpy(), rows["stars"].to_numpy()
    chances = np.zeros((features.shape[0], len(LABELS)))
    weights = np.zeros((len(LABELS), features.shape[1]))
    # with more threads sums are taken in another order, and the last digits with them
    with threadpool_limits(1):
        for fold in range(FOLDS):
            others = folds[places] != fold
            model = LogisticRegression(class_weight="balanced", max_iter=500)
            model.fit(features[places[others]], stars[others])
            asked = folds == fold
            if asked.any():
                chances[asked] = model.predict_proba(features[asked])
            weights += model.coef_ / FOLDS
    return chances, weights


def _macro_f1(truth: pl.Series, said: pl.Series) -> float:
    from sklearn.metrics import f1_score

    return float(
        f1_score(truth.to_list(), said.to_list(), labels=list(LABELS), average="macro", zero_division=0.0)
    )


def _words(words: list[str], weights: np.ndarray, rows: pl.DataFrame) -> dict[str, list[str]]:
    """Single words with the highest weights of each label, among those that enough people wrote."""
    people = (
        rows.select("customer_id", pl.col("clean_text").str.split(" ").list.unique().alias("word"))
        .explode("word")
        .unique()
        .group_by("word")
        .len("people")
        .filter(pl.col("people") >= MIN_PEOPLE)
    )
    common = set(people["word"])
    ranked = {}
    for label, weight in zip(LABELS, weights[:, : len(words)], strict=True):
        order = np.argsort(-weight, kind="stable")
        ranked[label] = [words[place] for place in order if words[place] in common and weight[place] > 0][
            :WORDS
        ]
    return ranked
