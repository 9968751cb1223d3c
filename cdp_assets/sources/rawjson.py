"""JSON that stays bytes: take an array apart, look at a few attributes, leave the rest untouched.

Belongs here: splitting without decoding, reading single attributes, a document's key and revision, paging.
Does not belong here: files (`files`), HTTP (`http`), the meaning of an attribute (`landing`).

msgspec does the work. It refuses a whole page when one document in it holds what its grammar does not allow
(the escape of half a surrogate pair, `NaN`, a raw control character, 1,000 levels of nesting),
so each function falls back to a scan that knows only strings, brackets and commas: the other documents of the
page come through as usual, and the odd one verbatim, for `landing` to judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from cdp_assets.keys import DOCUMENT_KEY_PATTERN
from cdp_assets.sources.model import Page, fingerprint

PAGE_DOCUMENTS = 2000
PAGE_KEYS = 20_000
PAGE_BYTES = 8 << 20

S = TypeVar("S", bound=msgspec.Struct)

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_MARKS = re.compile(_STRING + rb'|[\[\]{},"]', re.DOTALL)
_MEMBER = re.compile(rb"(" + _STRING + rb")\s*:\s*", re.DOTALL)
_KEY = re.compile(DOCUMENT_KEY_PATTERN)

_array = msgspec.json.Decoder(list[msgspec.Raw])


def elements(array: bytes | msgspec.Raw) -> list[bytes]:
    """The elements of a JSON array, each as the bytes that stand there.

    Raises:
        ValueError: it is not an array, or it is cut off.
    """
    try:
        return [bytes(element) for element in _array.decode(array)]
    except (ValueError, RecursionError):
        return _split(bytes(array), b"[")


def members(document: bytes) -> dict[str, bytes]:
    """The attributes of a JSON object as bytes, whatever those hold; of a repeated name the last one.

    Raises:
        ValueError: it is not an object, or it is cut off.
    """
    found = {}
    for member in _split(document, b"{"):
        name = _MEMBER.match(member)
        if name is None:
            raise ValueError("not a JSON object")
        found[msgspec.json.decode(name[1], type=str)] = member[name.end() :]
    return found


def _split(text: bytes, opening: bytes) -> list[bytes]:
    """What stands between the commas of the outermost bracket."""
    text = text.strip()
    if not text.startswith(opening):
        raise ValueError(f"JSON that begins with {opening.decode()} was expected")
    parts, depth, start, end = [], 0, 1, -1
    for found in _MARKS.finditer(text):
        mark = found[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                end = found.start()
                break
        elif mark == b'"':
            raise ValueError("JSON is cut off within a string")
        elif mark == b"," and depth == 1:
            parts.append(text[start : found.start()].strip())
            start = found.end()
    if end != len(text) - 1:
        raise ValueError("JSON is cut off or goes on after its end")
    last = text[start:end].strip()
    return [*parts, last] if last or parts else []


def is_closed(text: bytes) -> bool:
    """Whether the brackets and strings of a JSON object are all closed, and nothing follows it."""
    try:
        _split(text, b"{")
    except ValueError:
        return False
    return True


class Lens(Generic[S]):
    """Reads the attributes of one `msgspec.Struct` out of documents and passes over all others.

    Every field of the struct needs a default, which stands for an attribute that is missing or unreadable.
    """

    def __init__(self, shape: type[S], float_hook: Callable[[str], Any] | None = None) -> None:
        self._shape = shape
        self._float_hook = float_hook
        self._decoder = msgspec.json.Decoder(shape, float_hook=float_hook)

    def read(self, document: bytes) -> S:
        """Never raises: bytes that are no JSON object read as one without attributes."""
        try:
            return self._decoder.decode(document)
        except (ValueError, RecursionError):
            return self._read_apart(document)

    def _read_apart(self, document: bytes) -> S:
        values: dict[str, Any] = {}
        try:
            attributes = members(document)
        except ValueError:
            return self._shape()
        for field in msgspec.structs.fields(self._shape):
            try:
                decoder = msgspec.json.Decoder(field.type, float_hook=self._float_hook)
                values[field.name] = decoder.decode(attributes[field.encode_name])
            except (KeyError, ValueError, RecursionError):
                continue
        return self._shape(**values)


class Head(msgspec.Struct):
    """What names a document and its version."""

    key: Any = msgspec.field(name="_key", default=None)
    rev: Any = msgspec.field(name="_rev", default=None)


_head = Lens(Head)


def name_of(document: bytes) -> str:
    """The document's `_key`; its fingerprint when that is missing, no string or none that ArangoDB would take."""
    key = _head.read(document).key
    return key if is_key(key) else fingerprint(document)


def is_key(value: object) -> bool:
    """Whether ArangoDB accepts the value as a `_key`: 1 to 254 characters of its own set, so never `/`."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def identity(document: bytes) -> tuple[str, str]:
    """`(_key, _rev)`; the fingerprint stands for a revision that is missing, or that belongs to no key."""
    head = _head.read(document)
    key = head.key if is_key(head.key) else ""
    if key and is_key(head.rev):
        return key, head.rev
    return key, fingerprint(document)


def pages(
    documents: Iterable[bytes], most_documents: int = PAGE_DOCUMENTS, most_bytes: int = PAGE_BYTES
) -> Iterator[Page]:
    """Groups documents; a page ends at `most_documents` or at the document that passes `most_bytes`."""
    page: Page = []
    size = 0
    for document in documents:
        page.append(document)
        size += len(document)
        if len(page) >= most_documents or size >= most_bytes:
            yield page
            page, size = [], 0
    if page:
        yield page
