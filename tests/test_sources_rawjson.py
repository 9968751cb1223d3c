"""JSON taken apart without being read: every part to the byte, and what is cut is an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.sources import rawjson

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class TestRawJson:
    @settings(max_examples=50, deadline=None)
    @given(st.lists(JSON), st.booleans())
    def test_an_array_comes_apart_into_what_was_put_into_it(
        self, values: list[Any], ascii_only: bool
    ) -> None:
        parts = [
            json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for value in values
        ]
        assert rawjson.elements(b"[" + b", ".join(parts) + b"]") == parts
        assert rawjson._split(b"[" + b",".join(parts) + b"]", b"[") == parts

    @settings(max_examples=50, deadline=None)
    @given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON))
    def test_an_object_comes_apart_into_its_attributes(self, document: dict[str, Any]) -> None:
        expected = {name: json.dumps(value).encode() for name, value in document.items()}
        assert rawjson.members(json.dumps(document).encode()) == expected

    @pytest.mark.parametrize("cut", [b"", b"[", b'["a', b'["a]', b"[1,[2]", b"[1]]", b"{}", b"[1] x"])
    def test_what_is_no_whole_array_is_an_error_never_a_short_one(self, cut: bytes) -> None:
        with pytest.raises(ValueError, match="JSON"):
            rawjson.elements(cut)
