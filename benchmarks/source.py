"""The generated documents on disk, and read as a `Source` in one of three states.

Belongs here: files, offsets, what differs between two states. Does not belong here: what is in a document.
Memory holds an offset per document and one page, whatever the size.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from benchmarks.documents import conversion_document, key_of, number_of, profile_document
from cdp_assets.sources.model import CONVERSION, PROFILE, KeyPage, Page, Signature, Total

SEED = 20260301
PAGE_DOCUMENTS = 2_000
PAGE_KEYS = 20_000
CHANGED_EVERY = 100
"""In state `one_percent` every hundredth document differs."""

State = Literal["first", "rewritten", "one_percent"]
"""`first`: as generated. `rewritten`: every `_rev` differs, nothing else does. `one_percent`: 1 % differ in content."""

_REV = {"first": b'"_rev":"_kA', "rewritten": b'"_rev":"_kB', "one_percent": b'"_rev":"_kC'}


def generate(folder: Path, *, profiles: int, edges: int) -> None:
    """Write both collections: documents one after the other, their offsets, and their key pages."""
    folder.mkdir(parents=True, exist_ok=True)
    # one customer in three buys
    buyers = max(1, profiles // 3)
    _write(folder, PROFILE, profiles, profile_document)
    _write(folder, CONVERSION, edges, partial(conversion_document, buyers=buyers))


def _write(
    folder: Path, collection: str, count: int, make: Callable[[int, random.Random], dict[str, Any]]
) -> None:
    dice = random.Random(f"{SEED}/{collection}")
    offsets = array("Q", [0])
    with (
        (folder / f"{collection}.documents").open("wb") as documents,
        (folder / f"{collection}.keys").open("wb") as keys,
    ):
        page: list[tuple[str, str]] = []
        for number in range(count):
            rev = f"_kA{dice.getrandbits(40):010x}"
            key = key_of(number)
            head = {"_key": key, "_id": f"{collection}/{key}", "_rev": rev}
            raw = msgspec.json.encode({**head, **make(number, dice)})
            documents.write(raw)
            offsets.append(offsets[-1] + len(raw))
            page.append((key, rev))
            if len(page) == PAGE_KEYS or number == count - 1:
                keys.write(msgspec.json.encode(page) + b"\n")
                page = []
    with (folder / f"{collection}.offsets").open("wb") as file:
        offsets.tofile(file)


class BenchmarkSource:
    """The generated documents as a `Source`, in one of three states. Reading a page is one read of cached bytes."""

    def __init__(self, folder: Path, state: State) -> None:
        self.name = f"benchmark {state}"
        self._folder = folder
        self._state: State = state
        self._offsets: dict[str, array[int]] = {}

    def size(self, collection: str) -> tuple[int, int]:
        """Documents and bytes of a collection."""
        offsets = self._read_offsets(collection)
        return len(offsets) - 1, offsets[-1]

    def signature(self, collection: str) -> Signature:
        return Signature(self.size(collection)[0], self._state)

    def keys(self, collection: str) -> Iterator[KeyPage]:
        decoder = msgspec.json.Decoder(list[tuple[str, str]])
        with (self._folder / f"{collection}.keys").open("rb") as file:
            for body in file:
                if self._state == "rewritten":
                    yield decoder.decode(body.replace(b'","_kA', b'","_kB'))
                    continue
                page = decoder.decode(body)
                if self._state == "one_percent":
                    for place in range(0, len(page), CHANGED_EVERY):
                        key, rev = page[place]
                        page[place] = (key, rev.replace("_kA", "_kC", 1))
                yield page

    def strays(self, collection: str) -> frozenset[str]:
        return frozenset()

    def scan(self, collection: str) -> Iterator[Page]:
        offsets = self._read_offsets(collection)
        count = len(offsets) - 1
        with (self._folder / f"{collection}.documents").open("rb") as file:
            for begin in range(0, count, PAGE_DOCUMENTS):
                end = min(begin + PAGE_DOCUMENTS, count)
                body = file.read(offsets[end] - offsets[begin])
                bounds = [offset - offsets[begin] for offset in offsets[begin : end + 1]]
                page = [body[start:stop] for start, stop in pairwise(bounds)]
                if self._state != "first":
                    page = [self._version(number, raw) for number, raw in enumerate(page, begin)]
                yield page

    def fetch(self, collection: str, keys: Sequence[str]) -> Iterator[Page]:
        offsets = self._read_offsets(collection)
        with (self._folder / f"{collection}.documents").open("rb") as file:
            numbers = sorted(map(number_of, keys))
            for begin in range(0, len(numbers), PAGE_DOCUMENTS):
                yield [self._one(file, offsets, number) for number in numbers[begin : begin + PAGE_DOCUMENTS]]

    def _one(self, file: BinaryIO, offsets: array[int], number: int) -> bytes:
        file.seek(offsets[number])
        return self._version(number, file.read(offsets[number + 1] - offsets[number]))

    def _version(self, number: int, raw: bytes) -> bytes:
        if self._state == "first":
            return raw
        if self._state == "one_percent":
            if number % CHANGED_EVERY:
                return raw
            # one more digit of a score, which both collections have
            raw = raw.replace(b'"indexScore":', b'"indexScore":7', 1)
        return raw.replace(_REV["first"], _REV[self._state], 1)

    def _read_offsets(self, collection: str) -> array[int]:
        if collection not in self._offsets:
            offsets = array("Q")
            path = self._folder / f"{collection}.offsets"
            with path.open("rb") as file:
                offsets.fromfile(file, path.stat().st_size // offsets.itemsize)
            self._offsets[collection] = offsets
        return self._offsets[collection]

    def since(self, collection: str, field: str, instant: datetime) -> Iterator[Page]:
        raise NotImplementedError("the benchmark reads no window")

    def segment_members(self, segment_id: str) -> Iterator[Page]:
        raise NotImplementedError("the benchmark reads no segment")

    def conversions_of(self, profile_keys: Sequence[str]) -> Iterator[Page]:
        raise NotImplementedError("the benchmark reads no segment")

    def totals(self) -> list[Total]:
        raise NotImplementedError("the benchmark reconciles nothing")

    def close(self) -> None:
        """Nothing stays open between calls."""
