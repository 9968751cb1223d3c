"""The data files of one collection, from a dump or an export, read as a stream of raw documents.

Belongs here: unpacking, lines, envelopes, arrays, and telling a damaged file from a bad document. Does not
belong here: finding the files (`folder`, `export`), what is asked of the documents (`dump`).

A line that is no document is passed on as it is, for `landing` to quarantine. A *file* that is cut off or
damaged is an error: whatever is missing behind the damage would otherwise look deleted.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import itertools
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Literal, cast

import msgspec

from cdp_assets.sources import rawjson
from cdp_assets.sources.model import KeyPage, SourceRejected, SourceUnavailable, fingerprint

READ_BYTES = 1 << 20

INSERTED = (2300, 2301)
"""Marker types of an envelope that hold a document; 2301 is the older one of edges."""

Form = Literal["lines", "envelopes", "exported", "array"]
"""How documents stand in a file: arangodump's two forms, and arangoexport's two."""

PIECES = (b"[", b"{", b"[{")
"""What a line that holds a whole document never is."""

WHOLE_BYTES = 256 << 20
"""Largest file that is held in memory to take its array apart."""


class _Envelope(msgspec.Struct):
    type: Any = None
    data: msgspec.Raw = msgspec.Raw()
    key: Any = msgspec.field(name="_key", default=None)


_envelope = rawjson.Lens(_Envelope)


@dataclass(frozen=True, slots=True)
class DataFiles:
    """Where one collection's documents are: none, one or several files, and how they stand in them."""

    collection: str
    files: tuple[Path, ...]
    form: Form

    def revision(self) -> str:
        """A hash of the files' names, sizes and modification times, by which a replaced file shows."""
        digest = hashlib.blake2b(digest_size=16)
        for file in self.files:
            with _faults_of(file):
                state = file.stat()
            digest.update(f"{file.name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
        return digest.hexdigest()

    def count(self) -> int:
        """The number of documents. Reads everything, once per revision and process."""
        return _count(self, self.revision())

    def strays(self) -> frozenset[str]:
        """Fingerprints of the documents that go by no `_key` of their own, found once as `count` is."""
        return _strays(self, self.revision())

    def key_pages(self) -> Iterator[KeyPage]:
        """`(_key, _rev)` of the first document with each key; others as `("", fingerprint)`, the same bytes once."""
        first: dict[str, int] = {}
        page: KeyPage = []
        for document in self.documents():
            key, rev = rawjson.identity(document)
            if key in first:
                if first[key] == hash(document):
                    continue
                key, rev = "", fingerprint(document)
            elif key:
                first[key] = hash(document)
            page.append((key, rev))
            if len(page) >= rawjson.PAGE_KEYS:
                yield page
                page = []
        if page:
            yield page

    def documents(self) -> Iterator[bytes]:
        """Each document as it stands in the file, in file order; lines that are none of them included.

        Raises:
            SourceRejected: a file is damaged, cut off or not what its name says.
            SourceUnavailable: a file is gone.
        """
        for file in self.files:
            with _faults_of(file):
                if self.form == "array":
                    yield from _elements(file)
                elif self.form == "envelopes":
                    for line in _lines(file):
                        yield _unwrapped(line, file)
                elif self.form == "exported":
                    yield from _documents(file)
                else:
                    yield from _lines(file)


@lru_cache(maxsize=256)
def _count(data: DataFiles, revision: str) -> int:  # the revision is part of the cache's key
    return sum(1 for _ in data.documents())


@lru_cache(maxsize=256)
def _strays(data: DataFiles, revision: str) -> frozenset[str]:
    return frozenset(rev for page in data.key_pages() for key, rev in page if not key)


@contextmanager
def _faults_of(file: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceRejected(
            f"{file} is damaged or was cut off ({error}): dump it again, or copy it again"
        ) from error
    except FileNotFoundError as error:
        raise SourceUnavailable(
            f"{file} is gone: is the folder being replaced? Read it again then"
        ) from error
    except OSError as error:
        raise SourceRejected(f"{file} cannot be read ({error.strerror})") from error


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """The unpacked bytes. BufferedReader finds line ends in C, also of lines that are many MB long."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb", buffering=0) as raw:
        yield io.BufferedReader(cast(Any, raw), READ_BYTES)


def _lines(file: Path) -> Iterator[bytes]:
    """The lines that hold anything, without the mark that some editors put before the first."""
    line = b""
    with _opened(file) as stream:
        _refuse_other_encodings(file, first := stream.readline())
        for line in itertools.chain([first.removeprefix(codecs.BOM_UTF8)], stream):
            if document := line.strip():
                yield document
    # what ends without a line end is whole only if it is JSON: `{"a": {}` ends with a brace as well
    last = line.strip().removesuffix(b",")
    if last not in (b"", b"]") and not line.endswith(b"\n") and not _is_json(last):
        raise SourceRejected(f"{file} was cut off within its last line: dump it again, or copy it again")


def _refuse_other_encodings(file: Path, first: bytes) -> None:
    if not first and file.suffix == ".gz" and file.stat().st_size == 0:
        raise SourceRejected(
            f"{file} has 0 bytes, and even an empty gzip file has 20: dump it again, or copy it again"
        )
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceRejected(f"{file} is UTF-16: JSON of ArangoDB is UTF-8, export it again")


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        # the grammar of a document that landing will judge may be odd; what is cut off has an open bracket or quote
        return rawjson.is_closed(text)
    return True


def _unwrapped(line: bytes, file: Path) -> bytes:
    """The document in an envelope `{"type": 2300, "data": {...}}`; a line that is none stays as it is."""
    envelope = _envelope.read(line)
    document = bytes(envelope.data)
    if envelope.key is not None or not document.startswith(b"{") or not isinstance(envelope.type, int):
        return line
    if envelope.type not in INSERTED:
        raise SourceRejected(
            f"{file} holds a marker of type {envelope.type}, which is no document: only dumps of inserted"
            " documents (2300) can be read. Dump again with arangodump 3.11 or later, without --envelope"
        )
    return document


def _documents(file: Path) -> Iterator[bytes]:
    """One document per line; a file whose lines are pieces of documents is refused, not read as so many bad ones."""
    lines = _lines(file)
    first = next(lines, b"")
    if first in PIECES:
        raise SourceRejected(
            f"{file} does not have one document per line: its first line is {first.decode()!r}."
            " Export again with --type jsonl"
        )
    if first:
        yield first
    yield from lines


def _elements(file: Path) -> Iterator[bytes]:
    """The elements of an array: `[`, one element per line, `]` as arangoexport writes it, or laid out otherwise."""
    lines = _lines(file)
    first, second = next(lines, b""), next(lines, b"")
    if first.startswith(b"{") and first not in PIECES:
        raise SourceRejected(
            f"{file} has one document per line: rename it to {file.name.replace('.json', '.jsonl')}"
        )
    if first != b"[" or second.removesuffix(b",") in PIECES:
        yield from _laid_out(file)
        return
    for line in itertools.chain([second], lines):
        if line == b"]":
            return
        yield line.removesuffix(b",")
    raise SourceRejected(f"{file} was cut off, its array does not end: export it again, or copy it again")


def _laid_out(file: Path) -> Iterator[bytes]:
    """The elements of an array on one line, or over several lines each: the file is held whole."""
    with _opened(file) as stream:
        content = stream.read(WHOLE_BYTES + 1)
    if len(content) > WHOLE_BYTES:
        raise SourceRejected(
            f"{file} is an array that does not have one document per line, and larger than {WHOLE_BYTES >> 20} MB:"
            " export again with --type jsonl"
        )
    try:
        yield from rawjson.elements(content.removeprefix(codecs.BOM_UTF8).strip())
    except ValueError as error:
        raise SourceRejected(
            f"{file} is no whole array of documents: export it again with --type jsonl, or copy it again"
        ) from error
