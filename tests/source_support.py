"""What tests of every source share: one LEO CDP behind a server or in a folder, and the keys of what was read.

Belongs here: worlds that are changed in the same words, whatever source reads them. Does not belong here: what tests
of one source share (`arango_support`, `dump_support`), what a source should do.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arango.client import ArangoClient

from cdp_assets.sources.arango import ArangoSource
from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import COLLECTIONS, CONVERSION
from tests.dump_support import write_dump, write_lines


def keys_of(pages: Iterator[list[bytes]]) -> list[str]:
    return [json.loads(document)["_key"] for page in pages for document in page]


class ArangoWorld:
    """A database of an ArangoDB server, ours or a real one, filled over HTTP."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._login = (username, password)
        self._url = url
        self._name = f"leo_{uuid.uuid4().hex[:12]}"
        self._client = ArangoClient(hosts=url)
        self._system = self._client.db("_system", username, password)
        self._system.create_database(self._name)
        self._db = self._client.db(self._name, username, password)
        for collection in COLLECTIONS:
            self._db.create_collection(collection, edge=collection == CONVERSION)
        self._sources: list[ArangoSource] = []

    def insert(self, collection: str, *documents: dict[str, Any]) -> None:
        for document in documents:
            self._db.collection(collection).insert(document)

    def remove(self, collection: str, key: str) -> None:
        self._db.collection(collection).delete(key)

    def drop(self, collection: str) -> None:
        self._db.delete_collection(collection)

    def source(self) -> ArangoSource:
        source = ArangoSource([self._url], self._name, *self._login, page_size=2, key_page_size=3)
        self._sources.append(source)
        return source

    def close(self) -> None:
        for source in self._sources:
            source.close()
        self._system.delete_database(self._name)
        self._client.close()


class FolderWorld:
    """The same documents in a folder, written anew at each change."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._documents: dict[str, dict[str, bytes]] = {collection: {} for collection in COLLECTIONS}
        self._writes = 0
        self._write()

    def insert(self, collection: str, *documents: dict[str, Any]) -> None:
        for document in documents:
            self._writes += 1
            stored = {**document, "_id": f"{collection}/{document['_key']}", "_rev": f"_rev{self._writes}"}
            self._documents[collection][document["_key"]] = json.dumps(stored).encode()
        self._write()

    def remove(self, collection: str, key: str) -> None:
        del self._documents[collection][key]
        self._write()

    def drop(self, collection: str) -> None:
        del self._documents[collection]
        for file in self._folder.iterdir():
            file.unlink()
        self._write()

    def source(self) -> DumpSource:
        return DumpSource(self._folder)

    def close(self) -> None:
        pass

    def _write(self) -> None:
        if self._kind == "dump":
            write_dump(self._folder, {name: docs.values() for name, docs in self._documents.items()})
        for name, docs in self._documents.items():
            if self._kind == "jsonl":
                write_lines(self._folder / f"{name}.jsonl", docs.values())
            elif self._kind == "json":
                elements = b",".join(b"\n  " + document for document in docs.values())
                (self._folder / f"{name}.json").write_bytes(b"[" + elements + b"\n]")
