"""Folders as arangodump and arangoexport write them, for tests of their reader and of every source alike.

Belongs here: writing such folders, reading them back whole, the documents that several tests put into them. Does not
belong here: ways to spoil a folder, what a reader should do.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import PROFILE

Lines = Mapping[str, Iterable[bytes]]
"""Collection -> its documents, one a line."""


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
"""Ordinary documents of profiles."""

ODD = [
    b'{"_key":"odd","_rev":"r","x":"\\ud800"}',
    b'{"_key":"odd","_rev":"r","x":"\xff\xfe"}',
    b'{"_key":"odd","_rev":"r","x":NaN}',
    b'{"_key":"odd","_rev":"r","x":"\\u0000"}',
    b'{"_key":"odd","_rev":"r","x":1e400}',
    b'{"_key":"odd","_rev":"r","x":' + b"[" * 2000 + b"]" * 2000 + b"}",
    b'{"x":"}\\"{[,","_key":"odd","_rev":"r"}',
]
"""Documents with a key and a revision that msgspec refuses to read whole."""
