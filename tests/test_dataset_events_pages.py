"""Addresses of pages lead to no person, whatever sites put into their paths, and stay what they are otherwise."""

from __future__ import annotations

import re
from urllib.parse import quote

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_assets.datasets.events.pages import value_without_personal, without_personal


def page(address: str) -> str:
    return str(without_personal(pl.Series([address]))[0])


@pytest.mark.parametrize(
    "address",
    [
        "https://shop.vn/", "/", "", "https://shop.vn/gio-hang", "https://shop.vn:8443/p/sku-0012", "shop.vn/shoes/1",
        "https://shop.vn/danh-muc/%C3%A1o-thun", "https://shop.vn/c/1234/p/567", "https://shop.vn/2026/05/sale-thang-5",
        "android-app://com.shop/home", "https://m.shop.co.uk/index.html",
    ],
)  # fmt: skip
def test_an_address_that_names_nobody_stays_as_it_is(address: str) -> None:
    assert page(address) == address


@pytest.mark.parametrize(
    ("address", "left"),
    [
        (
            "https://shop.vn/unsubscribe/lan@example.com/0912345678",
            "https://shop.vn/unsubscribe/[email]/[phone]",
        ),
        ("https://shop.vn/u/lan%40example.com", "https://shop.vn/u/[email]"),
        ("https://lan:secret@shop.vn/cart", "https://shop.vn/cart"),
        ("/verify/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9abcdef", "/verify/[id]"),
        ("https://shop.vn/track/0912-345-678/x", "https://shop.vn/track/[phone]/x"),
        ("https://shop.vn/tel/0912/345/678", "https://shop.vn/tel/[number]"),
    ],
)
def test_what_leads_to_a_person_in_a_path_is_replaced(address: str, left: str) -> None:
    assert page(address) == left


@given(
    st.lists(st.sampled_from("0123456789"), min_size=9, max_size=14),
    st.lists(
        st.sampled_from(["", "-", ".", "_", "/", " ", "%20", "--", "%2D", "\u2011"]), min_size=14, max_size=14
    ),
    st.sampled_from(["https://shop.vn/a/{}/b", "/{}", "https://shop.vn/{}-end", "shop.vn/x/{}"]),
)
def test_no_number_of_nine_digits_survives_in_a_path_whatever_separates_them(
    digits: list[str], gaps: list[str], template: str
) -> None:
    number = "".join(digit + gap for digit, gap in zip(digits, gaps, strict=False))
    left = page(template.format(number))
    assert re.search(r"\d(?:[^A-Za-z\d]{0,6}\d){8}", left) is None, left


@pytest.mark.parametrize(
    "value", ["lan@example.com", quote("lan@example.com"), "0912345678", "+84 912 345 678"]
)
def test_what_leads_to_a_person_in_a_campaigns_source_is_replaced(value: str) -> None:
    found = value_without_personal(pl.Series([value, "zalo", None]))
    assert "912" not in found[0]
    assert "example" not in found[0]
    assert found[1:].to_list() == ["zalo", None]
