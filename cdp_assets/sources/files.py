"""The data files of one collection, from a dump or an export, read as a stream of raw documents.

Belongs here: unpacking, lines, envelopes, arrays, and telling a damaged file from a bad document. Does not
belong here: finding the files (`folder`, `export`), what is asked of the documents (`dump`).

A line that is no document is passed on as it is, for `landing` to quarantine. A *file* that is cut off or
damaged is an error: whatever is missing behind the damage would otherwise look deleted.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Literal, cast

import msgspec

from cdp_assets.sources import rawjson
from cdp_assets.sources.model import SourceRejected, SourceUnavailable

READ_BYTES = 1 << 20

INSERTED = (2300, 2301)
"""Marker types of an envelope that hold a document; 2301 is the older one of edges."""

Form = Literal["lines", "envelopes", "array"]


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
                else:
                    yield from _lines(file)


@lru_cache(maxsize=256)
def _count(data: DataFiles, revision: str) -> int:  # the revision is part of the cache's key
    return sum(1 for _ in data.documents())


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
    line = b""
    with _opened(file) as stream:
        for line in stream:
            if document := line.strip():
                yield document
    if line.strip() and not line.endswith((b"\n", b"}")):
        raise SourceRejected(f"{file} was cut off within its last line: dump it again, or copy it again")


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


def _elements(file: Path) -> Iterator[bytes]:
    """The elements of an array as arangoexport writes it: `[`, one element per line, `]`."""
    lines = _lines(file)
    if next(lines, b"") != b"[":
        raise SourceRejected(
            f"{file} is not an array as arangoexport writes it, one document per line:"
            " export again with --type jsonl"
        )
    for line in lines:
        if line == b"]":
            return
        yield line.removesuffix(b",")
    raise SourceRejected(f"{file} was cut off, its array does not end: export it again, or copy it again")
