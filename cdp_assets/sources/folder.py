"""Which files of a folder hold which collection: arangodump's layout, or arangoexport's.

Belongs here: telling the layouts apart, checking that a dump is whole, choosing one database. Does not belong
here: reading data files (`files`), answering questions (`dump`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from cdp_assets.sources import export
from cdp_assets.sources.files import DataFiles, Form
from cdp_assets.sources.model import COLLECTIONS, SourceRejected

MANIFEST = "dump.json"
STRUCTURE = ".structure.json"

_DATA = re.compile(r"(?P<stem>.+?)(\.(?P<part>\d+))?\.data\.json(?P<packed>\.gz)?")
_VPACK = re.compile(r".+\.data\.vpack(\.gz)?")

T = TypeVar("T")


class _Manifest(msgspec.Struct, rename="camel"):
    database: str
    use_envelope: bool | None = None
    use_vpack: bool = msgspec.field(name="useVPack", default=False)


class _Parameters(msgspec.Struct):
    name: str
    deleted: bool = False


class _Structure(msgspec.Struct):
    parameters: _Parameters


@dataclass(frozen=True, slots=True)
class Folder:
    """One database's collections: `kind` says what wrote the folder, `database` is `""` for an export."""

    path: Path
    kind: str
    database: str
    collections: dict[str, DataFiles]


def find(path: Path, database: str | None) -> Folder:
    """What the folder holds now; looks at names and at the small files only.

    Args:
        path: A folder written by arangodump or arangoexport.
        database: Which database of an `--all-databases` dump; else to be sure that it is the right dump.

    Raises:
        SourceRejected: the folder cannot be read, or not without guessing.
    """
    if not path.is_dir():
        raise SourceRejected(f"{path} is no folder: give the folder that arangodump or arangoexport wrote")
    _refuse_encrypted(path)
    if (path / MANIFEST).is_file():
        return _dump(path, database)
    databases = sorted(child for child in path.iterdir() if (child / MANIFEST).is_file())
    if databases:
        return _one_of(path, databases, database)
    names = [child.name for child in path.iterdir()]
    if any(name.endswith(STRUCTURE) or _DATA.fullmatch(name) or _VPACK.fullmatch(name) for name in names):
        raise SourceRejected(f"{path} looks like a dump, but {MANIFEST} is missing: copy the whole folder")
    exported = export.find(path)
    if not exported:
        raise SourceRejected(
            f"{path} holds neither a dump ({MANIFEST}) nor an export (such as cdp_profile.jsonl) of LEO CDP;"
            f" found: {some(names)}"
        )
    if database is not None:
        raise SourceRejected(f"{path} is an export, which names no database: leave database {database!r} out")
    return Folder(path, "arangoexport", "", exported)


def some(names: list[str]) -> str:
    """The first few names, for a message."""
    shown = sorted(names)[:8]
    return (", ".join(shown) or "nothing") + (", ..." if len(names) > len(shown) else "")


def _refuse_encrypted(path: Path) -> None:
    marker = path / "ENCRYPTION"
    if marker.is_file():
        method = marker.read_text(errors="replace").strip()
        if method != "none":
            raise SourceRejected(
                f"{path} is encrypted ({method[:40]}): restore it with arangorestore, or dump without"
                " --encryption.keyfile"
            )


def _one_of(path: Path, databases: list[Path], database: str | None) -> Folder:
    """One database of an `--all-databases` dump, whose folders may be named by id."""
    for child in databases:
        _refuse_encrypted(child)
    by_name = {_read(child / MANIFEST, _Manifest).database: child for child in databases}
    if database is None and len(by_name) > 1:
        raise SourceRejected(f"{path} holds several databases ({some(list(by_name))}): name one of them")
    chosen = by_name.get(database) if database is not None else databases[0]
    if chosen is None:
        raise SourceRejected(f"{path} does not hold database {database!r}; found: {some(list(by_name))}")
    return _dump(chosen, database)


def _dump(path: Path, database: str | None) -> Folder:
    manifest = _read(path / MANIFEST, _Manifest)
    if database is not None and manifest.database != database:
        raise SourceRejected(f"{path} is a dump of database {manifest.database!r}, not of {database!r}")
    names = [child.name for child in path.iterdir()]
    packed = [name for name in names if _VPACK.fullmatch(name)]
    if manifest.use_vpack or packed:
        raise SourceRejected(f"{path} was dumped as VelocyPack: dump again without --dump-vpack")
    data = _data_files(path, names)
    collections: dict[str, DataFiles] = {}
    for name in sorted(names):
        if not name.endswith(STRUCTURE):
            continue
        parameters = _read(path / name, _Structure).parameters
        own = data.pop(name.removesuffix(STRUCTURE), None)
        # A cluster's structure files may lack the hash that its data files carry.
        hashed = data.pop(f"{parameters.name}_{_md5(parameters.name)}", None)
        if parameters.deleted:
            continue
        if parameters.name in collections:
            raise SourceRejected(f"{path} holds collection {parameters.name!r} twice: remove the stale files")
        # Old dumps do not say whether they use envelopes; that form passes plain documents on as well.
        form: Form = "lines" if manifest.use_envelope is False else "envelopes"
        collections[parameters.name] = DataFiles(parameters.name, own or hashed or (), form)
    if data:
        raise SourceRejected(
            f"{path}: data without a {STRUCTURE.removeprefix('.')} file ({some(list(data))}):"
            " the dump is not complete, copy the whole folder"
        )
    _refuse_missing_data(path, names, collections)
    return Folder(path, "arangodump", manifest.database, collections)


def _md5(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def _data_files(path: Path, names: list[str]) -> dict[str, tuple[Path, ...]]:
    """Data files by stem, parts in the order of their numbers."""
    parts: dict[str, dict[int | None, Path]] = {}
    for name in sorted(names):
        found = _DATA.fullmatch(name)
        if found is None:
            continue
        number = None if found["part"] is None else int(found["part"])
        of_stem = parts.setdefault(found["stem"], {})
        if number in of_stem or (of_stem and (number is None or None in of_stem)):
            other = next(iter(of_stem.values())).name
            raise SourceRejected(
                f"{path}: {name} stands beside {other}, one of them is left over from another dump:"
                " empty the folder and dump again"
            )
        of_stem[number] = path / name
    _refuse_missing_parts(path, parts)
    return {
        stem: tuple(of_stem[number] for number in sorted(of_stem, key=lambda n: -1 if n is None else n))
        for stem, of_stem in parts.items()
    }


def _refuse_missing_parts(path: Path, parts: dict[str, dict[int | None, Path]]) -> None:
    """Parts are numbered without a gap, from 0 or 1."""
    for stem, of_stem in parts.items():
        numbers = {number for number in of_stem if number is not None}
        if numbers and (gone := set(range(min(*numbers, 1), max(numbers))) - numbers):
            raise SourceRejected(
                f"{path}: part {min(gone)} of {stem} is missing, though part {max(numbers)} is there:"
                " the dump is not complete, copy the whole folder"
            )


def _refuse_missing_data(path: Path, names: list[str], collections: dict[str, DataFiles]) -> None:
    """A split dump has no file for an empty collection, any other dump has an empty file."""
    split = any(found["part"] is not None for name in names if (found := _DATA.fullmatch(name)))
    for collection in sorted(COLLECTIONS & collections.keys()):
        if not collections[collection].files and not split:
            raise SourceRejected(
                f"{path}: the data file of {collection} is missing: the dump is not complete, copy the whole"
                " folder, or dump again without --dump-data false"
            )


def _read(file: Path, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=shape)
    except ValueError as error:
        raise SourceRejected(f"{file} cannot be read ({error}): dump again, or copy it again") from error
