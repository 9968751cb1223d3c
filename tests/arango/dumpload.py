"""Loads an arangodump folder into a database, as arangorestore does: `_key` and `_rev` are kept.

Belongs here: the layout without encryption and VPack. Does not belong here: judging a dump, which is the
product's business: whatever is not as expected is a ValueError here.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.arango.store import Collection, Database

INSERTION = 2300


def load_dump(database: Database, folder: Path) -> dict[str, int]:
    """Creates the collections of the dump and fills them; returns the number of documents of each.

    Raises:
        ValueError: the folder is no arangodump folder that this loader knows.
    """
    if not (folder / "dump.json").is_file():
        raise ValueError(f"{folder} has no dump.json: not a folder written by arangodump")
    if any(folder.glob("*.data.vpack*")):
        raise ValueError(f"{folder} holds VPack data: dump again as JSON")
    counts: dict[str, int] = {}
    for structure in sorted(folder.glob("*.structure.json")):
        parameters = json.loads(structure.read_bytes())["parameters"]
        collection = database.create_collection(parameters["name"], edge=parameters["type"] == 3)
        stem = structure.name.removesuffix(".structure.json")
        for path in sorted([*folder.glob(f"{stem}.data.json*"), *folder.glob(f"{stem}.*.data.json*")]):
            _load_file(collection, path)
        counts[collection.name] = collection.count
    return counts


def _load_file(collection: Collection, path: Path) -> None:
    for number, line in enumerate(_lines(path), 1):
        try:
            document = _document(msgspec.json.decode(line))
        except ValueError as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from error
        collection.restore(document)


def _lines(path: Path) -> Iterator[bytes]:
    if path.stat().st_size == 0:
        return
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for line in file:
            if line.strip():
                yield line


def _document(line: dict[str, Any]) -> dict[str, Any]:
    """The document of a line, with or without an envelope."""
    if "_key" in line:
        return line
    if line.get("type") != INSERTION:
        raise ValueError(f"neither a document nor an insertion: {str(line)[:80]}")
    document: dict[str, Any] = line["data"]
    return document
