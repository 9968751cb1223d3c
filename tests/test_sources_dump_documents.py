"""Odd lines of a folder: no key, no revision, no JSON, twice the same key; none is lost and none stops the reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import PROFILE, fingerprint
from tests.dump_support import ODD, THREE, documents, keys, line, stem, write_dump

NO_KEY = [
    b"not json at all",
    b'{"name":"no key"}',
    b'{"_key":null}',
    b'{"_key":7}',
    b'{"_key":""}',
    b'{"_key":"a/b"}',
    b'{"_key":"\\u0000"}',
    b'{"_key":"caf\xc3\xa9"}',
    b'{"_key":"a\\n"}',
    b'{"_key":"' + b"x" * 255 + b'"}',
    b'["_key"]',
    b"{",
]


class TestOddDocuments:
    @pytest.mark.parametrize("odd", NO_KEY, ids=range(len(NO_KEY)))
    def test_a_line_without_usable_key_is_passed_on_and_listed_by_its_hash(
        self, tmp_path: Path, odd: bytes
    ) -> None:
        source = DumpSource(write_dump(tmp_path, {PROFILE: [*THREE, odd]}))
        assert documents(source) == [*THREE, odd]
        assert source.signature(PROFILE).count == 4
        pairs = keys(source)
        assert [key for key, _ in pairs] == ["p1", "p2", "p3", ""]
        assert pairs[-1][1] == fingerprint(odd)
        assert list(source.fetch(PROFILE, ["", fingerprint(odd)])) == [[odd]]

    @pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
    def test_a_document_that_msgspec_refuses_still_has_its_key(self, tmp_path: Path, odd: bytes) -> None:
        source = DumpSource(write_dump(tmp_path, {PROFILE: [odd, *THREE]}))
        assert keys(source)[0] == ("odd", "r")
        assert list(source.fetch(PROFILE, ["odd"])) == [[odd]]

    def test_a_document_without_revision_has_its_hash_for_one(self, tmp_path: Path) -> None:
        document = b'{"_key":"p9","_id":"cdp_profile/p9"}'
        source = DumpSource(write_dump(tmp_path, {PROFILE: [document]}))
        assert keys(source) == [("p9", fingerprint(document))]

    def test_a_second_document_with_a_key_goes_by_its_fingerprint(self, tmp_path: Path) -> None:
        twin = line(PROFILE, "p1", _rev="later")
        source = DumpSource(write_dump(tmp_path, {PROFILE: [*THREE, twin]}))
        assert keys(source) == [("p1", "_p1---"), ("p2", "_p2---"), ("p3", "_p3---"), ("", fingerprint(twin))]
        assert documents(source) == [*THREE, twin]
        assert list(source.fetch(PROFILE, ["p1"])) == [[THREE[0], twin]]
        assert list(source.fetch(PROFILE, [fingerprint(twin)])) == [[twin]]

    def test_the_same_bytes_once_more_are_listed_once(self, tmp_path: Path) -> None:
        source = DumpSource(write_dump(tmp_path, {PROFILE: [*THREE, THREE[0]]}))
        assert keys(source) == [("p1", "_p1---"), ("p2", "_p2---"), ("p3", "_p3---")]

    def test_blank_lines_and_windows_line_ends_are_no_documents(self, tmp_path: Path) -> None:
        write_dump(tmp_path, {PROFILE: []}, packed=False)
        (tmp_path / f"{stem(PROFILE)}.data.json").write_bytes(
            b"\n".join([b"", THREE[0] + b"\r", b"  ", THREE[1]])
        )
        source = DumpSource(tmp_path)
        assert documents(source) == THREE[:2]
        assert source.signature(PROFILE).count == 2
