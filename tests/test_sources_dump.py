"""The folder reader: arangodump's and arangoexport's layouts, what is refused, and what odd lines become."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import tracemalloc
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.sources import dump, rawjson
from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.files import DataFiles
from cdp_assets.sources.model import (
    COLLECTIONS,
    CONVERSION,
    PROFILE,
    SEGMENT,
    SourceRejected,
    SourceUnavailable,
    Total,
    fingerprint,
)

CDNOW = Path(__file__).parent / "data" / "cdnow_sample"

Lines = Mapping[str, Iterable[bytes]]


def line(collection: str, key: str, **attributes: Any) -> bytes:
    document = {"_key": key, "_id": f"{collection}/{key}", "_rev": f"_{key}---", **attributes}
    return json.dumps(document, ensure_ascii=False).encode()


def stem(collection: str) -> str:
    return f"{collection}_{hashlib.md5(collection.encode()).hexdigest()}"


def write_structure(folder: Path, collection: str, name: str | None = None) -> None:
    structure = {"parameters": {"name": collection, "type": 2, "deleted": False}, "indexes": []}
    (folder / f"{name or stem(collection)}.structure.json").write_text(json.dumps(structure))


def write_lines(file: Path, lines: Iterable[bytes]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)


def write_dump(folder: Path, content: Lines, *, packed: bool = True, database: str = "leo_cdp") -> Path:
    """A dump as arangodump 3.11 writes it by default: packed, no envelopes, one file per collection."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"database": database, "lastTickAtDumpStart": "1", "useEnvelope": False, "properties": {}}
    (folder / "dump.json").write_text(json.dumps(manifest))
    (folder / "ENCRYPTION").write_text("none")
    for collection, lines in content.items():
        write_structure(folder, collection)
        write_lines(folder / f"{stem(collection)}.data.json{'.gz' if packed else ''}", lines)
    return folder


def documents(source: DumpSource, collection: str = PROFILE) -> list[bytes]:
    return [document for page in source.scan(collection) for document in page]


def keys(source: DumpSource, collection: str = PROFILE) -> list[tuple[str, str]]:
    return [pair for page in source.keys(collection) for pair in page]


THREE = [line(PROFILE, key, name="Trần Thị Ánh") for key in ("p1", "p2", "p3")]


class TestLayouts:
    def test_a_default_dump_is_read_to_the_byte(self, tmp_path: Path) -> None:
        assert documents(DumpSource(write_dump(tmp_path, {PROFILE: THREE}))) == THREE

    def test_a_dump_that_is_not_packed_is_read(self, tmp_path: Path) -> None:
        assert documents(DumpSource(write_dump(tmp_path, {PROFILE: THREE}, packed=False))) == THREE

    @pytest.mark.parametrize("flag", [{"useEnvelope": True}, {}], ids=["said", "unsaid"])
    def test_envelopes_are_taken_off(self, tmp_path: Path, flag: dict[str, bool]) -> None:
        enveloped = [b'{"type":2300,"data":' + document + b"}" for document in THREE]
        write_dump(tmp_path, {PROFILE: enveloped})
        (tmp_path / "dump.json").write_text(json.dumps({"database": "leo_cdp", **flag}))
        assert documents(DumpSource(tmp_path)) == THREE

    def test_a_document_with_type_and_data_is_not_taken_for_an_envelope(self, tmp_path: Path) -> None:
        document = line(PROFILE, "p1", type=2, data={"a": 1})
        write_dump(tmp_path, {PROFILE: [document]})
        (tmp_path / "dump.json").write_text('{"database": "leo_cdp"}')
        assert documents(DumpSource(tmp_path)) == [document]

    def test_the_parts_of_a_split_dump_are_read_in_the_order_of_their_numbers(self, tmp_path: Path) -> None:
        write_dump(tmp_path, {})
        write_structure(tmp_path, PROFILE)
        for number in (10, 2, 0):
            write_lines(tmp_path / f"{stem(PROFILE)}.{number}.data.json.gz", [line(PROFILE, f"p{number}")])
        assert [key for key, _ in keys(DumpSource(tmp_path))] == ["p0", "p2", "p10"]

    def test_an_empty_collection_of_a_split_dump_has_no_file(self, tmp_path: Path) -> None:
        write_dump(tmp_path, {})
        write_structure(tmp_path, PROFILE)
        write_structure(tmp_path, SEGMENT)
        write_lines(tmp_path / f"{stem(PROFILE)}.0.data.json.gz", THREE)
        source = DumpSource(tmp_path)
        assert (documents(source, SEGMENT), source.signature(SEGMENT).count) == ([], 0)

    def test_a_clusters_structure_file_lacks_the_hash(self, tmp_path: Path) -> None:
        write_dump(tmp_path, {PROFILE: THREE})
        (tmp_path / f"{stem(PROFILE)}.structure.json").rename(tmp_path / f"{PROFILE}.structure.json")
        assert documents(DumpSource(tmp_path)) == THREE

    def test_a_collection_is_known_by_its_structure_not_by_its_file_name(self, tmp_path: Path) -> None:
        write_dump(tmp_path, {})
        write_structure(tmp_path, PROFILE, "4711")
        write_lines(tmp_path / "4711.data.json.gz", THREE)
        assert documents(DumpSource(tmp_path)) == THREE

    def test_a_packed_file_of_no_bytes_is_an_empty_collection(self, tmp_path: Path) -> None:
        write_dump(tmp_path, {PROFILE: []})
        (tmp_path / f"{stem(PROFILE)}.data.json.gz").write_bytes(b"")
        assert documents(DumpSource(tmp_path)) == []

    def test_views_and_other_collections_of_the_dump_do_no_harm(self, tmp_path: Path) -> None:
        write_dump(tmp_path, {PROFILE: THREE, "cdp_notebook": [b"{}"]})
        (tmp_path / "search.view.json").write_text("{}")
        assert documents(DumpSource(tmp_path)) == THREE

    def test_one_database_of_several_is_read_by_its_name(self, tmp_path: Path) -> None:
        write_dump(tmp_path / "leo_a", {PROFILE: THREE[:1]}, database="leo_a")
        write_dump(tmp_path / "4711", {PROFILE: THREE[1:]}, database="leo b")
        assert documents(DumpSource(tmp_path, "leo b")) == THREE[1:]

    def test_the_only_database_of_a_parent_folder_needs_no_name(self, tmp_path: Path) -> None:
        write_dump(tmp_path / "leo_a", {PROFILE: THREE}, database="leo_a")
        assert documents(DumpSource(tmp_path)) == THREE

    @pytest.mark.parametrize("name", [f"{PROFILE}.jsonl", f"{PROFILE}.jsonl.gz"])
    def test_an_export_as_json_lines_is_read(self, tmp_path: Path, name: str) -> None:
        write_lines(tmp_path / name, THREE)
        assert documents(DumpSource(tmp_path)) == THREE

    @pytest.mark.parametrize("exported", [[], THREE[:1], THREE])
    def test_an_export_as_array_is_read_and_is_no_array_to_its_reader(
        self, tmp_path: Path, exported: list[bytes]
    ) -> None:
        elements = b",".join(b"\n  " + document for document in exported)
        (tmp_path / f"{PROFILE}.json").write_bytes(b"[" + elements + b"\n]")
        assert documents(DumpSource(tmp_path)) == exported


def _encrypted(folder: Path) -> None:
    (folder / "ENCRYPTION").write_text("aes-256-ctr")
    (folder / "dump.json").write_bytes(b"\x8f\x02\xff")


def _vpack_flag(folder: Path) -> None:
    (folder / "dump.json").write_text('{"database": "leo_cdp", "useVPack": true}')


def _vpack_file(folder: Path) -> None:
    (folder / f"{stem(SEGMENT)}.data.vpack").write_bytes(b"\x0a")


def _no_manifest(folder: Path) -> None:
    (folder / "dump.json").unlink()


def _broken_manifest(folder: Path) -> None:
    (folder / "dump.json").write_text('{"database": ')


def _data_without_structure(folder: Path) -> None:
    (folder / f"{stem(PROFILE)}.structure.json").unlink()


def _structure_without_data(folder: Path) -> None:
    (folder / f"{stem(PROFILE)}.data.json.gz").unlink()


def _broken_structure(folder: Path) -> None:
    (folder / f"{stem(PROFILE)}.structure.json").write_text("{}")


def _leftover_part(folder: Path) -> None:
    write_lines(folder / f"{stem(PROFILE)}.0.data.json.gz", THREE)


def _packed_and_not(folder: Path) -> None:
    write_lines(folder / f"{stem(PROFILE)}.data.json", THREE)


def _same_collection_twice(folder: Path) -> None:
    write_structure(folder, PROFILE, "4711")


def _removal_marker(folder: Path) -> None:
    (folder / "dump.json").write_text('{"database": "leo_cdp", "useEnvelope": true}')
    write_lines(folder / f"{stem(PROFILE)}.data.json.gz", [b'{"type":2302,"data":{"_key":"p1"}}'])


def _cut_packed(folder: Path) -> None:
    file = folder / f"{stem(PROFILE)}.data.json.gz"
    file.write_bytes(file.read_bytes()[:-12])


def _damaged_packed(folder: Path) -> None:
    file = folder / f"{stem(PROFILE)}.data.json.gz"
    content = bytearray(file.read_bytes())
    content[20:40] = bytes(20)
    file.write_bytes(content)


def _not_packed_at_all(folder: Path) -> None:
    (folder / f"{stem(PROFILE)}.data.json.gz").write_bytes(b"\n".join(THREE))


def _cut_plain(folder: Path) -> None:
    (folder / f"{stem(PROFILE)}.data.json.gz").unlink()
    (folder / f"{stem(PROFILE)}.data.json").write_bytes(b"\n".join(THREE)[:-9])


def _emptied(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def _export(name: str, content: bytes) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        _emptied(folder)
        (folder / name).write_bytes(content)

    spoil.__name__ = f"export_{name}_{len(content)}"
    return spoil


def _exported_twice(folder: Path) -> None:
    _emptied(folder)
    write_lines(folder / f"{PROFILE}.jsonl", THREE)
    (folder / f"{PROFILE}.json").write_bytes(b"[\n]")


REFUSED: list[tuple[Callable[[Path], None], str]] = [
    (_encrypted, "encrypted .aes-256-ctr"),
    (_vpack_flag, "VelocyPack"),
    (_vpack_file, "VelocyPack"),
    (_no_manifest, r"dump\.json is missing"),
    (_broken_manifest, r"dump\.json cannot be read"),
    (_data_without_structure, f"data without a structure.json file .{PROFILE}"),
    (_structure_without_data, f"data file of {PROFILE} is missing"),
    (_broken_structure, r"structure\.json cannot be read"),
    (_leftover_part, "left over from another dump"),
    (_packed_and_not, "left over from another dump"),
    (_same_collection_twice, f"'{PROFILE}' twice"),
    (_removal_marker, "marker of type 2302"),
    (_cut_packed, r"\.data\.json\.gz is damaged or was cut off"),
    (_damaged_packed, r"\.data\.json\.gz is damaged or was cut off"),
    (_not_packed_at_all, r"\.data\.json\.gz is damaged or was cut off"),
    (_cut_plain, r"\.data\.json was cut off"),
    (_emptied, "neither a dump .* nor an export"),
    (_export(f"{PROFILE}.csv", b"_key\n"), "--type jsonl"),
    (_export(f"{PROFILE}.xml", b"<x/>"), "--type jsonl"),
    (_export(f"{PROFILE}.json", b'[{"_key":"a"}]'), "not an array as arangoexport writes it"),
    (_export(f"{PROFILE}.json", b'[\n  {"_key":"a"}'), "its array does not end"),
    (_export(f"{PROFILE}.json", b'[\n  {"_key":'), "was cut off"),
    (_export("query.jsonl", b"{}\n"), r"nor an export .*; found: query\.jsonl"),
    (_exported_twice, f"{PROFILE} twice"),
]


class TestRefusals:
    @pytest.mark.parametrize(("spoil", "message"), REFUSED, ids=[s.__name__ for s, _ in REFUSED])
    def test_a_folder_that_cannot_be_read_without_guessing_is_refused_by_name(
        self, tmp_path: Path, spoil: Callable[[Path], None], message: str
    ) -> None:
        write_dump(tmp_path, {PROFILE: THREE})
        spoil(tmp_path)
        with pytest.raises(SourceRejected, match=message) as refusal:
            documents(DumpSource(tmp_path))
        assert str(tmp_path) in str(refusal.value)

    def test_a_folder_that_is_not_there_is_refused_at_the_first_read_not_before(self, tmp_path: Path) -> None:
        source = DumpSource(tmp_path / "none")
        with pytest.raises(SourceRejected, match="is no folder"):
            source.signature(PROFILE)

    def test_several_databases_without_a_choice_are_refused(self, tmp_path: Path) -> None:
        write_dump(tmp_path / "a", {}, database="leo_a")
        write_dump(tmp_path / "b", {}, database="leo_b")
        with pytest.raises(SourceRejected, match=r"several databases \(leo_a, leo_b\): name one"):
            DumpSource(tmp_path).signature(PROFILE)
        with pytest.raises(SourceRejected, match="does not hold database 'leo_c'"):
            DumpSource(tmp_path, "leo_c").signature(PROFILE)

    def test_the_dump_of_another_database_is_refused(self, tmp_path: Path) -> None:
        write_dump(tmp_path, {PROFILE: THREE}, database="leo_a")
        with pytest.raises(SourceRejected, match="of database 'leo_a', not of 'leo_b'"):
            DumpSource(tmp_path, "leo_b").signature(PROFILE)

    def test_an_export_cannot_be_told_to_be_of_a_database(self, tmp_path: Path) -> None:
        write_lines(tmp_path / f"{PROFILE}.jsonl", THREE)
        with pytest.raises(SourceRejected, match="names no database"):
            DumpSource(tmp_path, "leo_cdp").signature(PROFILE)

    def test_a_missing_collection_is_named_with_what_was_found(self, tmp_path: Path) -> None:
        source = DumpSource(write_dump(tmp_path, {PROFILE: THREE}))
        with pytest.raises(SourceRejected, match=f"'{CONVERSION}'; found: {PROFILE}. Run arangodump again"):
            source.totals()

    def test_a_file_that_vanishes_while_it_is_looked_at_may_be_read_again(self, tmp_path: Path) -> None:
        source = DumpSource(write_dump(tmp_path, {PROFILE: THREE}))
        pages = source.scan(PROFILE)
        (tmp_path / f"{stem(PROFILE)}.data.json.gz").unlink()
        with pytest.raises(SourceUnavailable, match=r"\.data\.json\.gz is gone"):
            next(pages)

    def test_a_file_without_permission_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(file: Path) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

        source = DumpSource(write_dump(tmp_path, {PROFILE: THREE}))
        # raised here rather than by the file's mode: root may read everything, and CI runs as root
        monkeypatch.setattr("cdp_assets.sources.files.gzip.open", refuse)
        with pytest.raises(SourceRejected, match="Permission denied"):
            documents(source)


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

ODD = [
    b'{"_key":"odd","_rev":"r","x":"\\ud800"}',
    b'{"_key":"odd","_rev":"r","x":"\xff\xfe"}',
    b'{"_key":"odd","_rev":"r","x":NaN}',
    b'{"_key":"odd","_rev":"r","x":"\\u0000"}',
    b'{"_key":"odd","_rev":"r","x":1e400}',
    b'{"_key":"odd","_rev":"r","x":' + b"[" * 2000 + b"]" * 2000 + b"}",
    b'{"x":"}\\"{[,","_key":"odd","_rev":"r"}',
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


class TestReading:
    def test_pages_end_at_2000_documents_or_8_mb(self, tmp_path: Path) -> None:
        small = [line(PROFILE, f"s{n}") for n in range(2001)]
        big = [line(SEGMENT, f"b{n}", text="x" * (3 << 20)) for n in range(4)]
        source = DumpSource(write_dump(tmp_path, {PROFILE: small, SEGMENT: big}, packed=False))
        assert [len(page) for page in source.scan(PROFILE)] == [2000, 1]
        assert [len(page) for page in source.scan(SEGMENT)] == [3, 1]

    def test_memory_holds_a_page_not_the_collection(self, tmp_path: Path) -> None:
        lines = (line(PROFILE, f"p{n}", text="x" * 2000) for n in range(20_000))
        source = DumpSource(write_dump(tmp_path, {PROFILE: lines}))
        tracemalloc.start()
        size = sum(len(document) for page in source.scan(PROFILE) for document in page)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size > 40e6
        assert peak < 20e6

    def test_a_window_too_large_for_memory_is_ordered_on_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dump, "SPOOL_BYTES", 100)
        lines = [
            line(PROFILE, f"p{n}", updatedAt=f"2026-01-{n * 5 % 28 + 1:02}T00:00:00.000Z") for n in range(28)
        ]
        source = DumpSource(write_dump(tmp_path, {PROFILE: lines}))
        window = source.since(PROFILE, "updatedAt", datetime(2026, 1, 3, tzinfo=UTC))
        days = [json.loads(document)["updatedAt"][8:10] for page in window for document in page]
        assert days == [f"{day:02}" for day in range(3, 29)]

    def test_the_signature_moves_with_the_files_only(self, tmp_path: Path) -> None:
        source = DumpSource(write_dump(tmp_path, {PROFILE: THREE, SEGMENT: []}))
        profile, segment = source.signature(PROFILE), source.signature(SEGMENT)
        assert (profile.count, segment.count) == (3, 0)
        write_lines(tmp_path / f"{stem(PROFILE)}.data.json.gz", [*THREE[:2], line(PROFILE, "p4")])
        os.utime(tmp_path / f"{stem(PROFILE)}.data.json.gz", ns=(1, 1))
        assert source.signature(PROFILE) != profile
        assert source.signature(SEGMENT) == segment == DumpSource(tmp_path).signature(SEGMENT)

    def test_documents_are_counted_once_per_revision_of_the_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_dump(tmp_path, {PROFILE: THREE})
        reads = []
        read = DataFiles.documents
        monkeypatch.setattr(DataFiles, "documents", lambda data: reads.append(data) or read(data))
        assert [DumpSource(tmp_path).signature(PROFILE).count for _ in range(3)] == [3, 3, 3]
        assert len(reads) == 1

    def test_the_cdnow_sample_is_complete(self) -> None:
        source = DumpSource(CDNOW)
        assert source.signature(PROFILE).count == 2357
        assert len(keys(source)) == 2357
        assert sum(map(len, source.scan(CONVERSION))) == 6919
        assert source.totals() == [Total("USD", 6919, Decimal("244091.94"))]
        members = {
            json.loads(document)["_key"]: sum(map(len, source.segment_members(json.loads(document)["_key"])))
            for document in documents(source, SEGMENT)
        }
        assert sorted(members.values()) == [280, 1152, 1205]
        assert {collection: source.signature(collection).count >= 0 for collection in COLLECTIONS}


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
