"""The folder reader: arangodump's and arangoexport's layouts, and how what they hold is read.

Folders that are refused are tested in `test_sources_dump_refusals`, odd lines in `test_sources_dump_documents`.
"""

from __future__ import annotations

import json
import os
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cdp_assets.sources import dump
from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.files import DataFiles
from cdp_assets.sources.model import COLLECTIONS, CONVERSION, FEEDBACK, PROFILE, SEGMENT, Total
from tests.conftest import CDNOW
from tests.dump_support import THREE, documents, keys, line, stem, write_dump, write_lines, write_structure


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
        for number in (10, 2, 0, *range(3, 10), 1):
            write_lines(tmp_path / f"{stem(PROFILE)}.{number}.data.json.gz", [line(PROFILE, f"p{number}")])
        assert [key for key, _ in keys(DumpSource(tmp_path))] == [f"p{number}" for number in range(11)]

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

    def test_a_packed_file_of_nothing_is_an_empty_collection(self, tmp_path: Path) -> None:
        write_dump(tmp_path, {PROFILE: []})
        assert (tmp_path / f"{stem(PROFILE)}.data.json.gz").stat().st_size > 0
        assert documents(DumpSource(tmp_path)) == []

    def test_an_optional_collection_that_the_dump_lacks_is_empty(self, tmp_path: Path) -> None:
        source = DumpSource(write_dump(tmp_path, {PROFILE: THREE}))
        assert (documents(source, FEEDBACK), source.signature(FEEDBACK).count) == ([], 0)

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

    @pytest.mark.parametrize("name", [f"{PROFILE}.jsonl", f"{PROFILE}.json"])
    def test_the_mark_of_an_editor_belongs_to_no_document(self, tmp_path: Path, name: str) -> None:
        lines = [b"[", *(document + b"," for document in THREE[:-1]), THREE[-1], b"]"]
        content = b"\n".join(lines if name.endswith("json") else THREE)
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content)
        assert documents(DumpSource(tmp_path)) == THREE
        assert keys(DumpSource(tmp_path))[0][0] == "p1"

    @pytest.mark.parametrize("indent", [None, 2])
    @pytest.mark.parametrize("ending", ["", "\n"])
    def test_an_array_is_read_however_it_is_laid_out(
        self, tmp_path: Path, indent: int | None, ending: str
    ) -> None:
        content = [json.loads(document) for document in THREE]
        (tmp_path / f"{PROFILE}.json").write_text(json.dumps(content, indent=indent) + ending)
        assert [json.loads(document) for document in documents(DumpSource(tmp_path))] == content

    def test_a_last_line_without_its_end_is_whole_if_its_brackets_are(self, tmp_path: Path) -> None:
        odd = [*THREE, b'{"_key": "p9", "ext": {"a": NaN}}']
        (tmp_path / f"{PROFILE}.jsonl").write_bytes(b"\n".join(odd))
        assert documents(DumpSource(tmp_path)) == odd

    @pytest.mark.parametrize("exported", [[], THREE[:1], THREE])
    def test_an_export_as_array_is_read_and_is_no_array_to_its_reader(
        self, tmp_path: Path, exported: list[bytes]
    ) -> None:
        elements = b",".join(b"\n  " + document for document in exported)
        (tmp_path / f"{PROFILE}.json").write_bytes(b"[" + elements + b"\n]")
        assert documents(DumpSource(tmp_path)) == exported


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
