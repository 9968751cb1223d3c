"""What becomes of a text before it is embedded: one spelling, no contact data, no ids, and the words still there."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from hashlib import sha256
from time import perf_counter
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conftest import Server
from tests.databases import shared_database
from tests.rows import Conn, insert

Cleaned = Callable[[str], str | None]


@pytest.fixture(scope="module")
def conn(postgres: Server) -> Iterator[Conn]:
    """The migrated database as superuser, for functions that read nothing."""
    with (
        shared_database(postgres, "test_embedding_texts") as name,
        psycopg.connect(postgres.dsn(name, user="postgres"), autocommit=True) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def cleaned(conn: Conn) -> Cleaned:
    return lambda text: one(conn, "select embedding.cleaned(%s)", text)


def one(conn: Conn, query: str, *values: Any) -> Any:
    row = conn.execute(query, values).fetchone()
    assert row is not None
    return row[0]


GONE = {
    "e-mail": "lan.nguyen+shop@mail.example.com",
    "e-mail of an accented name": "nguyễn.lan@exämple.com",
    "e-mail with blanks": "lan @ example.com",
    "e-mail in words": "lan [at] example.com",
    "e-mail of full width": "lan＠example.com",
    "e-mail with a soft hyphen": "lan@exam\u00adple.com",
    "e-mail across markup": "lan<b>@</b>example.com",
    "account of a network": "@lan.nguyen",
    "mobile": "0901234567",
    "mobile with dots": "0901.234.567",
    "mobile mixed": "090-123.4567",
    "mobile with spaces": "09 0123 4567",
    "mobile with no-break spaces": "090\u00a0123\u00a04567",
    "mobile with country": "+84 (0)90 123 4567",
    "mobile with 00": "0084 90 123 4567",
    "mobile in brackets": "(+84) 90 – 123 – 4567",
    "mobile of full width": "０９０１２３４５６７",
    "mobile with zero-width": "0901\u200b234\u2060567",
    "mobile with joiners": "0901\u200d234\u200c567",
    "mobile with control": "0901\x01234\x7f567",
    "mobile on two lines": "0901\n\n234567",
    "mobile as keycaps": "0️⃣9️⃣0️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣",
    "landline": "(028) 3823 - 4567",
    "number split by markup": "0901<b>234</b>567",
    "numbers split by an e-mail": "12345 a@b.vn c@d.vn 67890",
    "citizen id": "079203001234",
    "citizen id with spaces": "079 203 001 234",
    "old id": "023456789",
    "tax code": "0312345678-001",
    "passport": "C1234567",
    "passport with hyphen": "B-1234567",
    "short passport": "AB123456",
    "date of birth": "15/06/2005",
    "card": "4111 1111 1111 1111",
    "card with hyphens": "4111-1111-1111-1111",
    "UUID": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "UUID without digits": "deadbeef-dead-beef-dead-beefdeadbeef",
    "LEO key": "6GKTBnPu4D3S8OheeTZgMW",
    "LEO key of 21": "99lCXUax426gGUkF54M04",
    "LEO key without a digit": "aBcDeFgHiJkLmNoPqRsTuV",
    "visitor id": "d60aff2bed4ffdd0ffa7599fc93e2228",
    "object id": "507f1f77bcf86cd799439011",
    "token with underscores": "pm_1MtwBwLkdIwHu7ix28a3tqPa",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw-5c",
    "URL": "https://shop.example.com/a?mail=lan%40example.com&phone=0901234567",
    "URL without scheme": "www.example.com",
    "page of a person": "zalo.me/lan.nguyen",
    "link in markup": "<a href='https://example.com/u/lan' title=\"lan\"></a>",
}


@pytest.mark.parametrize("kind", GONE)
def test_contact_data_and_ids_leave_and_the_words_around_them_stay(cleaned: Cleaned, kind: str) -> None:
    assert cleaned(f"Liên hệ {GONE[kind]} sau giờ làm") == "Liên hệ sau giờ làm"
    assert cleaned(GONE[kind]) is None


STAYS = (
    "size 42",
    "size 38, 39, 40, 41",
    "iPhone 15 Pro Max 256GB",
    "Samsung Galaxy S24 Ultra 5G 512GB",
    "MacBook-Air-13-inch-2024",
    "giảm 50% từ 1/6 đến 30/6",
    "giá <500k và >300k",
    "đánh giá 5/5, 10/10!!!",
    "1 tặng 1 (combo 3)",
    "Cà phê hạt thủ công 250g. Bảo hành 12 tháng, giao hàng toàn quốc.",
    "Áo thun cotton/linen màu đen",
    "tốt 😍👍 rất thích",
    "👩‍👩‍👧 cả nhà",
    "日本の緑茶",
    "Tổng đài 1900 12",
    "Tết 2026 – quà tặng “Sum vầy”…".replace("…", "..."),
    "EVENT-2025",
    "node.js và vue.js",
    "C++ / C#",
)


@pytest.mark.parametrize("text", STAYS)
def test_a_text_without_contact_data_stays_as_it_is(cleaned: Cleaned, text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize("price", ["1.200.000đ", "1 200 000 VND", "2.405.143,98"])
def test_a_price_may_go_but_the_words_around_it_survive(cleaned: Cleaned, price: str) -> None:
    words = re.findall(r"[^\W\d]+", cleaned(f"Giá chỉ {price} thôi nhé") or "")
    assert [word for word in words if word not in {"đ", "VND"}] == ["Giá", "chỉ", "thôi", "nhé"]


@pytest.mark.parametrize(
    "spelling",
    [
        unicodedata.normalize("NFD", "Giày chạy bộ màu đỏ"),
        "  Giày  chạy\tbộ\r\nmàu đỏ ",
        "Giày\u00a0chạy bộ màu\u3000đỏ",
        "Giày chạy\x00bộ màu đỏ".replace("\x00", "\x1f"),
        "\ufeffGiày\u200b chạy bộ màu đỏ",
        "<p>Giày <b>chạy bộ</b><br/>màu đỏ</p>",
    ],
)
def test_two_ways_of_writing_one_text_have_one_hash(conn: Conn, spelling: str) -> None:
    hashes = conn.execute(
        "select embedding.text_hash(1, embedding.cleaned(t)) from unnest(%s::text[]) as t",
        ([spelling, "Giày chạy bộ màu đỏ"],),
    ).fetchall()
    assert hashes[0] == hashes[1]


def test_accents_are_kept_and_tell_words_apart(cleaned: Cleaned) -> None:
    assert len({cleaned(word) for word in ("má", "mà", "mã", "mạ", "mả", "ma", "MA")}) == 7


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u200b", "\u00a0", "\x1f"])
def test_a_blank_text_is_none(cleaned: Cleaned, blank: str) -> None:
    assert cleaned(blank) is None


def test_the_hash_depends_on_text_and_template_version(conn: Conn) -> None:
    hashes = {
        one(conn, "select embedding.text_hash(%s, %s)", version, text)
        for version in (1, 2)
        for text in ("a", "b")
    }
    assert len(hashes) == 4
    assert one(conn, "select embedding.text_hash(1, 'Giày')") == sha256("1\nGiày".encode()).digest()


@pytest.mark.parametrize("items", [["b", "a", "c", "a "], ["c", "b", "a"], ["a", "c", "b", "", "\u00a0"]])
def test_a_set_is_one_text_in_whatever_order_it_comes(conn: Conn, items: list[str]) -> None:
    assert one(conn, "select embedding.listed('labels', %s)", items) == "labels: a, b, c"


@pytest.mark.parametrize("items", [[], [""], ["lan@example.com"], ["", "0901234567"], None])
def test_a_set_that_holds_nothing_is_none(conn: Conn, items: list[str] | None) -> None:
    assert one(conn, "select embedding.listed('labels', %s::text[])", items) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sản phẩm tốt 100g. " * 5_300,
        "a" * 100_000,
        "0" * 100_000,
        "a@b " * 25_000,
        "<a" * 50_000,
        "😍" * 100_000,
    ],
)
def test_a_very_long_text_is_cut_and_quickly(cleaned: Cleaned, text: str) -> None:
    began = perf_counter()
    assert len(cleaned(text) or "") <= 8_000
    assert perf_counter() - began < 20  # 1 s on a machine that does much else; quadratic would be minutes


PIECES = st.one_of(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        [
            *GONE.values(),
            *STAYS,
            "@",
            "[at]",
            "(at",
            ")",
            "<",
            ">",
            "www.",
            "://",
            ".vn/",
            "1",
            "12345",
            "e\u0301",
        ]
    ),
    st.sampled_from([" ", "  ", "\n", "-", ".", ",", "_", "\u00a0", "\u200b", "\u0301", "\x01"]),
)


@given(st.lists(PIECES, max_size=12).map("".join))
@example("Liên hệ lan [at] , @ 12 34567")
def test_cleaning_is_done_once_and_leaves_no_number_and_no_address(cleaned: Cleaned, text: str) -> None:
    once = cleaned(text)
    if once is not None:
        assert cleaned(once) == once
        assert unicodedata.is_normalized("NFC", once)
        assert "@" not in once
        assert not re.search(r"[0-9]{7}|[A-Za-z0-9]{21}|https?://|  ", once)
        assert once == once.strip(" ")


@given(
    st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), max_size=6),
    st.randoms(),
)
def test_the_order_of_a_set_never_changes_its_text(conn: Conn, items: list[str], dice: random.Random) -> None:
    shuffled = dice.sample(items, len(items)) + items[:1]
    query = "select embedding.listed('x', %s::text[])"
    assert one(conn, query, items) == one(conn, query, shuffled)


def test_a_profile_s_text_names_each_attribute_once_and_none_that_it_has_not(conn: Conn) -> None:
    insert(
        conn, "cdp.customer_profile", tenant_id="acme", status="active", cdp_profile_id="p", root_profile_id="p",
        job_titles=["Kế toán"], data_labels=["VIP", "khách quen"], content_keywords=["coffee", "travel"],
        city="Thành phố Hồ Chí Minh", language="vi",
    )  # fmt: skip
    with conn.transaction():
        conn.execute("select set_config('app.tenant_id', 'acme', true)")
        texts = conn.execute("select content from embedding.texts('profile', null)").fetchall()
    said = ("jobs: Kế toán", "labels: VIP, khách quen", "interests: coffee, travel")
    assert texts == [(". ".join([*said, "city: Thành phố Hồ Chí Minh", "language: vi"]),)]
