"""Dataset E, opinions: what texts think in Vietnamese with and without accents and in English, and of what."""

from __future__ import annotations

import polars as pl
import pytest
from sklearn.metrics import f1_score

from cdp_assets import demo
from cdp_assets.datasets.reviews import lexicon_vi
from cdp_assets.datasets.reviews.normalise import normalise
from cdp_assets.datasets.reviews.sentiment import Opinions, opinions
from cdp_assets.datasets.reviews.vietnamese import keys
from tests.review_texts import BY_LANGUAGE

SIGNS = {"negative": -1, "neutral": 0, "positive": 1}
SPOKEN = {"vi": "vi", "vi-plain": "vi_noaccent", "en": "en", "mixed": "mixed", "emoji": "none"}
"""Language in the demo world -> as it is detected."""


def opinions_of(*texts: str) -> Opinions:
    """What texts say, one after the other."""
    return opinions(pl.DataFrame({"text_id": range(len(texts)), "said": texts}))


def score_of(text: str) -> float:
    """The score of one text."""
    return float(opinions_of(text).texts["sentiment_score"].item())


def label_of(text: str) -> str | None:
    """The label of one text."""
    found: str | None = opinions_of(text).texts["sentiment_label"].item()
    return found


def aspects_of(text: str) -> dict[str, str | None]:
    """Aspect -> label, of one text."""
    return dict(opinions_of(text).aspects.select("aspect", "label").iter_rows())


def macro_f1(truth: list[int], texts: list[str]) -> float:
    """Mean of the F1 of bad, neither and good."""
    known = normalise(pl.Series(texts)).with_row_index("text_id")
    read = known.join(opinions(known.select("text_id", "said")).texts, on="text_id")
    label = dict(read.select("comment", "sentiment_label").iter_rows())
    return float(f1_score(truth, [SIGNS[label[text]] for text in texts], average="macro"))


@pytest.fixture(scope="module")
def told() -> pl.DataFrame:
    """Texts of the demo world with their truth and their language."""
    reviews = [
        (SPOKEN[review.language], review.sentiment, review.text)
        for tenant in ("acme-demo", "nova-demo")
        for review in demo.tenant_at(tenant).model.reviews
        if review.kind != "CONTACT" and review.text
    ]
    return pl.DataFrame(reviews, schema=["language", "truth", "text"], orient="row")


@pytest.mark.parametrize("language", ["vi", "vi_noaccent", "en", "mixed", "none"])
def test_opinions_of_the_demo_world_are_read(told: pl.DataFrame, language: str) -> None:
    rows = told.filter(pl.col("language") == language)
    assert rows.height >= 10
    assert macro_f1(rows["truth"].to_list(), rows["text"].to_list()) >= 0.75


@pytest.mark.parametrize("language", BY_LANGUAGE)
def test_opinions_of_unseen_reviews_are_read(language: str) -> None:
    truth, texts = zip(*BY_LANGUAGE[language], strict=True)
    assert macro_f1(list(truth), list(texts)) >= 0.75


def test_praise_and_complaint_are_apart_where_vader_sees_nothing() -> None:
    assert score_of("Hàng rất đẹp, mình rất thích") > 0.8
    assert score_of("Hàng quá xấu, rất thất vọng") < 0.2


@pytest.mark.parametrize("text", ["Chất lượng rất tốt", "Giao hàng quá chậm", "Hàng không đẹp", "Hộp bị móp"])
def test_accents_change_nothing(text: str) -> None:
    (bare,) = normalise(pl.Series([text]))["folded"]
    assert score_of(bare) == score_of(text)


def test_a_negator_turns_and_weakens() -> None:
    assert score_of("không đẹp") < 0.5 < score_of("đẹp")
    assert 1 - score_of("không đẹp") < score_of("đẹp")


def test_a_negator_reaches_the_next_opinion_only() -> None:
    assert label_of("không đẹp giao nhanh lắm") != label_of("không đẹp")


@pytest.mark.parametrize(
    "text",
    [
        "không đẹp như hình", "không tốt như mong đợi", "chẳng đẹp như ảnh", "ko đẹp lắm như quảng cáo",
        "khong dep nhu hinh", "không được như mong đợi", "không đúng như mô tả", "màu không giống như hình",
    ],
)  # fmt: skip
def test_negation_holds_for_the_comparison_of_its_phrase(text: str) -> None:
    assert label_of(text) == "negative"


def test_negation_holds_for_what_is_joined_and_alike() -> None:
    assert label_of("không đẹp và bền") == "negative"
    assert label_of("không đắt và đẹp") == "positive"


def test_a_comparison_without_a_negator_is_praise() -> None:
    assert label_of("đẹp như hình") == label_of("đúng như mong đợi") == "positive"


@pytest.mark.parametrize("text", ["giá 50 k rẻ", "giá 250 K đẹp", "túi 5 kg đẹp", "giá 50k rẻ"])
def test_a_unit_after_a_number_negates_nothing(text: str) -> None:
    assert label_of(text) == "positive"


def test_a_negator_after_a_price_still_negates() -> None:
    assert score_of("giá 20k k đẹp") < 0.5


@pytest.mark.parametrize(
    "text", ["chả ra gì", "hàng chẳng ra gì", "ko ra gì", "dùng không ra hồn", "cha ra gi"]
)
def test_good_for_nothing_is_a_complaint(text: str) -> None:
    assert label_of(text) == "negative"


def test_not_only_is_no_negation() -> None:
    assert label_of("Không chỉ đẹp mà còn bền") == "positive"


def test_intensifiers_strengthen_on_either_side_and_weaken() -> None:
    assert score_of("rất đẹp") == score_of("đẹp lắm") > score_of("đẹp") > score_of("hơi đẹp") > 0.5


def test_what_follows_a_but_counts_more() -> None:
    assert score_of("giao chậm nhưng hàng đẹp") > score_of("hàng đẹp nhưng giao chậm")
    assert score_of("slow delivery but beautiful bag") > score_of("beautiful bag but slow delivery")


def test_the_spelling_of_chat_is_read() -> None:
    assert score_of("hàng k đẹp") == score_of("hàng không đẹp")
    assert score_of("sp bt") == 0.5
    assert score_of("đẹpppp quáaaa") == score_of("đẹp quá")


def test_both_places_of_the_tone_are_read() -> None:
    assert score_of("thật là thoả thích") == score_of("thật là thỏa thích")


def test_faces_speak_in_every_language() -> None:
    assert label_of("😍👍") == "positive"
    assert label_of("😡👎🏽") == "negative"
    assert score_of("hàng về rồi 😍") > score_of("hàng về rồi")
    assert score_of("it arrived :)") > score_of("it arrived")
    assert label_of("非常好 😍") == "positive"


def test_a_language_that_is_not_read_has_no_score() -> None:
    found = opinions_of("非常好").texts.row(0, named=True)
    assert (found["language"], found["sentiment_method"], found["sentiment_score"]) == ("other", "none", None)


def test_a_text_of_both_languages_is_read_in_both() -> None:
    both = opinions_of("Very good quality and great price. Giao hàng quá chậm, shop không trả lời").texts.row(
        0, named=True
    )
    assert (both["language"], both["sentiment_method"]) == ("mixed", "lexicon+vader")
    assert abs(both["sentiment_score"] - 0.5) < abs(score_of("Very good quality and great price") - 0.5)


def test_confidence_is_the_share_of_clauses_with_an_opinion() -> None:
    found = opinions_of("hàng đẹp lắm", "hàng đẹp lắm, mình mua cho mẹ, mẹ ở quê").texts
    all_of_it, a_third = found["sentiment_confidence"] / found["language_confidence"]
    assert (round(all_of_it, 3), round(a_third, 3)) == (1.0, 0.333)


def test_clauses_name_aspects_with_opinions_of_their_own() -> None:
    assert aspects_of("Chất lượng rất tốt, giao hàng quá chậm, giá bình thường") == {
        "quality": "positive",
        "delivery": "negative",
        "price": "neutral",
    }
    assert aspects_of("Great fabric. The box was crushed and the seller was rude.") == {
        "material": "positive",
        "packaging": "negative",
        "service": "negative",
    }


def test_an_aspect_without_an_opinion_has_no_label() -> None:
    assert aspects_of("mình mua size M") == {"size": None}


def test_reasonable_is_no_box() -> None:
    assert aspects_of("gia hop ly") == {"price": "positive"}


def test_every_aspect_of_the_demo_worlds_opinions_is_found() -> None:
    from cdp_assets.demo.vocabulary import OPINIONS

    said = [opinion for spoken in OPINIONS.values() for opinion in spoken]
    missed = [
        text for aspect, *both in said for text in both if aspect not in aspects_of(text)
        and not text.startswith("A bit slow")  # names nothing
    ]  # fmt: skip
    assert missed == []


def test_insults_are_counted_among_the_words() -> None:
    found = opinions_of("shop mất dạy", "hàng đẹp").texts["toxicity_score"]
    assert found.to_list() == [0.666667, 0.0]


def test_no_spelling_without_accents_means_praise_and_complaint() -> None:
    signs: dict[str, set[bool]] = {}
    for strength, stems in lexicon_vi.STEMS.items():
        for spelling in keys(stems):
            signs.setdefault(spelling, set()).add(strength > 0)
    assert [spelling for spelling, found in signs.items() if len(found) > 1] == []
