"""Letters that look alike, characters without width, and forms of one letter come down to one spelling."""

from __future__ import annotations

import ast
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cdp_assets.cleaning
from cdp_assets.cleaning.spelling import INVISIBLE, JOINERS, bare, folded, spelled

FORMLESS = [
    "\u00ad", "\u034f", "\u061c", "\u180e", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202e",
    "\u2060", "\u2066", "\u2069", "\u3164", "\ufe0f", "\ufeff", "\ufff9", "\U000e0041", "\U000e0100",
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("\u00d0ặng Văn \u00d0ức", "Đặng Văn Đức"),
        ("NGUYỄN \u00d0ÌNH", "NGUYỄN ĐÌNH"),
        ("\u00f0ã giao", "đã giao"),
        ("\u0189ồng", "Đồng"),
        ("D\u0335inh", "Đinh"),
        ("p\u0430yp\u0430l", "paypal"),
        ("\u0421oca", "Coca"),
        ("Nguy\u0435\u0302\u0303n", "Nguyễn"),
        ("\uff2e\uff27\uff35\uff39\u1ec4\uff2e \uff11\uff12", "NGUYỄN 12"),
        ("\ufb01ne", "fine"),
        ("\U0001d4db\U0001d4ea\U0001d4f7", "Lan"),
        ("e\u0302\u0301", "ế"),
    ],
)
def test_look_alikes_become_the_letters_they_stand_for(written: str, kept: str) -> None:
    assert spelled(written) == kept


@pytest.mark.parametrize(
    "text",
    [
        "Guðrún",
        "Sauðárkrókur",
        "Москва",
        "Ελλάδα",
        "Москва Moscow",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "ب\u200cه",
        "½ kg",
        "m²",
    ],
)
def test_what_is_right_in_its_own_language_stays(text: str) -> None:
    assert spelled(text) == text


@pytest.mark.parametrize("sign", FORMLESS)
def test_characters_without_width_go_from_within_a_word(sign: str) -> None:
    assert spelled(f"đã gi{sign}ao") == "đã giao"
    assert folded(f"{sign}Đã gi{sign}ao{sign}") == "da giao"


def test_every_format_character_of_unicode_is_known_or_written() -> None:
    # signs that stand before numbers in some scripts and are drawn
    seen = {chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)}
    missed = [
        hex(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) == "Cf"
        and chr(code) not in seen
        and not 0x13430 <= code <= 0x1345F
        and bare(f"a{chr(code)}b") != "ab"
    ]
    assert missed == []


@pytest.mark.parametrize(
    "text", ["Ðã  Hoàn tiền", "ĐÃ HOÀN TIỀN", "đã hoa\u0300n tie\u0302\u0300n", " da hoan\u00a0tien "]
)
def test_ways_of_writing_a_word_fold_to_one(text: str) -> None:
    assert folded(text) == "da hoan tien"


@given(st.text())
def test_a_text_in_one_spelling_stays_as_it_is(text: str) -> None:
    once = spelled(text)
    assert spelled(once) == once
    assert folded(folded(text)) == folded(text)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert spelled(text) == text


def test_classes_of_characters_hold_no_letter() -> None:
    assert not any(
        character.isalnum()
        for character in INVISIBLE + JOINERS
        if character not in "\u115f\u1160\u3164\uffa0"
    )


def test_cleaning_knows_nothing_of_the_rest() -> None:
    folder = Path(cdp_assets.cleaning.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("cdp_assets"):
                assert node.module.startswith("cdp_assets.cleaning")


def test_dbt_leaves_out_the_same_characters_without_width() -> None:
    macros = Path(__file__).parents[1] / "dbt_project" / "macros" / "cleaning.sql"
    body = macros.read_text(encoding="utf-8").split("{% macro invisible() -%}")[1].split("{%- endmacro %}")[0]
    signs = re.findall(r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|-(?=\\)", body.replace("\\\\", "\\"))
    assert "".join(sign if sign == "-" else chr(int(sign[2:], 16)) for sign in signs) == INVISIBLE
