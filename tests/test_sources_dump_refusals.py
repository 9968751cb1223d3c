"""Folders that cannot be read without guessing: each is refused, by name and with what is wrong in it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import CONVERSION, PROFILE, SEGMENT, SourceRejected, SourceUnavailable
from tests.dump_support import THREE, documents, line, stem, write_dump, write_lines, write_structure


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


def _cut_behind_an_inner_brace(folder: Path) -> None:
    (folder / f"{stem(PROFILE)}.data.json.gz").unlink()
    nested = line(PROFILE, "p9", ext={"a": 1}, name="x")
    cut = nested[: nested.index(b"}") + 1]
    (folder / f"{stem(PROFILE)}.data.json").write_bytes(b"\n".join([*THREE, cut]))


def _packed_of_no_bytes(folder: Path) -> None:
    (folder / f"{stem(PROFILE)}.data.json.gz").write_bytes(b"")


def _part_missing(*numbers: int) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / f"{stem(PROFILE)}.data.json.gz").unlink()
        for number in numbers:
            write_lines(folder / f"{stem(PROFILE)}.{number}.data.json.gz", THREE)

    spoil.__name__ = f"parts_{'_'.join(map(str, numbers))}"
    return spoil


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
    (_cut_behind_an_inner_brace, r"\.data\.json was cut off"),
    (_packed_of_no_bytes, "has 0 bytes"),
    (_part_missing(0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12), "part 5 of .* is missing, though part 12"),
    (_part_missing(2, 3), "part 1 of .* is missing"),
    (_emptied, "neither a dump .* nor an export"),
    (_export(f"{PROFILE}.csv", b"_key\n"), "--type jsonl"),
    (_export(f"{PROFILE}.xml", b"<x/>"), "--type jsonl"),
    (_export(f"{PROFILE}.json", b'[{"_key":"a"}'), "was cut off"),
    (_export(f"{PROFILE}.json", b'[\n  {\n    "_key": "a"\n  }\n'), "no whole array"),
    (_export(f"{PROFILE}.json", b'{"_key":"a"}\n{"_key":"b"}\n'), r"rename it to .*\.jsonl"),
    (_export(f"{PROFILE}.json", b'{\n"_key":"a"\n}\n'), "no whole array"),
    (_export(f"{PROFILE}.jsonl", b'[\n{"_key":"a"}\n]\n'), "does not have one document per line"),
    (_export(f"{PROFILE}.jsonl", b'{\n  "_key": "a"\n}\n'), "does not have one document per line"),
    (_export(f"{PROFILE}.jsonl", '{"_key":"a"}\n'.encode("utf-16")), "UTF-16"),
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
