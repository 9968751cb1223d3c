"""Telephone numbers, e-mail addresses and names of one person come down to one key, whoever typed them."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_assets.cleaning.contacts import (
    VIETNAMESE_PREFIXES,
    NotAContact,
    email,
    email_key,
    mailbox,
    name_key,
    phone,
    phone_key,
)


@pytest.mark.parametrize(
    ("typed", "region"),
    [
        ("+84912345678", "VN"), ("+840912345678", "VN"), ("+84(0)912345678", "VN"), ("0912345678", "VN"),
        ("84912345678", "VN"), ("0084912345678", "VN"), ("912345678", "VN"), ("0912 345 678", "VN"),
        ("0912.345.678", "VN"), ("(0912) 345-678", "VN"), ("912345678.0", "VN"), ("84912345678.0", "VN"),
        ("9.12345678E+8", "VN"), ("8.4912345678e10", "VN"), ("０９１２３４５６７８", "VN"), ("٠٩١٢٣٤٥٦٧٨", "VN"),
        ("0912\u200b345\u2060678", "VN"),
        ("\u202a+84 912 345 678\u202c", "GB"), ("+84\u2011912\u2011345\u2011678", "US"),
        ("+84 912 345 678", "GB"), ("0912345678 ext 12", "VN"), ("tel:0912345678", "VN"),
    ],
)  # fmt: skip
def test_ways_of_typing_a_number_meet(typed: str, region: str) -> None:
    assert phone(typed, region) == "+84912345678"


@pytest.mark.parametrize(
    ("typed", "region", "kept"),
    [
        ("07911 123456", "GB", "+447911123456"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("06 698 12345", "IT", "+390669812345"),
        ("0912.345.000", "VN", "+84912345000"),
        ("0999999999", "VN", "+84999999999"),
        ("1900 1234", "VN", "+8419001234"),
    ],
)
def test_a_number_is_read_as_dialled_in_its_region(typed: str, region: str, kept: str) -> None:
    assert phone(typed, region) == kept


@pytest.mark.parametrize(("old", "new"), VIETNAMESE_PREFIXES.items())
def test_vietnamese_numbers_of_eleven_digits_are_those_of_today(old: str, new: str) -> None:
    for typed in (
        f"0{old}2345678",
        f"+84{old}2345678",
        f"84 {old} 234 5678",
        f"+840{old}2345678",
        f"{old}2345678.0",
    ):
        assert phone(typed, "VN") == f"+84{new}2345678"


@pytest.mark.parametrize(
    "typed",
    ["", "no phone", "12", "0000000000", "9999999999", "111 111 1111", "09123456789012345", "3.14", "1.5E+1"],
)
def test_what_is_no_number_is_refused_without_being_quoted(typed: str) -> None:
    with pytest.raises(NotAContact) as error:
        phone(typed, "VN")
    assert not typed or typed not in str(error.value)
    assert phone_key(typed, "VN") is None


@given(st.from_regex(r"[35789][0-9]{8}", fullmatch=True), st.sampled_from(["+84", "0"]))
def test_the_short_way_of_a_vietnamese_mobile_says_what_the_library_says(digits: str, head: str) -> None:
    number = phonenumbers.parse(head + digits, "VN")
    assert phonenumbers.is_possible_number(number)
    assert phone(head + digits, "VN") == phonenumbers.format_number(
        number, phonenumbers.PhoneNumberFormat.E164
    )


@given(st.from_regex(r"\+?[0-9 ().-]{6,16}", fullmatch=True), st.sampled_from(["VN", "GB", "US", "FR", "TH"]))
def test_a_number_that_was_read_reads_the_same_again(typed: str, region: str) -> None:
    once = phone_key(typed, region)
    assert once is None or phone_key(once, "VN") == once


@pytest.mark.parametrize(
    "typed",
    [
        "lan@bücher.example", "lan@xn--bcher-kva.example", "LAN@BÜCHER.example", "lan@bu\u0308cher.example",
        "la\u200bn@bücher.example", "\ufefflan@bücher.example ", "l\u0430n@bücher.example", "ｌａｎ＠bücher.example",
    ],
)  # fmt: skip
def test_ways_of_typing_an_address_meet(typed: str) -> None:
    assert email(typed) == "lan@bücher.example"


@pytest.mark.parametrize(
    "typed",
    [
        f"{'a' * 65}@x.vn",
        "lan",
        "lan@",
        "@x.vn",
        "lan@x",
        "a b@x.vn",
        "a..b@x.vn",
        ".a@x.vn",
        "a@x..vn",
        f"a@{'x' * 64}.vn",
    ],
)
def test_an_address_that_no_mail_reaches_is_refused(typed: str) -> None:
    with pytest.raises(NotAContact):
        email(typed)
    assert email_key(typed) is None


def test_a_local_part_of_sixty_four_is_the_longest() -> None:
    assert email(f"{'a' * 64}@x.vn") == f"{'a' * 64}@x.vn"


def test_a_mailbox_is_one_whatever_stands_behind_a_plus() -> None:
    assert mailbox("ana+news@x.vn") == mailbox("ana@x.vn") == "ana@x.vn"
    assert mailbox("+84912345678@x.vn") == "+84912345678@x.vn"


@pytest.mark.parametrize(
    "typed",
    [
        "Đặng Văn Đức",
        "\u00d0ặng  Văn \u00d0ức",
        "dang van duc",
        "ĐẶNG VĂN ĐỨC ",
        "\u0189ặng Văn Đức",
        "Đặng\u200b Văn\u00a0Đức",
        "Đ\u0103\u0323ng Văn Đức.",
        "D\u0430ng Van Duc",
    ],
)
def test_ways_of_typing_a_name_meet(typed: str) -> None:
    assert name_key(typed) == "dang van duc"


def test_names_keep_their_words_and_nothing_else() -> None:
    assert name_key("O\u2019Brien") == name_key("O'Brien") == "obrien"
    assert name_key("Anne-Marie") == name_key("Anne Marie") == "anne marie"
    assert name_key("Łukasz Ørsted Straße") == "lukasz orsted strasse"
    assert name_key(" .-") is None
