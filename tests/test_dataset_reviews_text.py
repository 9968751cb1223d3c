"""Dataset E, text: one spelling, nothing personal, and the language it is in."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.datasets.reviews.language import detect
from cdp_assets.datasets.reviews.normalise import normalise, repaired
from tests.review_texts import BY_LANGUAGE


def texts_of(*comments: str) -> list[str | None]:
    """`review_text` of each comment."""
    return normalise(pl.Series(comments))["review_text"].to_list()


def row_of(comment: str) -> dict[str, object]:
    """All that is known of one comment."""
    return normalise(pl.Series([comment])).row(0, named=True)


def language_of(text: str) -> str:
    """The language of one text."""
    return str(detect(pl.DataFrame({"text_id": [0], "said": [text]}))["language"].item())


def test_accents_capitals_punctuation_and_faces_stay() -> None:
    assert texts_of("  Hàng   ĐẸP lắm!!! 😍👍🏽  ") == ["Hàng ĐẸP lắm!!! 😍👍🏽"]


def test_composed_and_decomposed_letters_are_one_text() -> None:
    composed = "Chất lượng rất tốt, đẹp"
    first, second = (
        normalise(pl.Series([composed, unicodedata.normalize("NFD", composed)])).drop("comment").rows()
    )
    assert first == second


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("Chân thành".encode().decode("latin-1"), "Chân thành"),
        ("ĐẸP LẮM, đúng như hình".encode().decode("latin-1"), "ĐẸP LẮM, đúng như hình"),
        ("Hàng đẹp — ưng ý…".encode().decode("cp1252"), "Hàng đẹp — ưng ý..."),
        ("rất “ok”".encode().decode("latin-1"), "rất “ok”"),
        ("Gi&aacute; t&#7889;t &amp; nhanh", "Giá tốt & nhanh"),
        ("Ｇｏｏｄ <b>shop</b>", "Good shop"),
        ("Tốt\u200b lắm\u00ad", "Tốt lắm"),
        ("dòng một\r\n\r\n  dòng hai", "dòng một\ndòng hai"),
    ],
)
def test_what_a_system_broke_is_mended(broken: str, mended: str) -> None:
    assert texts_of(broken) == [mended]


@pytest.mark.parametrize(
    "good",
    ["Đẹp quá”“nhé", "á” hay", "MUA RỒI “ĐÔI NÀY ĐÃ”", "«đẹp quá»", "GIÁ CẢ Â’", "đá’ok", "MÃ–SỐ", "GIÃ…"],
)
def test_quotes_behind_an_accent_are_no_damage(good: str) -> None:
    assert repaired(pl.Series([good])).to_list() == [good]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("gọi 0912 345 678 nhé", "gọi [phone] nhé"),
        ("gọi +84 (912) 345-678 nhé", "gọi [phone] nhé"),
        ("gọi 0.9.1.2.3.4.5.6.7.8 nhé", "gọi [phone] nhé"),
        ("gọi ０９１２３４５６７８ nhé", "gọi [phone] nhé"),
        ("gọi 0\ufe0f\u20e39\ufe0f\u20e31\ufe0f\u20e32345678 nhé", "gọi [phone] nhé"),
        ("mail lan.nguyen+1@example.com nhé", "mail [email] nhé"),
        ("mail lan [at] example.com nhé", "mail [email] nhé"),
        ("mail lan @ example.com nhé", "mail [email] nhé"),
        ("xem https://example.com/a?b=c nhé", "xem [link] nhé"),
        ("xem www.example.com nhé", "xem [link] nhé"),
        ("đơn ORD-2024-0722-000151 chưa tới", "đơn [order] chưa tới"),
        ("mã đơn hàng 123456 chưa tới", "mã đơn hàng [order] chưa tới"),
        ("thẻ 4111 1111 1111 1111 nhé", "thẻ [number] nhé"),
        ("hộ chiếu B1234567 nhé", "hộ chiếu [order] nhé"),
        ("khóa 123e4567-e89b-12d3-a456-426614174000 nhé", "khóa [id] nhé"),
    ],
)
def test_whatever_leads_to_a_person_becomes_a_token(written: str, kept: str) -> None:
    assert texts_of(written) == [kept]


@pytest.mark.parametrize(
    "harmless",
    ["mặc size 38, cao 1m60", "giá 150.000 đ", "mua 2 hộp 250g, giao 3 ngày", "đẹp quá trời ơi", "10/10"],
)
def test_sizes_prices_and_days_stay(harmless: str) -> None:
    assert texts_of(harmless) == [harmless]
    assert row_of(harmless)["pii_found"] is False


def test_wide_eyes_are_no_address() -> None:
    assert row_of("đắt quá @@")["pii_found"] is False


def test_a_comment_with_a_phone_number_is_told() -> None:
    found = row_of("Shop tốt, gọi 0912345678")
    assert found["pii_found"] is True
    assert found["clean_text"] == "shop tốt gọi"


def test_words_without_accents_fold_the_letter_that_unicode_does_not_take_apart() -> None:
    assert row_of("Áo Đẹp, vải lụa")["folded"] == "ao dep vai lua"
    assert row_of("Áo Đẹp, vải lụa")["clean_text"] == "áo đẹp vải lụa"


def test_a_comment_without_a_word_has_no_words() -> None:
    assert row_of("😍👍")["clean_text"] is None
    assert row_of("😍👍")["review_text"] == "😍👍"
    assert row_of(" \u200b ")["review_text"] is None


@settings(max_examples=60, deadline=None)
@given(
    st.text("xin chào,. shop\n", max_size=12),
    st.sampled_from(["0912345678", "+84912345678", "849 1234 5678", "lan@example.com", "012345678901"]),
    st.text(" ok.!?()", max_size=6),
)
def test_no_surrounding_text_saves_a_number_or_an_address(before: str, secret: str, after: str) -> None:
    (text,) = texts_of(f"{before} {secret} {after}")
    digits = [letter for letter in text or "" if letter.isdigit()]
    assert "@" not in (text or "")
    assert len(digits) < 7


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_a_text_that_was_cleaned_is_clean(text: str) -> None:
    (once,) = texts_of(text)
    if once is not None:
        assert texts_of(once) == [once]


@pytest.mark.parametrize("language", BY_LANGUAGE)
def test_the_language_of_unseen_reviews_is_known(language: str) -> None:
    wrong = [text for _, text in BY_LANGUAGE[language] if language_of(text) != language]
    assert len(wrong) <= 0.05 * len(BY_LANGUAGE[language]), wrong


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("hang dep lam shop oi", "vi_noaccent"),
        ("Hàng đẹp lắm", "vi"),
        ("Hàng đẹp lắm shop ơi, very nice and good quality", "mixed"),
        ("Great value for the price. Giá hợp lý 😍", "mixed"),
        ("I love this bag from Hội An", "en"),
        ("非常好，很喜欢", "other"),
        ("Très bon produit", "other"),
        ("Отличный товар", "other"),
        ("😍👍", "none"),
        ("5/5", "none"),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert language_of(text) == language


def test_more_words_make_a_language_surer() -> None:
    found = detect(pl.DataFrame({"text_id": [0, 1], "said": ["đẹp", "đẹp lắm shop ơi, mình rất thích"]}))
    few, many = found.sort("text_id")["language_confidence"]
    assert 0 < few < many < 1
