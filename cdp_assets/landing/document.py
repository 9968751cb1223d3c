"""A LEO document on its way into the warehouse: decoded, freed of secrets, in canonical form, hashed.

Belongs here: what is true of every collection's documents. Two documents with the same meaning give the same
bytes: attribute order, the order of sets, `_rev` and attributes that only restate others are taken out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from cdp_assets.cleaning import secrets
from cdp_assets.cleaning.secrets import is_government_id
from cdp_assets.landing.values import FieldError, shown
from cdp_assets.sources import rawjson

MAX_BYTES = 16 * 2**20
"""Larger documents are rejected: PostgreSQL's limit is 255 MB, but one of 16 MB is a defect of the source already."""

SHOWN_BYTES = 200_000
"""How much of a rejected document the quarantine keeps."""

BOOKKEEPING = frozenset({"_id", "_rev", "_key", "_from", "_to"})

_encode = msgspec.json.Encoder(order="sorted").encode
_packed = msgspec.msgpack.Encoder().encode
_decoder = msgspec.json.Decoder()
_CARRIES_JSON = frozenset({"rawJsonData"})
"""Attributes with whatever the sender sent: JSON as a rule, but a query string with a password in it, too."""


class Unreadable(ValueError):
    """Bytes that are not a document that can be stored; the message says why."""


def decode(raw: bytes) -> dict[str, Any]:
    """Decode one document.

    Raises:
        FieldError: one attribute is at fault: no valid JSON, or text that PostgreSQL cannot hold (NUL).
        Unreadable: the whole is: not an object, not UTF-8 JSON, too large.
    """
    if len(raw) > MAX_BYTES:
        raise Unreadable(
            f"the document is {len(raw) / 2**20:.0f} MiB, at most {MAX_BYTES // 2**20} MiB are kept"
        )
    try:
        document = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(raw, f"not valid JSON ({error})") from error
    except RecursionError as error:
        raise _invalid(raw, "nested too deeply") from error
    if not isinstance(document, dict):
        raise Unreadable(f"expected an object, got {shown(document)}")
    # two steps, since most documents have no escape and the first is 30 times as fast
    if b"\\" in raw and b"\\u0000" in raw:
        for name, value in document.items():
            if "\x00" in name or "\x00" in _text_of(value):
                raise FieldError(name, "text with a NUL character, which PostgreSQL cannot store")
    return document


def _invalid(raw: bytes, problem: str) -> Unreadable | FieldError:
    """The error for bytes that do not decode; it names the attribute when the rest is in order."""
    try:
        members = rawjson.members(raw)
    except ValueError:
        return Unreadable(problem)
    for name, value in members.items():
        try:
            _decoder.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return FieldError(name, problem)
    return Unreadable(problem)


def _text_of(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(name + _text_of(item) for name, item in value.items())
    if isinstance(value, list):
        return "".join(map(_text_of, value))
    return value if isinstance(value, str) else ""


def identity(document: Mapping[str, Any], collection: str) -> tuple[str, str]:
    """`_key` and `_rev` of a document; the latter "" where it has none that ArangoDB could have given.

    Raises:
        FieldError: `_key` is missing or malformed, or `_id` names another document.
    """
    key, rev = document.get("_key"), document.get("_rev")
    if not isinstance(key, str) or not rawjson.is_key(key):
        raise FieldError("_key", f"expected 1 to 254 characters that ArangoDB allows, got {shown(key)}")
    handle = document.get("_id")
    if handle is not None and handle != f"{collection}/{key}":
        raise FieldError("_id", f"{shown(handle)} is not {collection}/{key}")
    return key, rev if isinstance(rev, str) and rawjson.is_key(rev) else ""


def canonical(document: dict[str, Any], *, drop: frozenset[str], ordered: frozenset[str]) -> bytes:
    """The document as stored, but for secrets in unusual places: JSON bytes, attributes and sets sorted.

    Args:
        document: decoded document; not changed.
        drop: attributes that are not kept, beside `_id`, `_rev`, `_key`, `_from`, `_to` and LEO's own secrets.
        ordered: attributes whose arrays keep their order; all other top-level arrays are sets.
    """
    left_out = _left_out(drop)
    kept = {}
    for name, value in document.items():
        if name in left_out:
            continue
        if value.__class__ is list:
            items = [item for item in value if not is_government_id(item)] if name == "identities" else value
            kept[name] = items if len(items) < 2 or name in ordered else _sorted(items)
        elif value and name in _CARRIES_JSON:
            kept[name] = _carried(value)
        else:
            kept[name] = value
    return _encode(kept)


@lru_cache
def _left_out(drop: frozenset[str]) -> frozenset[str]:
    return drop | BOOKKEEPING | secrets.LEO_SECRETS


def _sorted(items: list[Any]) -> list[Any]:
    if items[0].__class__ is str:
        try:
            return sorted(items)
        except TypeError:  # there is something else among the texts
            pass
    return sorted(items, key=_encode)


def _carried(value: Any) -> Any:
    is_json = not isinstance(value, str) or value.lstrip().startswith(("{", "["))
    return value if is_json or not secrets.names_secret(value) else secrets.REMOVED


def content_hash(stored: bytes, values: Sequence[Any], version: str) -> bytes:
    """16 bytes that change with the stored document, the row made of it, or the contract's version.

    The row is more than its document: what is left out of it is read by the options of the tenant.
    """
    digest = hashlib.blake2b(stored, digest_size=16, person=version.encode()[:16])
    digest.update(_packed(values))
    return digest.digest()


def redacted(raw: bytes) -> str:
    """A rejected document as text for the quarantine: secrets removed, also where it is not valid JSON."""
    return secrets.redacted(raw, limit=SHOWN_BYTES)
