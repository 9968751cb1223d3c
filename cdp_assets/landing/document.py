"""A LEO document on its way into the warehouse: decoded, freed of secrets, in canonical form, hashed.

Belongs here: what is true of every collection's documents. Two documents with the same meaning give the same
bytes: attribute order, the order of sets, `_rev` and attributes that only restate others are taken out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from cdp_assets import keys
from cdp_assets.landing.values import FieldError, shown

MAX_BYTES = 16 * 2**20
"""Larger documents are rejected: PostgreSQL's limit is 255 MB, but one of 16 MB is a defect of the source already."""

SECRETS = frozenset(
    {
        "password", "passwd", "pwd", "passwordhash", "password_hash", "secret", "apikey", "api_key", "accesstoken",
        "access_token", "refreshtoken", "refresh_token", "authtoken", "auth_token", "privatekey", "private_key",
        "governmentissuedids", "citizenid", "citizen_id", "nationalid", "national_id", "passportnumber",
        "passport_number", "passport", "taxid", "tax_id", "socialsecuritynumber", "ssn", "cccd", "cmnd",
        "creditcard", "credit_card", "creditcardnumber", "cardnumber", "card_number", "cvv", "cvc", "webcookies",
    }
)  # fmt: skip
"""Attribute names, lower case, whose values never reach the warehouse, at any depth."""

SECRET_PREFIXES = ("citizen:", "passport:", "national:", "tax:", "ssn:")
"""Entries of `identities` that are government ids."""

BOOKKEEPING = frozenset({"_id", "_rev", "_key", "_from", "_to"})

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder()
_KEY = re.compile(keys.DOCUMENT_KEY_PATTERN)
_SECRET_TEXT = re.compile(
    rb'("(?:' + "|".join(sorted(SECRETS)).encode() + rb')"\s*:\s*)("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,}\]]+)',
    re.IGNORECASE,
)
_CARRIES_JSON = frozenset({"rawJsonData"})
"""Attributes whose text is JSON again."""


class Unreadable(ValueError):
    """Bytes that are not a document that can be stored; the message says why."""


def decode(raw: bytes) -> dict[str, Any]:
    """Decode one document.

    Raises:
        Unreadable: not UTF-8 JSON, not an object, too large, nested too deeply, or with text that PostgreSQL
            cannot hold (NUL, half a surrogate pair).
    """
    if len(raw) > MAX_BYTES:
        raise Unreadable(
            f"the document is {len(raw) / 2**20:.0f} MiB, at most {MAX_BYTES // 2**20} MiB are kept"
        )
    try:
        document = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"not valid JSON ({error})") from error
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    if not isinstance(document, dict):
        raise Unreadable(f"expected an object, got {shown(document)}")
    if b"\\u0000" in raw and "\x00" in _text_of(document):
        raise Unreadable("text with a NUL character (\\u0000), which PostgreSQL cannot store")
    return document


def identity(document: Mapping[str, Any], collection: str) -> tuple[str, str]:
    """`_key` and `_rev` of a document.

    Raises:
        FieldError: `_key` is missing or malformed, or `_id` names another document.
    """
    key, rev = document.get("_key"), document.get("_rev")
    if not isinstance(key, str) or not _KEY.match(key):
        raise FieldError("_key", f"expected 1 to 254 characters that ArangoDB allows, got {shown(key)}")
    handle = document.get("_id")
    if handle is not None and handle != f"{collection}/{key}":
        raise FieldError("_id", f"{shown(handle)} is not {collection}/{key}")
    return key, rev if isinstance(rev, str) else ""


def canonical(document: dict[str, Any], *, drop: frozenset[str], ordered: frozenset[str]) -> bytes:
    """The document as stored: JSON bytes with sorted attributes and sorted sets, without secrets.

    Args:
        document: decoded document; not changed.
        drop: attributes that are not kept, beside `_id`, `_rev`, `_key`, `_from` and `_to`.
        ordered: attributes whose arrays keep their order; all other top-level arrays are sets.
    """
    kept = {}
    for name, value in document.items():
        if name in BOOKKEEPING or name in drop or name.lower() in SECRETS:
            continue
        if value.__class__ is list:
            if name == "identities":
                value = [item for item in value if not str(item).lower().startswith(SECRET_PREFIXES)]
            value = [_clean(item) for item in value]
            if len(value) > 1 and name not in ordered:
                value.sort(key=_encoder.encode)
        elif value.__class__ is dict:
            value = _clean(value)
        elif name in _CARRIES_JSON and value:
            value = _clean_json_text(value)
        kept[name] = value
    return _encoder.encode(kept)


def content_hash(stored: bytes, key_fields: tuple[str, ...], version: str) -> bytes:
    """16 bytes that change with the stored document, the key fields of an edge, or the contract's version."""
    digest = hashlib.blake2b(stored, digest_size=16, person=version.encode()[:16])
    for field in key_fields:
        digest.update(b"\x00" + field.encode())
    return digest.digest()


def redacted(raw: bytes, *, limit: int = 200_000) -> str:
    """A rejected document as text for the quarantine: secrets removed, also where it is not valid JSON."""
    try:
        cleaned = _encoder.encode(_clean(decode(raw)))
    except Unreadable:
        cleaned = _SECRET_TEXT.sub(rb'\1"[removed]"', raw)
    return cleaned[:limit].decode("utf-8", errors="backslashreplace").replace("\x00", "\\u0000")


def _clean(value: Any) -> Any:
    if value.__class__ is dict:
        return {name: _clean(item) for name, item in value.items() if name.lower() not in SECRETS}
    if value.__class__ is list:
        return [_clean(item) for item in value]
    if value.__class__ is str and ":" in value[:10] and value.lower().startswith(SECRET_PREFIXES):
        return "[removed]"
    return value


def _clean_json_text(value: Any) -> Any:
    try:
        inner = _decoder.decode(value) if isinstance(value, str) else value
    except msgspec.DecodeError:
        return _SECRET_TEXT.sub(rb'\1"[removed]"', value.encode()).decode()
    return _encoder.encode(_clean(inner)).decode()


def _text_of(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(name + _text_of(item) for name, item in value.items())
    if isinstance(value, list):
        return "".join(map(_text_of, value))
    return value if isinstance(value, str) else ""
