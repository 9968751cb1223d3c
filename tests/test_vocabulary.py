"""Words of many sources for the same things: one vocabulary for LEO and the shop, in Python and in SQL."""

from __future__ import annotations

import unicodedata

import polars as pl
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_assets.datasets.event_types import canonical, converted
from cdp_assets.vocabulary import macros
from cdp_assets.vocabulary.event_types import (
    ALIASES,
    EVENT_TYPES,
    LEO_CONVERSIONS,
    LEO_NAMES,
    NAMES,
    ON_THE_WAY,
    event_type,
)
from cdp_assets.vocabulary.order_statuses import BY_KEY, STATUSES, UNKNOWN, WORDS, order_status
from cdp_assets.vocabulary.spelling import key, key_sql
from tests.conftest import Server

EVENTS = {
    "LEO": {
        "page-view": "view", "content-view": "view", "item-view": "view", "search": "search",
        "add-wishlist": "wishlist", "add-to-cart": "add_to_cart", "remove-from-cart": "remove_from_cart",
        "order-checkout": "checkout_start", "purchase-intent": "checkout_start", "purchase": "purchase",
        "first-purchase": "purchase", "repurchase": "purchase", "made-payment": "purchase",
    },
    "GA4": {
        "view_item": "view", "view_item_list": "view", "page_view": "view", "select_item": "click",
        "add_to_wishlist": "wishlist", "add_to_cart": "add_to_cart", "remove_from_cart": "remove_from_cart",
        "begin_checkout": "checkout_start", "add_payment_info": "checkout_start", "purchase": "purchase",
        "refund": "refund", "view_search_results": "search", "session_start": "session_start",
        "sign_up": "sign_up", "login": "login", "generate_lead": "contact",
    },
    "Segment": {
        "Product Viewed": "view", "Product Clicked": "click", "Product Added": "add_to_cart",
        "Product Removed": "remove_from_cart", "Checkout Started": "checkout_start",
        "Payment Info Entered": "checkout_start", "Order Completed": "purchase", "Order Refunded": "refund",
        "Order Cancelled": "refund", "Products Searched": "search", "Product Added to Wishlist": "wishlist",
    },
    "Meta": {
        "ViewContent": "view", "AddToCart": "add_to_cart", "AddToWishlist": "wishlist", "Search": "search",
        "InitiateCheckout": "checkout_start", "AddPaymentInfo": "checkout_start", "Purchase": "purchase",
        "CompleteRegistration": "sign_up", "Subscribe": "subscribe", "Lead": "contact", "PageView": "view",
    },
    "Shopify": {
        "product_viewed": "view", "product_added_to_cart": "add_to_cart", "checkout_started": "checkout_start",
        "checkout_completed": "purchase", "product_removed_from_cart": "remove_from_cart",
        "search_submitted": "search",
    },
    "Matomo": {"trackEcommerceOrder": "purchase", "ecommerceOrder": "purchase", "addEcommerceItem": "add_to_cart"},
    "Vietnamese": {"Thêm vào giỏ hàng": "add_to_cart", "mua hàng": "purchase", "Xem sản phẩm": "view"},
}  # fmt: skip

STATES = {
    "WooCommerce": {
        "wc-pending": "pending", "wc-on-hold": "pending", "wc-processing": "processing",
        "wc-completed": "completed", "wc-cancelled": "cancelled", "wc-refunded": "refunded",
        "wc-failed": "cancelled", "wc-checkout-draft": "pending", "on-hold": "pending",
    },
    "Magento": {
        "new": "pending", "pending_payment": "pending", "processing": "processing", "complete": "completed",
        "closed": "refunded", "canceled": "cancelled", "holded": "pending", "payment_review": "pending",
        "fraud": "pending",
    },
    "Shopify": {
        "pending": "pending", "authorized": "processing", "partially_paid": "pending", "paid": "completed",
        "partially_refunded": "completed", "refunded": "refunded", "voided": "cancelled", "fulfilled": "completed",
        "unfulfilled": "pending",
    },
    "Medusa": {
        "pending": "pending", "completed": "completed", "draft": "pending", "canceled": "cancelled",
        "requires_action": "pending", "not_paid": "pending", "captured": "completed",
    },
    "Vendure": {
        "AddingItems": "pending", "ArrangingPayment": "pending", "PaymentAuthorized": "processing",
        "PaymentSettled": "processing", "PartiallyShipped": "shipped", "Shipped": "shipped",
        "PartiallyDelivered": "shipped", "Delivered": "completed", "Modifying": "processing",
        "ArrangingAdditionalPayment": "processing", "Cancelled": "cancelled",
    },
    "django-oscar": {
        "Pending": "pending", "Being processed": "processing", "Complete": "completed", "Cancelled": "cancelled",
    },
    "PrestaShop": {
        "Awaiting check payment": "pending", "Payment accepted": "processing",
        "Processing in progress": "processing", "Shipped": "shipped", "Delivered": "completed",
        "Canceled": "cancelled", "Refunded": "refunded", "Payment error": "cancelled",
        "On backorder (paid)": "processing", "On backorder (not paid)": "pending",
    },
    "Vietnamese": {
        "Đã hoàn tiền": "refunded", "Da hoan tien": "refunded", "ĐÃ HỦY": "cancelled", "đã huỷ": "cancelled",
        "Ðã giao hàng": "completed", "da giao hang": "completed", "Đang giao hàng": "shipped",
        "chưa thanh toán": "pending", "Chờ lấy hàng": "processing", "trả hàng": "refunded",
    },
}  # fmt: skip


def cases(by_system: dict[str, dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(system, word, meant) for system, words in by_system.items() for word, meant in words.items()]


@pytest.mark.parametrize(("system", "name", "meant"), cases(EVENTS))
def test_names_of_events_are_known_whoever_sends_them(system: str, name: str, meant: str) -> None:
    assert event_type(name) == meant


@pytest.mark.parametrize(("system", "word", "meant"), cases(STATES))
def test_states_of_orders_are_known_whatever_the_shop(system: str, word: str, meant: str) -> None:
    assert order_status(word) == meant


SPELLINGS = st.sampled_from(
    [str.upper, str.lower, str.title, lambda w: w.replace(" ", "-"), lambda w: w.replace(" ", "_"),
     lambda w: w.replace("-", " "), lambda w: f"\u200b {w}\u00a0", lambda w: unicodedata.normalize("NFD", w)]
)  # fmt: skip


@given(
    st.sampled_from([(name, meant) for meant, names in NAMES.items() for name in names]),
    st.lists(SPELLINGS, max_size=3),
)
def test_case_separators_and_invisible_characters_do_not_matter_in_names_of_events(told, spellings) -> None:  # type: ignore[no-untyped-def]
    name, meant = told
    for spelling in spellings:
        name = spelling(name)
    assert event_type(name) == meant


@given(
    st.sampled_from([(word, meant) for meant, words in WORDS.items() for word in words]),
    st.lists(SPELLINGS, max_size=3),
)
def test_case_separators_and_accents_do_not_matter_in_states_of_orders(told, spellings) -> None:  # type: ignore[no-untyped-def]
    word, meant = told
    for spelling in spellings:
        word = spelling(word)
    plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    assert order_status(word) == order_status(plain.replace("đ", "d").replace("Đ", "D")) == meant


def test_every_name_that_leo_writes_is_known() -> None:
    assert {name for name, meant in LEO_NAMES.items() if event_type(name) != meant} == set()
    assert set(LEO_CONVERSIONS) <= set(LEO_NAMES)


def test_no_word_means_two_things() -> None:
    for by_meaning, found in ((NAMES, ALIASES), (WORDS, BY_KEY)):
        meanings: dict[str, set[str]] = {}
        for meant, words in by_meaning.items():
            for word in (meant, *words):
                meanings.setdefault(key(word), set()).add(meant)
        assert {word: meant for word, meant in meanings.items() if len(meant) > 1} == {}
        assert {word for word, meant in meanings.items() if found[word] not in meant} == set()
    assert set(ALIASES.values()) == set(EVENT_TYPES)
    assert set(BY_KEY.values()) == {status.name for status in STATUSES} - {UNKNOWN}


@pytest.mark.parametrize(
    "word",
    [
        "paid?",
        "chưa paid",
        "未paid",
        "not really paid",
        "pаid",
        "almost completed",
        "đã giao cho bưu tá",
        "?",
        "7",
    ],
)
def test_a_word_that_is_not_known_never_means_paid(word: str) -> None:
    assert order_status(word) == UNKNOWN
    assert not next(status for status in STATUSES if status.name == UNKNOWN).is_revenue


@pytest.mark.parametrize("word", [None, "", "  ", "\u200b", " - "])
def test_a_blank_state_says_nothing(word: str | None) -> None:
    assert order_status(word) is None


def test_what_leo_counts_as_a_conversion_is_a_purchase_unless_its_name_says_less() -> None:
    frame = pl.DataFrame(
        [(name, flag) for name in (*LEO_NAMES, "refund", "chốt đơn", None) for flag in (True, False, None)],
        schema={"name": pl.String, "flag": pl.Boolean},
        orient="row",
    )
    kind = canonical(pl.col("name"))
    told = frame.select("name", "flag", converted(kind, pl.col("flag")).cast(pl.String).alias("kind"))
    for name, flag, found in told.rows():
        plain = event_type(name)
        assert found == ("purchase" if flag and plain not in ON_THE_WAY else plain), (name, flag)
    assert {name for name in LEO_CONVERSIONS if event_type(name) in ON_THE_WAY} == {
        "purchase", "first-purchase", "repurchase", "made-payment",
    }  # fmt: skip


def test_the_macros_of_dbt_are_those_of_the_vocabulary() -> None:
    assert macros.FILE.read_text(encoding="utf-8") == macros.rendered(), (
        "run `python -m cdp_assets.vocabulary.macros`"
    )


def test_postgresql_compares_words_as_python_does(postgres: Server) -> None:
    words = [
        *(word for words in (*WORDS.values(), *NAMES.values()) for word in words),
        *(word.upper() for words in WORDS.values() for word in words),
        *(unicodedata.normalize("NFD", word) for words in WORDS.values() for word in words),
        "", " ", "Ðã  giao\u200b hàng", "PAİD", "paıd", "ﬁn\u00adished", "pаid", "完了", "paid?", "a\tb\nc", "K\u212a",
        *(f"a{chr(code)}b" for code in (*range(1, 0x250), *range(0x300, 0x370), *range(0x2000, 0x2070), 0xFEFF)),
    ]  # fmt: skip
    with psycopg.connect(postgres.dsn("template_cdp", user="postgres")) as conn:
        found = conn.execute(
            f"select w.word, {key_sql('w.word')} from unnest(%s::text[]) as w (word)", (words,)
        ).fetchall()
    assert [(word, ours) for word, ours in found if ours != key(word)] == []
