"""Databases, collections, documents: what the server holds, and the way for a test to change it in process.

Belongs here: writes with ArangoDB's rules for `_key`, `_rev` and revisions, snapshots, undoing a failed query.
Does not belong here: HTTP, AQL. Documents are replaced, never changed, so a snapshot is a dict that the next
write leaves alone by copying it first.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from tests.arango import errors
from tests.arango.errors import ApiError
from tests.arango.revisions import NEVER_WRITTEN, RevisionClock, decode_revision, encode_revision
from tests.arango.wire import Document, decode_leniently, encode

SYSTEM_ATTRIBUTES = ("_key", "_id", "_rev")
MODES = ("conflict", "ignore", "replace", "update")

_KEY = re.compile(r"[A-Za-z0-9_\-.@()+,=;$!*'%:]{1,254}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,255}")
_HANDLE = re.compile(r"[A-Za-z0-9_-]+/" + _KEY.pattern)


class Written(NamedTuple):
    """One write: the document before and after it. The same object twice: nothing was written."""

    old: Document | None
    new: Document | None

    @property
    def document(self) -> Document:
        """The document after the write, or the one removed."""
        document = self.new or self.old
        assert document is not None
        return document

    @property
    def key(self) -> str:
        return self.document.key

    @property
    def rev(self) -> str:
        return self.document.rev


class Store:
    """All databases of one server, with one lock for every write and one clock for every `_rev`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.clock = RevisionClock()
        self.identifiers = itertools.count(100)
        self.databases: dict[str, Database] = {}
        self.create_database("_system")

    def create_database(self, name: str) -> Database:
        with self.lock:
            _check_name(name)
            if name in self.databases:
                raise ApiError(409, errors.DUPLICATE_NAME, "duplicate name")
            self.databases[name] = Database(self, name)
            return self.databases[name]

    def database(self, name: str) -> Database:
        if name not in self.databases:
            raise ApiError(404, errors.DATABASE_NOT_FOUND, f"database not found: {name}")
        return self.databases[name]

    def drop_database(self, name: str) -> None:
        with self.lock:
            self.database(name)
            del self.databases[name]


class Database:
    """One database. Made by `Store.create_database`."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self.id = str(next(store.identifiers))
        self.collections: dict[str, Collection] = {}

    def create_collection(self, name: str, *, edge: bool = False) -> Collection:
        with self.store.lock:
            _check_name(name)
            if name in self.collections:
                raise ApiError(409, errors.DUPLICATE_NAME, f"duplicate name: {name}")
            self.collections[name] = Collection(self.store, name, edge)
            return self.collections[name]

    def collection(self, name: str) -> Collection:
        found = self.collections.get(name)
        if found is None:
            raise errors.collection_not_found(name)
        return found

    def drop_collection(self, name: str) -> Collection:
        with self.store.lock:
            self.collection(name)
            return self.collections.pop(name)

    def snapshot(self) -> dict[str, dict[str, Document]]:
        """All collections' documents by key as they are now, at the cost of one reference each."""
        with self.store.lock:
            return {name: collection.snapshot() for name, collection in self.collections.items()}

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Holds every other write back, and undoes the block's own when it raises."""
        with self.store.lock:
            saved = [(held, held.snapshot(), held.revision_number) for held in self.collections.values()]
            try:
                yield
            except BaseException:
                for collection, documents, revision in saved:
                    collection.reset(documents, revision)
                raise


class Collection:
    """One collection. Made by `Database.create_collection`; every method is safe for threads.

    Methods raise `ApiError` as the server would answer. Values that come in are copied by encoding them.
    """

    def __init__(self, store: Store, name: str, edge: bool) -> None:
        self.name = name
        self.edge = edge
        self.id = str(next(store.identifiers))
        self.indexes: list[dict[str, Any]] = []
        self.revision_number: int | None = None
        self._store = store
        self._documents: dict[str, Document] = {}
        self._shared = False

    @property
    def count(self) -> int:
        return len(self._documents)

    @property
    def revision(self) -> str:
        return NEVER_WRITTEN if self.revision_number is None else str(self.revision_number)

    def keys(self) -> list[str]:
        with self._store.lock:
            return list(self._documents)

    def find(self, key: str) -> Document | None:
        return self._documents.get(key)

    def document(self, key: str) -> Document:
        found = self.find(key)
        if found is None:
            raise ApiError(404, errors.DOCUMENT_NOT_FOUND, "document not found")
        return found

    def get(self, key: str) -> dict[str, Any]:
        """The document as the caller's own copy."""
        copy: dict[str, Any] = msgspec.json.decode(self.document(key).raw)
        return copy

    def snapshot(self) -> dict[str, Document]:
        """The documents by key as they are now; not to be changed."""
        with self._store.lock:
            self._shared = True
            return self._documents

    def reset(self, documents: dict[str, Document], revision: int | None) -> None:
        """Goes back to a snapshot."""
        with self._store.lock:
            self._documents, self._shared, self.revision_number = documents, True, revision

    def insert(
        self,
        document: Mapping[str, Any],
        *,
        mode: str = "conflict",
        keep_null: bool = True,
        merge_objects: bool = True,
    ) -> Written:
        """Stores a document, with a key of the server's making unless it has a `_key`.

        Args:
            document: Attributes; `_id` and `_rev` in it are ignored.
            mode: What if the key exists: `conflict` (error 1210), `ignore`, `replace` or `update`.
            keep_null: For `update`: store nulls; False: they remove attributes.
            merge_objects: For `update`: merge objects instead of replacing them.
        """
        with self._store.lock:
            key = document["_key"] if "_key" in document else str(next(self._store.identifiers))
            self._check_key(key)
            old = self.find(key)
            if old is not None:
                if mode == "update":
                    return self.update(key, document, keep_null=keep_null, merge_objects=merge_objects)
                if mode == "ignore":
                    return Written(old, old)
                if mode != "replace":
                    raise ApiError(
                        409,
                        errors.UNIQUE_CONSTRAINT,
                        "unique constraint violated - in index primary of type primary over '_key';"
                        f" conflicting key: {key}",
                    )
            return self._put(key, document, old)

    def insert_many(self, documents: Iterable[Mapping[str, Any]]) -> list[str]:
        """Stores the documents in one go; returns their keys."""
        with self._store.lock:
            return [self.insert(document).key for document in documents]

    def insert_raw(self, key: str, raw: bytes, rev: str | None = None) -> Written:
        """Plants bytes that are sent verbatim, whatever they are, in place of what the key had.

        AQL sees the attributes that `decode_leniently` finds, with `_key`, `_id` and `_rev` from here.

        Args:
            key: `_key`.
            raw: The bytes.
            rev: `_rev`; None takes it from the bytes, or makes one.
        """
        with self._store.lock:
            value = decode_leniently(raw)
            number = self._store.clock.tick()
            said = value.get("_rev")
            rev = rev or (said if isinstance(said, str) else encode_revision(number))
            value = {**value, "_key": key, "_id": f"{self.name}/{key}", "_rev": rev}
            return self._keep(Document(key, rev, raw, value), number)

    def restore(self, document: Mapping[str, Any]) -> Written:
        """Stores a document as arangorestore does: `_key` and `_rev` are kept."""
        with self._store.lock:
            return self._put(document["_key"], document, self.find(document["_key"]), rev=document["_rev"])

    def update(
        self,
        key: str,
        patch: Mapping[str, Any],
        *,
        keep_null: bool = True,
        merge_objects: bool = True,
        keep_rev: bool = False,
    ) -> Written:
        """Merges the patch in, as PATCH does. A patch without attributes of its own writes nothing.

        Args:
            key: `_key`.
            patch: Attributes.
            keep_null: Store nulls; False: they remove attributes.
            merge_objects: Merge objects instead of replacing them.
            keep_rev: Change the document behind its `_rev`'s back, which no real server does.
        """
        with self._store.lock:
            old = self._editable(key)
            changes = {name: value for name, value in patch.items() if name not in SYSTEM_ATTRIBUTES}
            if not changes:
                return Written(old, old)
            merged = merge_patch(old.value, changes, keep_null, merge_objects)
            return self._put(key, merged, old, rev=old.rev if keep_rev else None)

    def replace(self, key: str, document: Mapping[str, Any]) -> Written:
        with self._store.lock:
            return self._put(key, document, self.document(key))

    def rewrite(self, key: str) -> Written:
        """Writes the same values again: a new `_rev` and nothing else."""
        with self._store.lock:
            return self.replace(key, self._editable(key).value)

    def remove(self, key: str) -> Written:
        with self._store.lock:
            old = self.document(key)
            self._own()
            del self._documents[key]
            self.revision_number = self._store.clock.tick()
            return Written(old, None)

    def truncate(self) -> None:
        with self._store.lock:
            self.reset({}, self._store.clock.tick())

    def _put(
        self, key: str, attributes: Mapping[str, Any], old: Document | None, rev: str | None = None
    ) -> Written:
        number = self._store.clock.tick()
        if rev is not None:
            # As arangorestore leaves it; a stranger's `_rev` has no number behind it.
            number = (decode_revision(rev) if old is None else None) or number
        rev = rev or encode_revision(number)
        value: dict[str, Any] = {"_key": key, "_id": f"{self.name}/{key}"}
        if self.edge:
            for name in ("_from", "_to"):
                handle = attributes.get(name)
                if not isinstance(handle, str) or _HANDLE.fullmatch(handle) is None:
                    raise ApiError(400, errors.BAD_EDGE, "edge attribute missing or invalid")
                value[name] = handle
        value["_rev"] = rev
        value.update((name, item) for name, item in attributes.items() if name not in SYSTEM_ATTRIBUTES)
        return self._keep(Document(key, rev, encode(value)), number, old)

    def _keep(self, document: Document, revision: int | None, old: Document | None = None) -> Written:
        self._own()
        self._documents[document.key] = document
        self.revision_number = revision
        return Written(old, document)

    def _own(self) -> None:
        if self._shared:
            self._documents = dict(self._documents)
            self._shared = False

    def _editable(self, key: str) -> Document:
        document = self.document(key)
        if document.planted:
            raise ValueError(
                f"{self.name}/{key} holds planted bytes: plant new ones, or replace the document"
            )
        return document

    def _check_key(self, key: object) -> None:
        if not isinstance(key, str) or _KEY.fullmatch(key) is None:
            raise ApiError(400, errors.BAD_KEY, "illegal document key")


def merge_patch(
    old: Mapping[str, Any], patch: Mapping[str, Any], keep_null: bool, merge_objects: bool
) -> dict[str, Any]:
    """ArangoDB's PATCH: objects merge, arrays are replaced, nulls are stored or remove the attribute."""
    merged = dict(old)
    for name, value in patch.items():
        if value is None and not keep_null:
            merged.pop(name, None)
        elif isinstance(value, dict):
            held = merged.get(name)
            base = held if merge_objects and isinstance(held, dict) else {}
            merged[name] = merge_patch(base, value, keep_null, merge_objects)
        else:
            merged[name] = value
    return merged


def _check_name(name: object) -> None:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ApiError(400, errors.ILLEGAL_NAME, f"illegal name: {name}")
