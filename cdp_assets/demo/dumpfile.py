"""Writes a LEO database as an arangodump folder: the layout that arangodump 3.11 leaves with its defaults.

Belongs here: files and bytes. Does not belong here: documents. The same documents give the same bytes (no time in the
gzip header), and a file whose bytes do not change is not touched, so its modification time stays.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import md5
from pathlib import Path
from typing import IO

import msgspec

from cdp_assets.demo.leo import Document
from cdp_assets.sources.model import CONVERSION

_CHUNK = 1 << 20
_LEVEL = 6
_EDGE, _DOCUMENT = 3, 2

_INDEXES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "cdp_profile": (
        ("updatedAt",),
        ("status", "updatedAt"),
        ("inSegments[*].id",),
        ("identities[*]",),
        ("primaryEmail",),
    ),
    "cdp_trackingevent": (("refProfileId", "createdAt"), ("sessionKey", "timestamp"), ("transactionId",)),
    "cdp_feedbackdata": (("feedbackType", "createdAt"),),
    "cdp_productitem": (("slug",),),
}
"""The persistent indexes that matter to a reader; edges have none on time."""


def file_stem(collection: str) -> str:
    """`cdp_profile_05709e5078f2dcc1226df24d458c9a9d`: the name and its MD5."""
    return f"{collection}_{md5(collection.encode(), usedforsecurity=False).hexdigest()}"


def write_dump(
    folder: Path, database: str, tick: int, collections: Mapping[str, Iterator[Document]]
) -> dict[str, int]:
    """Writes every collection and returns its number of documents. `tick` is the write-ahead log's position.

    Args:
        folder: created if missing; files of other names in it are left alone.
        database: the name in `dump.json`.
        tick: any number that grows with time.
        collections: documents by collection name, consumed one at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for number, (name, documents) in enumerate(collections.items(), start=1):
        stem = file_stem(name)
        _replace(folder / f"{stem}.structure.json", _filler(_structure(name, number)))
        counts[name] = _write_documents(folder / f"{stem}.data.json.gz", documents)
    _replace(folder / "ENCRYPTION", _filler(b"none"))
    about = {
        "database": database,
        "lastTickAtDumpStart": str(tick),
        "useEnvelope": False,
        "properties": {"id": "1", "name": database, "isSystem": False},
    }
    _replace(folder / "dump.json", _filler(json.dumps(about).encode()))
    return counts


def _structure(collection: str, number: int) -> bytes:
    indexes = [
        {
            "id": str(position + 1),
            "type": "persistent",
            "fields": list(fields),
            "sparse": False,
            "unique": False,
        }
        for position, fields in enumerate(_INDEXES.get(collection, ()))
    ]
    parameters = {
        "name": collection,
        "type": _EDGE if collection == CONVERSION else _DOCUMENT,
        "id": str(number),
        "isSystem": False,
        "deleted": False,
        "keyOptions": {"allowUserKeys": True, "type": "traditional"},
    }
    return json.dumps({"parameters": parameters, "indexes": indexes}).encode()


def _write_documents(path: Path, documents: Iterator[Document]) -> int:
    encode = msgspec.json.Encoder().encode
    count = 0

    def fill(file: IO[bytes]) -> None:
        nonlocal count
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as packed:
            buffer = bytearray()
            for document in documents:
                buffer += encode(document)
                buffer += b"\n"
                count += 1
                if len(buffer) > _CHUNK:
                    packed.write(buffer)
                    buffer.clear()
            packed.write(buffer)

    _replace(path, fill)
    return count


def _filler(content: bytes) -> Callable[[IO[bytes]], object]:
    return lambda file: file.write(content)


def _replace(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Fills a file beside `path` and moves it there; if the bytes are the same, `path` stays as it is."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        fill(file)
    if path.exists() and _same(path, partial):
        partial.unlink()
    else:
        partial.replace(path)


def _same(left: Path, right: Path) -> bool:
    if left.stat().st_size != right.stat().st_size:
        return False
    with left.open("rb") as first, right.open("rb") as second:
        while True:
            part = first.read(_CHUNK)
            if part != second.read(_CHUNK):
                return False
            if not part:
                return True
