"""LEO CDP read from a folder that arangodump or arangoexport wrote.

Belongs here: answering the `Source` protocol from a stream of documents, with the meaning that the queries of
`aql` have in ArangoDB. Does not belong here: the folder's layout (`folder`), its files (`files`).

Every method reads the collection from its beginning; memory holds a page, plus what the method says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import msgspec

from cdp_assets.sources import aql, rawjson, rules
from cdp_assets.sources.files import DataFiles
from cdp_assets.sources.folder import Folder, find, some
from cdp_assets.sources.model import (
    CONVERSION,
    FINGERPRINT,
    OPTIONAL,
    PROFILE,
    KeyPage,
    Page,
    Signature,
    SourceRejected,
    SourceUnavailable,
    Total,
    fingerprint,
)

SPOOL_BYTES = 64 << 20
"""A window larger than that is put in order on disk."""


class _Times(msgspec.Struct, rename="camel"):
    updated_at: Any = None
    created_at: Any = None


class _Membership(msgspec.Struct, rename="camel"):
    in_segments: Any = None
    status: Any = None


class _Edge(msgspec.Struct):
    start: Any = msgspec.field(name="_from", default=None)


class _Money(msgspec.Struct, rename="camel"):
    currency_code: Any = None
    transaction_value: Any = None


_times = rawjson.Lens(_Times)
_membership = rawjson.Lens(_Membership)
_edge = rawjson.Lens(_Edge)
_money = rawjson.Lens(_Money, float_hook=Decimal)


class DumpSource:
    """Reads one LEO CDP database from its dump or export; looks at the folder at each call, not before.

    What is no document (a line that is no JSON, a `_key` that is missing or that ArangoDB would not take) and
    every further document with a `_key` that came before are part of `scan`, `since`, `segment_members`,
    `conversions_of`, `totals` and of the signature's count, for `landing` to quarantine. `fetch` gives all
    documents with a key, in file order, so the first is first there too.

    Args:
        folder: The folder that arangodump or arangoexport wrote.
        database: Which database of an `--all-databases` dump; of any other dump, a check that it is this one.
    """

    def __init__(self, folder: Path | str, database: str | None = None) -> None:
        self._path = Path(folder)
        self._database = database
        self.name = f"dump {self._path}" + (f", database {database!r}" if database else "")

    def __repr__(self) -> str:
        return f"<DumpSource {self.name}>"

    def signature(self, collection: str) -> Signature:
        """The files' names, sizes and times, and the number of documents, counted once per such revision."""
        data = self._data(collection)
        revision = data.revision()
        return Signature(count=data.count(), revision=revision)

    def keys(self, collection: str) -> Iterator[KeyPage]:
        """`(_key, _rev)` of the first document with each key; a document without `_rev` has its fingerprint there.

        A document without a usable key, and another one with a key that came before, is `("", fingerprint)`; the
        same bytes once more are passed over. Memory holds all keys, about 0.2 GB per million.
        """
        return self._data(collection).key_pages()

    def strays(self, collection: str) -> frozenset[str]:
        """As in `Source`; asked for again, only a folder that changed is read again."""
        return self._data(collection).strays()

    def scan(self, collection: str) -> Iterator[Page]:
        """All documents, in file order."""
        return rawjson.pages(self._data(collection).documents())

    def since(self, collection: str, field: str, instant: datetime) -> Iterator[Page]:
        """Documents of the window in the order of `field`, by code points; equal ones in file order.

        Memory holds 64 MB of documents, the rest waits on disk, and 0.2 kB per document of the window.
        """
        attribute = {"updatedAt": "updated_at", "createdAt": "created_at"}[rules.time_field(field)]
        return rawjson.pages(
            _in_order(self._data(collection).documents(), attribute, aql.instant_text(instant))
        )

    def fetch(self, collection: str, keys: Sequence[str]) -> Iterator[Page]:
        """The documents with these keys or fingerprints, in file order."""
        wanted = set(keys)
        some_odd = any(key.startswith(FINGERPRINT) for key in wanted)
        documents = self._data(collection).documents()
        return rawjson.pages(
            document
            for document in documents
            if rawjson.name_of(document) in wanted or (some_odd and fingerprint(document) in wanted)
        )

    def segment_members(self, segment_id: str) -> Iterator[Page]:
        """As in `Source`: `status > 0` by AQL's order of types, so the text `"1"` is active, null is not."""
        documents = self._data(PROFILE).documents()
        return rawjson.pages(document for document in documents if _is_member(document, segment_id))

    def conversions_of(self, profile_keys: Sequence[str]) -> Iterator[Page]:
        """Conversion edges from these profiles, in file order."""
        handles = {f"{PROFILE}/{key}" for key in profile_keys}
        documents = self._data(CONVERSION).documents()
        return rawjson.pages(document for document in documents if _starts_at(document, handles))

    def totals(self) -> list[Total]:
        """Exact decimal sums; a value that is no number adds nothing."""
        totals = rules.Totals()
        for document in self._data(CONVERSION).documents():
            money = _money.read(document)
            totals.add(money.currency_code, 1, _addend(money.transaction_value))
        return totals.in_order()

    def close(self) -> None:
        """Nothing stays open between calls."""

    def _data(self, collection: str) -> DataFiles:
        rules.allowed(collection)
        try:
            folder = find(self._path, self._database)
        except FileNotFoundError as error:
            raise SourceUnavailable(
                f"{error.filename} is gone: is the folder being replaced? Read it again then"
            ) from error
        except OSError as error:
            raise SourceRejected(f"{self._path} cannot be read ({error.strerror})") from error
        if collection in OPTIONAL and collection not in folder.collections:
            return DataFiles(collection, (), "lines")
        if collection not in folder.collections:
            raise SourceRejected(_missing(folder, collection))
        return folder.collections[collection]


def _missing(folder: Folder, collection: str) -> str:
    names = some(list(folder.collections))
    return (
        f"{folder.path} does not hold collection {collection!r}; found: {names}."
        f" Run {folder.kind} again with it, or for all collections"
    )


def _in_order(documents: Iterable[bytes], attribute: str, since: str) -> Iterator[bytes]:
    """`FILTER d.@field >= @since SORT d.@field`, where any array or object is more than any text."""
    with SpooledTemporaryFile(SPOOL_BYTES) as spool:
        places: list[tuple[int, str, int, int]] = []
        for document in documents:
            value = getattr(_times.read(document), attribute)
            if isinstance(value, str) and value >= since:
                places.append((0, value, spool.tell(), len(document)))
            elif isinstance(value, list | dict):
                places.append((1 if isinstance(value, list) else 2, "", spool.tell(), len(document)))
            else:
                continue
            spool.write(document)
        for _, _, start, length in sorted(places):
            spool.seek(start)
            yield spool.read(length)


def _is_member(document: bytes, segment_id: str) -> bool:
    """`@segment IN d.inSegments[*].id AND d.status > 0`, where null < false < true < numbers < all else."""
    membership = _membership.read(document)
    status = membership.status
    if status is None or isinstance(status, bool) or (isinstance(status, int | float) and status <= 0):
        return False
    entries = membership.in_segments
    return isinstance(entries, list) and any(
        isinstance(entry, dict) and entry.get("id") == segment_id for entry in entries
    )


def _starts_at(document: bytes, handles: set[str]) -> bool:
    start = _edge.read(document).start
    return isinstance(start, str) and start in handles


def _addend(value: Any) -> Decimal:
    """What a value adds to the sum: a number itself, anything else nothing (as `aql.TOTALS` has it)."""
    return Decimal(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else Decimal(0)
