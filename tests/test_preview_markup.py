"""Tables in the UI show what others wrote as it is."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_assets.warehouse.preview import markdown

FOREIGN = [
    "a|b", "a\\|b", "ends with \\",
    "![x](https://tracker.example/p.png)", "[click](javascript:alert(1))", "<img src=x>",
    "<script>alert(1)</script>",
    "`code", "&lt;b&gt;", "two\nlines", "two\r\nlines", "a\u2028b", "a\x0bb", "<!--", "]]>",
]  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN)
def test_foreign_text_is_never_markup_in_a_table(text: str) -> None:
    head, line, row = markdown(("a", "b"), [(text, "next")]).split("\n")
    assert head.count("|") == line.count("|") == row.count("|") == 3
    assert not set(row) & set("<>[]`\\")
    cell = row.split(" | ")[0].removeprefix("| ")
    assert html.unescape(cell) == " ".join(text.split())


@given(st.lists(st.text(), min_size=2, max_size=2))
def test_every_row_is_one_line_with_its_cells(cells: list[str]) -> None:
    lines = markdown(("a", "b"), [cells]).splitlines()
    assert len(lines) == 3
    assert lines[2].count("|") == 3
