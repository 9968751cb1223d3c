"""Dataset E, learning: what a tenant's rated reviews teach, when it is published, and that nobody judges himself."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from cdp_assets.datasets.model import Audit, Built
from cdp_assets.datasets.reviews import REVIEWS, checks, learned
from cdp_assets.datasets.reviews.sentiment import label_of
from tests.test_dataset_reviews import SCOPE, inputs, review

TELLING = {
    1: "went straight back, seams everywhere, never again from here",
    3: "ordered a size up, length as shown, wore it twice",
    5: "compliments all evening, already ordered the blue one, my go to",
}
"""Stars -> phrases without a word that the lexicon knows: only ratings can teach what they mean."""
FILLER = [
    "dress",
    "skirt",
    "sleeve",
    "button",
    "fabric",
    "table",
    "evening",
    "office",
    "colour",
    "photo",
    "week",
    "shop",
]


def told(stars: int, number: int, filler: list[str] = FILLER) -> str:
    """A review with one of the phrases of its stars among other words, unlike any other."""
    draw = random.Random(number)
    words = draw.sample(filler, 6)
    return " ".join(
        [*words[:3], draw.choice(TELLING[stars].split(", ")), *words[3:], f"{'x' * (number % 7 + 1)}"]
    )


def rated(count: int = 360) -> list[dict[str, Any]]:
    """Reviews with one, three and five stars in turn, each by a customer of its own."""
    return [
        review(number, told(stars, number), rating=float(stars))
        for number in range(count)
        for stars in [(1, 3, 5)[number % 3]]
    ]


def build(reviews: list[dict[str, Any]]) -> Built:
    """The dataset of these reviews."""
    return REVIEWS.build(SCOPE, **inputs(*reviews))


def methods(built: Built) -> set[str]:
    """What read the texts."""
    return set(built.table["sentiment_method"])


@pytest.fixture(scope="module")
def taught() -> Built:
    """The dataset of enough rated reviews."""
    return build(rated())


def test_ratings_teach_what_no_lexicon_knows(taught: Built) -> None:
    assert taught.numbers["sentiment_en"] == "learned"
    assert taught.numbers["f1_learned_en"] > 0.9
    assert taught.numbers["f1_lexicon_en"] < 0.6
    stars = taught.table.select(label_of((pl.col("rating") - 1) / 4)).to_series()
    assert (stars == taught.table["sentiment_label"]).mean() > 0.9


def test_a_learned_dataset_keeps_its_contract(taught: Built) -> None:
    assert REVIEWS.contract.validate(taught.table).height == 360


@pytest.mark.parametrize("number", [0, 7, 101])
def test_no_review_judges_itself(taught: Built, number: int) -> None:
    turned = rated()
    turned[number]["rating"] = 6.0 - turned[number]["rating"] if number % 3 != 1 else 5.0
    key = pl.col("review_id") == f"leo:{number}"
    score = pl.col("sentiment_score")
    assert build(turned).table.filter(key).select(score).equals(taught.table.filter(key).select(score))


def test_a_text_without_stars_is_read_by_the_model_too() -> None:
    unrated = review(1000, told(1, 1000), rating=None)
    row = build([*rated(), unrated]).table.row(by_predicate=pl.col("review_id") == "leo:1000", named=True)
    assert (row["sentiment_method"], row["sentiment_label"]) == ("learned", "negative")


def test_equal_texts_have_equal_scores_whatever_their_stars() -> None:
    twins = [review(2000 + stars, told(3, 2000), rating=float(stars)) for stars in (1, 3, 5)]
    table = build([*rated(), *twins]).table
    scores = table.filter(pl.col("review_id").is_in([twin["review_id"] for twin in twins]))["sentiment_score"]
    assert scores.n_unique() == 1


def test_below_some_hundreds_of_ratings_the_lexicon_answers() -> None:
    found = build(rated(learned.MIN_RATINGS - 1))
    assert found.numbers["sentiment_en"] == "lexicon"
    assert "learned" not in methods(found)


def test_a_label_that_is_hardly_given_teaches_nothing() -> None:
    praise = [row for row in rated(1000) if row["rating"] == 5.0]
    found = build([*praise, *[row for row in rated(30) if row["rating"] != 5.0]])
    assert methods(found) == {"vader"}


def test_a_wave_of_copies_teaches_once() -> None:
    copies = [review(number, told(1, 1), rating=1.0) for number in range(3000, 3400)]
    assert build([*rated(150), *copies]).numbers["sentiment_en"] == "lexicon"


def test_a_model_worse_than_the_lexicon_is_not_published() -> None:
    """Stars by the lexicon's own labels: it is always right."""
    words = ["love", "hate", "table", "nice but slow"]
    texts = [f"{told(5, number)} {words[number % 4]} {told(1, number)}" for number in range(420)]
    unrated = build([review(number, text, rating=None) for number, text in enumerate(texts)]).table
    labels = dict(unrated.select("review_id", "sentiment_label").iter_rows())
    stars = {"negative": 1.0, "neutral": 3.0, "positive": 5.0}
    found = build(
        [review(number, text, rating=stars[labels[f"leo:{number}"]]) for number, text in enumerate(texts)]
    )
    assert found.numbers["f1_lexicon_en"] == 1.0
    assert found.numbers["f1_learned_en"] < 1.0
    assert found.numbers["sentiment_en"] == "lexicon"
    assert methods(found) == {"vader"}


def test_the_order_of_rows_moves_no_byte(taught: Built) -> None:
    mixed = rated()
    random.Random(1).shuffle(mixed)
    again = build(mixed)
    assert again.table.sort("review_id").equals(taught.table.sort("review_id"))
    assert again.files == taught.files


def test_the_card_explains_the_model_and_names_nobody() -> None:
    named = rated()
    for row in named[: learned.MIN_PEOPLE - 1]:
        row["comment"] += " zuzanna"
    (lesson,) = json.loads(build(named).files[learned.CARD])["languages"]
    assert sum(lesson["ratings"].values()) > 350
    assert lesson["answers"] == "learned"
    words = {word for listed in lesson["words"].values() for word in listed}
    assert "compliments" in words
    assert "zuzanna" not in words


def measured(built: Built) -> Any:
    """What the check says of a build."""
    return checks.agrees_with_stars(
        Audit(SCOPE, built.table, built.table.head(0), inputs(), built, (), lambda: None)
    )


def test_the_check_reports_both_and_passes(taught: Built) -> None:
    found = measured(taught)
    assert found.passed
    assert "learned reads it" in found.says
    assert found.numbers["f1_learned_en"] > found.numbers["f1_lexicon_en"]


def test_the_check_names_a_language_whose_stars_mean_nothing(taught: Built) -> None:
    blind = replace(taught, numbers={**taught.numbers, "f1_lexicon_en": 0.31, "f1_learned_en": 0.33})
    found = measured(blind)
    assert not found.passed
    assert found.severity.value == "warn"
    assert [row[0] for row in found.sample] == ["en"]


def test_too_few_ratings_are_no_failure() -> None:
    assert measured(build(rated(30))).passed
