"""Identifiers and instants as LEO CDP writes them: base62 keys, opaque revisions, ISO texts in milliseconds.

Belongs here: pure functions from hints to identifiers. Does not belong here: which document gets which key.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import md5

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def digest(*hint: object) -> bytes:
    """16 bytes that depend on the hint only."""
    return md5("|".join(map(str, hint)).encode(), usedforsecurity=False).digest()


def hexadecimal(*hint: object) -> str:
    """32 hex characters: visitor ids, fingerprints."""
    return digest(*hint).hex()


def friendly_id(*hint: object) -> str:
    """LEO's `_key`: the MD5 of a hint in base62, mixed case, 21 or 22 characters (rarely fewer)."""
    number = int.from_bytes(digest(*hint), "big")
    characters = []
    while number:
        number, rest = divmod(number, 62)
        characters.append(_BASE62[rest])
    return "".join(reversed(characters))


fixed_id = lru_cache(maxsize=8_192)(friendly_id)
"""`friendly_id` for the few hints that come again and again: touchpoints, hubs, groups."""


def revision(collection: str, key: str, write: int) -> str:
    """`_rev` after the `write`-th write of a document: opaque, different for each write."""
    text = base64.urlsafe_b64encode(digest("rev", collection, key, write)[:6]).decode()
    return f"_{text}---"


def iso(instant: datetime) -> str:
    """`2026-03-01T08:00:00.000Z`, the only format of LEO's dates."""
    return instant.isoformat(timespec="milliseconds")[:23] + "Z"


def epoch_ms(instant: datetime) -> int:
    """Milliseconds since 1970."""
    return (instant - _EPOCH) // _MILLISECOND
