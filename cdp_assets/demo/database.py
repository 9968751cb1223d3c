"""One tenant's LEO CDP as a document store: the state of step 0 plus every write since.

Belongs here: lookup, streaming in key order, writes with their revisions, the log of the present step. Does not belong
here: what a document says (`leo*`), which writes happen (`advance`). Documents of step 0 are rendered when asked for,
so memory holds the model and the written documents, never a whole collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cdp_assets.demo.keys import revision
from cdp_assets.demo.leo import Document
from cdp_assets.sources.model import CONVERSION, FEEDBACK, TRACKING_EVENT

OWNED = (CONVERSION, TRACKING_EVENT, FEEDBACK)
"""The collections whose documents belong to a profile."""


@dataclass(frozen=True, slots=True)
class Base:
    """A collection at step 0: entities by key, in key order, and how to render one."""

    entities: Mapping[str, Any]
    render: Callable[[Any], Document]


def owner_of(collection: str, document: Document) -> str:
    """The key of the profile that an edge, event or feedback belongs to."""
    if collection == CONVERSION:
        return str(document["_from"]).partition("/")[2]
    return str(document["refProfileId"])


@dataclass(slots=True)
class LeoDatabase:
    """Reads return documents that must not be altered in place; every alteration goes through a write."""

    base: Mapping[str, Base]
    changes: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """(collection, key) -> what happened to it in the present step."""
    _written: dict[str, dict[str, Document | None]] = field(default_factory=dict)
    """Collection -> key -> present document, None once removed."""
    _writes: dict[tuple[str, str], int] = field(default_factory=dict)
    _owned: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._written = {collection: {} for collection in self.base}

    def get(self, collection: str, key: str) -> Document:
        """The present document.

        Raises:
            KeyError: there is none.
        """
        written = self._written[collection]
        if key in written:
            document = written[key]
            if document is None:
                raise KeyError(f"{collection}/{key} was removed")
            return document
        base = self.base[collection]
        return base.render(base.entities[key])

    def has(self, collection: str, key: str) -> bool:
        written = self._written[collection]
        return written[key] is not None if key in written else key in self.base[collection].entities

    def keys(self, collection: str) -> list[str]:
        """All present keys in bytewise order."""
        written, entities = self._written[collection], self.base[collection].entities
        present = [key for key in entities if key not in written]
        return sorted(present + [key for key, document in written.items() if document is not None])

    def count(self, collection: str) -> int:
        return len(self.keys(collection))

    def documents(self, collection: str) -> Iterator[Document]:
        """All present documents in key order, one at a time."""
        return (self.get(collection, key) for key in self.keys(collection))

    def owned(self, collection: str, profile: str) -> list[str]:
        """Keys of the edges, events or feedback of a profile, in key order."""
        if collection not in self._owned:
            index: dict[str, set[str]] = {}
            for document in self.documents(collection):
                index.setdefault(owner_of(collection, document), set()).add(document["_key"])
            self._owned[collection] = index
        return sorted(self._owned[collection].get(profile, ()))

    def plant(self, collection: str, key: str, document: Document) -> None:
        """Makes `document` the state of step 0 under `key`: no new revision, nothing logged."""
        self._written[collection][key] = document

    def insert(self, collection: str, document: Document, change: str) -> None:
        key = document["_key"]
        if self.has(collection, key):
            raise ValueError(f"{collection}/{key} exists: two entities have the same key hint")
        self._put(collection, key, document, change)

    def patch(self, collection: str, key: str, fields: Document, change: str) -> None:
        """Writes the document with `fields` replaced or added; `_rev` changes even if nothing else does."""
        old = self.get(collection, key)
        write = self._writes.get((collection, key), 0) + 1
        self._writes[collection, key] = write
        self._put(collection, key, {**old, **fields, "_rev": revision(collection, key, write)}, change)

    def remove(self, collection: str, key: str, change: str) -> None:
        old = self.get(collection, key)
        if collection in self._owned:
            self._owned[collection][owner_of(collection, old)].discard(key)
        self._written[collection][key] = None
        self._log(collection, key, change)

    def _put(self, collection: str, key: str, document: Document, change: str) -> None:
        if collection in self._owned:
            index = self._owned[collection]
            if self.has(collection, key):
                index[owner_of(collection, self.get(collection, key))].discard(key)
            index.setdefault(owner_of(collection, document), set()).add(key)
        self._written[collection][key] = document
        self._log(collection, key, change)

    def _log(self, collection: str, key: str, change: str) -> None:
        self.changes.setdefault((collection, key), set()).add(change)
