"""Dataset E: one row per review, what makes one doubtful, what it adds up to, and what is checked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.model import Audit, Built, Scope
from cdp_assets.datasets.reviews import REVIEW_PRODUCTS, REVIEWS, checks
from cdp_assets.datasets.reviews import build as build_module
from cdp_assets.datasets.reviews.sentiment import label_of
from cdp_assets.quality import Measure, Severity
from cdp_assets.warehouse.frames import as_text

SCOPE = Scope("acme", date(2026, 6, 29), "Asia/Ho_Chi_Minh", "VND")
T0 = datetime(2026, 6, 1, 3, tzinfo=UTC)


def frame(name: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of an input; what they leave out is null."""
    schema = FRAMES[name].schema
    return pl.DataFrame([{**dict.fromkeys(schema), **row} for row in rows], schema=dict(schema))


def review(number: int, comment: str | None = "Hàng đẹp lắm", **values: Any) -> dict[str, Any]:
    """A review of article a by customer c<number>, five stars."""
    return {
        "review_id": f"leo:{number}", "source": "leo", "customer_id": f"c{number}", "article_id": "a", "rating": 5.0,
        "comment": comment, "created_at": T0, **values,
    }  # fmt: skip


def inputs(*reviews: dict[str, Any], purchases: tuple[dict[str, Any], ...] = ()) -> dict[str, pl.DataFrame]:
    """The frames that dataset E reads; articles a and b are sold."""
    return {
        "reviews": frame("reviews", *reviews),
        "articles": frame(
            "articles", {"article_id": "a", "category_id": 3}, {"article_id": "b", "category_id": 3}
        ),
        "purchases": frame("purchases", *purchases),
    }


def built(*reviews: dict[str, Any], **others: Any) -> pl.DataFrame:
    """Rows that keep the contract, by review_id; all must."""
    table = REVIEWS.build(SCOPE, **inputs(*reviews, **others)).table
    return REVIEWS.contract.validate(table).sort("review_id")


def audit(
    *reviews: dict[str, Any], table: pl.DataFrame | None = None, previous: pl.DataFrame | None = None
) -> Audit:
    """What checks look at."""
    found = REVIEWS.build(SCOPE, **inputs(*reviews))
    rows = found.table if table is None else table
    return Audit(SCOPE, rows, rows.head(0), inputs(*reviews), found, (), lambda: previous)


def products(*reviews: dict[str, Any]) -> pl.DataFrame:
    """The roll-up of reviews, by article, through the JSON text that the table gives back."""
    rows = as_text(built(*reviews)).select(FRAMES["reviews_nlp"].schema.keys())
    table: Built = REVIEW_PRODUCTS.build(SCOPE, rows)
    return REVIEW_PRODUCTS.contract.validate(table.table).sort("article_id")


def column(table: pl.DataFrame, name: str) -> list[Any]:
    """Values of a column."""
    return table[name].to_list()


def test_a_review_without_words_keeps_its_stars() -> None:
    row = built(review(1, None)).row(0, named=True)
    assert (row["rating"], row["language"], row["sentiment_label"], row["rating_gap"]) == (
        5.0,
        "none",
        None,
        None,
    )
    assert (row["aspects"], row["review_length"], row["is_spam"]) == ([], 0, False)


def test_stars_and_words_that_contradict_each_other_are_told() -> None:
    table = built(review(1, "Quá tệ, rất thất vọng"), review(2, "Tuyệt vời"), review(3, None))
    assert column(table, "rating_sentiment_conflict") == [True, False, None]
    score = table["sentiment_score"][0]
    assert table["rating_gap"][0] == pytest.approx(1 - score)


def test_age_is_counted_in_days_of_the_tenant() -> None:
    # 17:30 UTC is half past midnight of the next day in Vietnam
    late = datetime(2026, 6, 28, 17, 30, tzinfo=UTC)
    assert column(built(review(1, created_at=late)), "review_age_days") == [0]


def test_the_raw_comment_is_in_no_column() -> None:
    table = as_text(built(review(1, "Gọi mình 0912 345 678 hoặc lan@example.com nhé")))
    said = " ".join(str(value) for value in table.row(0))
    assert "0912" not in said
    assert "lan@" not in said
    assert column(table, "pii_found") == [True]


def test_a_category_comes_from_the_article() -> None:
    table = built(review(1), review(2, article_id=None), review(3, article_id="unknown"))
    assert column(table, "category_id") == [3, None, None]


def test_vectors_are_referred_to_where_there_are_some() -> None:
    table = built(review(1), review(2, None), review(3, review_id="shop:3", source="shop"))
    assert column(table, "bert_embedding_ref") == ["1", None, None]


def test_whoever_bought_before_writing_is_verified() -> None:
    bought = {
        "customer_id": "c1",
        "article_id": "a",
        "is_revenue": True,
        "purchased_at": T0 - timedelta(days=5),
    }
    cancelled = {**bought, "customer_id": "c2", "is_revenue": False}
    later = {**bought, "customer_id": "c3", "purchased_at": T0 + timedelta(seconds=1)}
    table = built(review(1), review(2), review(3), purchases=(bought, cancelled, later))
    assert column(table, "verified_purchase") == [True, False, False]


def test_buying_twice_doubles_no_review() -> None:
    bought = {
        "customer_id": "c1",
        "article_id": "a",
        "is_revenue": True,
        "purchased_at": T0,
        "line_total": Decimal(1),
    }
    assert built(review(1), purchases=(bought, bought)).height == 1


def test_the_same_opinion_in_both_sources_is_a_duplicate() -> None:
    shop = review(2, "Tuyệt vời\nHàng đẹp lắm", review_id="shop:2", source="shop", customer_id="c1")
    table = built(review(1), shop, review(3))
    assert column(table, "duplicate_of") == [None, None, "leo:1"]


def test_the_same_words_of_one_person_are_a_copy_whatever_their_dress() -> None:
    table = built(
        review(1, "Hàng đẹp lắm nhé"),
        review(
            2,
            "LAM dep, hang nhe!!! 😍",
            customer_id="c1",
            article_id="b",
            rating=4.0,
            created_at=T0 + timedelta(days=2),
        ),
        review(3, "Hàng đẹp lắm nhé"),
        review(4, "Hàng đẹp lắm nhé", customer_id="unknown"),
    )
    assert column(table, "duplicate_of") == [None, "leo:1", None, None]
    assert table["text_key"].n_unique() == 1


def test_stars_of_another_day_are_another_opinion() -> None:
    table = built(review(1, None), review(2, None, customer_id="c1", created_at=T0 + timedelta(days=1)))
    assert column(table, "duplicate_of") == [None, None]


@pytest.mark.parametrize(
    ("comment", "reasons"),
    [
        ("Mua rẻ hơn tại www.example.com", ["contact"]),
        ("liên hệ 0912345678", ["contact"]),
        ("good good good good", ["repeated"]),
        ("a", ["too_short"]),
        ("ok", []),
        ("đẹpppppp", []),
        ("😍", []),
        ("Tuyệt vời", []),
    ],
)
def test_spam_says_why(comment: str, reasons: list[str]) -> None:
    table = built(review(1, comment))
    assert column(table, "spam_reasons") == [reasons]
    assert column(table, "is_spam") == [bool(reasons)]


def test_five_reviews_of_one_person_on_one_day_are_a_burst() -> None:
    many = [
        review(n, f"Hàng số {n * 'x'} {'abcde'[n]}", customer_id="c", article_id=f"x{n}") for n in range(5)
    ]
    assert column(built(*many), "spam_reasons") == [["burst"]] * 5
    assert column(built(*many[:4]), "spam_reasons") == [[]] * 4


def test_the_order_of_the_rows_changes_nothing() -> None:
    rows = [
        review(n, text) for n, text in enumerate(("Hàng đẹp", "Very good bag", "giao cham qua", None, "đẹp"))
    ]
    assert built(*rows).equals(built(*rows[::-1]))


def test_no_reviews_are_no_rows() -> None:
    assert built().height == 0
    assert products().height == 0


def test_a_product_adds_up_what_people_think_once() -> None:
    shop = review(9, "Tuyệt vời\nHàng đẹp lắm", review_id="shop:9", source="shop", customer_id="c1")
    spam = review(8, "Mua tại www.example.com", rating=1.0)
    table = products(
        review(1), review(2, "Giao hàng quá chậm", rating=2.0), shop, spam, review(3, article_id=None)
    )
    row = table.row(0, named=True)
    assert (table.height, row["n_reviews"], row["rating_mean"], row["pct_negative"]) == (1, 2, 3.5, 0.5)
    assert row["rating_std"] == pytest.approx(2.1213, abs=1e-4)
    assert row["languages"] == [{"language": "vi", "n": 2}]


def test_a_single_rating_stays_near_the_category() -> None:
    rows = [review(n, None, rating=4.0) for n in range(100)] + [review(200, None, article_id="b", rating=1.0)]
    table = products(*rows)
    category = (400 + 1) / 101
    assert table["rating_bayes"].to_list() == pytest.approx(
        [(10 * category + 400) / 110, (10 * category + 1) / 11]
    )


def test_a_recent_opinion_weighs_more() -> None:
    old = review(1, "Hàng quá xấu", created_at=T0 - timedelta(days=180))
    row = products(old, review(2, "Hàng rất đẹp")).row(0, named=True)
    assert row["sentiment_recent"] > row["sentiment_mean"]


def test_three_complaints_of_a_kind_are_named_and_the_surest_comes_first() -> None:
    late = [review(n, "Giao hàng quá chậm") for n in range(4)]
    crushed = [review(10 + n, "Hộp bị móp") for n in range(3)] + [
        review(20 + n, "Đóng gói rất tốt") for n in range(9)
    ]
    color = [review(40 + n, "Lệch màu") for n in range(2)]
    row = products(*late, *crushed, *color).row(0, named=True)
    assert row["top_complaints"] == ["delivery", "packaging"]
    packaging = next(each for each in row["aspects"] if each["aspect"] == "packaging")
    assert (packaging["n"], packaging["negative"]) == (12, 3)
    # Wilson's interval of 3 in 12, 95 %
    assert (packaging["negative_low"], packaging["negative_high"]) == pytest.approx(
        (0.0889, 0.5323), abs=1e-4
    )


def measured(name: str, looked: Audit) -> Measure:
    """What one check says."""
    return next(check for check in REVIEWS.checks if check.name == name).measure(looked)


def test_no_check_fails_on_what_is_right() -> None:
    rows = [
        review(n, text)
        for n, text in enumerate(("Hàng đẹp", "Very good bag", "giao cham qua", None, "😍") * 10)
    ]
    assert [check.name for check in REVIEWS.checks if not check.measure(audit(*rows)).passed] == []


def test_reading_vietnamese_with_vader_alone_is_found_out() -> None:
    rows = [
        review(n, f"{text} nhé")
        for n, text in enumerate(("Hàng đẹp lắm", "Giao quá chậm", "Rất thất vọng") * 12)
    ]
    right = audit(*rows)
    analyser = SentimentIntensityAnalyzer()
    scores = [(analyser.polarity_scores(text)["compound"] + 1) / 2 for text in right.table["review_text"]]
    blind = right.table.with_columns(pl.Series("sentiment_score", scores)).with_columns(
        label_of(pl.col("sentiment_score")).alias("sentiment_label")
    )
    assert measured("no_language_is_blind", right).passed
    found = measured("no_language_is_blind", audit(*rows, table=blind))
    assert (found.failing, found.numbers) == (1, {"neutral_vi": 1.0})


def test_a_number_that_survives_blocks_and_is_not_shown() -> None:
    right = audit(review(1, "Hàng đẹp"))
    leaky = right.table.with_columns(pl.lit("gọi 0912 345 678").alias("review_text"))
    found = measured("nothing_personal", audit(review(1, "Hàng đẹp"), table=leaky))
    assert found.failing == 1
    assert "0912" not in str(found.sample)
    assert next(check for check in checks.CHECKS if check.name == "nothing_personal").blocking


def test_a_text_in_which_the_redaction_leaves_a_number_is_withheld_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever slips through next: its review stops no other, and nobody reads it."""
    whole = build_module.normalise

    def blind(comments: pl.Series) -> pl.DataFrame:
        return whole(comments).with_columns(review_text=pl.col("comment"), said=pl.col("comment"))

    monkeypatch.setattr(build_module, "normalise", blind)
    looked = audit(
        review(1, "Đẹp, gọi 0912 345 678"), review(2, "Hàng tốt"), review(3, "hỏi lan@example.com")
    )
    assert "0912" not in str(looked.table.rows())
    assert looked.table.select("review_id", "review_text", "clean_text", "rating", "pii_found").rows() == [
        ("leo:1", None, None, 5.0, True),
        ("leo:2", "Hàng tốt", "hàng tốt", 5.0, False),
        ("leo:3", None, None, 5.0, True),
    ]
    found = measured("nothing_personal", looked)
    assert (found.failing, found.severity, found.sample) == (
        2,
        Severity.WARN,
        [("leo:1", None), ("leo:3", None)],
    )


def test_texts_that_vanish_are_found() -> None:
    right = audit(review(1, "Hàng đẹp"), review(2, "tốt"))
    emptied = right.table.with_columns(pl.lit(None, pl.String).alias("review_text"))
    assert measured("text_survives", right).passed
    assert (
        measured("text_survives", audit(review(1, "Hàng đẹp"), review(2, "tốt"), table=emptied)).failing == 2
    )


@pytest.mark.parametrize(("lost", "severity"), [(1, Severity.WARN), (5, Severity.WARN), (6, Severity.ERROR)])
def test_a_few_texts_that_vanish_warn_however_few_there_are(lost: int, severity: Severity) -> None:
    rows = [review(number, "Hàng đẹp") for number in range(6)]
    emptied = audit(*rows).table.with_columns(
        pl.when(pl.int_range(pl.len()) >= lost).then("review_text").alias("review_text")
    )
    found = measured("text_survives", audit(*rows, table=emptied))
    assert (found.failing, found.severity) == (lost, severity)


def test_reviews_of_nothing_and_of_nobody_are_found() -> None:
    found = measured(
        "links_are_known", audit(review(1), review(2, article_id="unknown"), review(3, customer_id="unknown"))
    )
    assert found.failing == 2
    assert {row[0] for row in found.sample} == {"leo:2", "leo:3"}


def test_a_wave_of_spam_is_asked_about_and_a_few_are_not() -> None:
    honest = [review(n, "Hàng rất đẹp, giao nhanh", customer_id=f"leo:c{n}") for n in range(36)]
    sold = [
        review(n, "mua ngay http://spam.example/x", customer_id=f"leo:c{n}")
        for n in (100, 101, 102, 103, 104)
    ]
    assert measured("spam", audit(*honest, *sold[:3])).passed
    found = measured("spam", audit(*honest, *sold))
    assert (found.failing, found.severity) == (5, Severity.WARN)
    assert found.sample[0] == ("leo:100", "leo:c100", "contact")


def test_a_review_of_tomorrow_blocks() -> None:
    late = review(1, created_at=SCOPE.until)
    assert measured("not_after_as_of", audit(late)).failing == 1
    assert measured(
        "not_after_as_of", audit(review(1, created_at=SCOPE.until - timedelta(microseconds=1)))
    ).passed


def test_labels_that_turn_are_found() -> None:
    good = [review(n, "Hàng rất đẹp") for n in range(40)]
    bad = [review(n, "Hàng quá xấu") for n in range(40)]
    before = audit(*good).table
    assert measured("labels_stay", audit(*good, previous=before)).passed
    assert not measured("labels_stay", audit(*bad, previous=before)).passed


def test_the_picture_shows_languages_and_aspects() -> None:
    assert REVIEWS.pictures is not None
    assert list(REVIEWS.pictures(audit(review(1), review(2, "Great price")))) == [
        "Sentiment by language and by aspect"
    ]
    assert REVIEWS.pictures(audit(review(1, None))) == {}
