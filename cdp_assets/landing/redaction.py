"""What must not reach the warehouse: passwords, tokens, government ids. How it is found, and taken out.

Belongs here: which names and texts are secrets, at any depth, in JSON within text, and in text that is not JSON.
Does not belong here: which attributes a contract leaves out because they are of no use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

_WORDS = (
    "password", "passwd", "pwd", "password hash", "secret", "api key", "access token", "refresh token", "auth token",
    "private key", "government issued ids", "citizen id", "national id", "passport", "passport number", "tax id",
    "social security number", "ssn", "cccd", "cmnd", "credit card", "credit card number", "card number", "cvv", "cvc",
    "web cookies",
)  # fmt: skip
SECRETS = frozenset(separator.join(words.split()) for words in _WORDS for separator in ("", "_", "-"))
"""Attribute names, in lower case, whose values never reach the warehouse."""

LEO_SECRETS = frozenset({"password", "governmentIssuedIDs", "webCookies"})
"""Those of them that every profile has."""

ID_PREFIXES = ("citizen:", "passport:", "national:", "tax:", "ssn:")
"""What entries of `identities` begin with that are government ids."""

REMOVED = "[removed]"

_SIGNS = [*(f'"{name}' for name in sorted(SECRETS)), *ID_PREFIXES, "\\u00"]
"""One of them occurs in every JSON text that holds a secret; the last is a letter escaped in JSON within text."""
_PREFIX = rf"\b(?:{'|'.join(prefix[:-1] for prefix in ID_PREFIXES)})\s*:"
_ID = re.compile(_PREFIX + r"\s*[^\s;,|\"'\\]+", re.IGNORECASE)
_NAMED = re.compile(
    rf"(?<![a-z0-9])(?:{'|'.join(sorted(SECRETS))})(?![a-z0-9])|{_PREFIX}|\\u00[2-7]", re.IGNORECASE
)

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder(order="sorted")


def is_secret_name(name: str) -> bool:
    """Whether the value of an attribute with this name is a secret."""
    return name.lower() in SECRETS


def is_government_id(value: Any) -> bool:
    """Whether it is a text like `citizen:079190001234`."""
    return isinstance(value, str) and ":" in value and value.lstrip().lower().startswith(ID_PREFIXES)


def names_secret(text: str) -> bool:
    """Whether the name of a secret occurs in text that is no JSON; what belongs to it cannot be told there."""
    return _NAMED.search(text) is not None


def show_signs(documents: Sequence[bytes]) -> list[bool]:
    """Which JSON documents may hold a secret, and so have to go through `without_secrets`.

    polars searches all at once and outside the interpreter's lock: 7 us for 7 KB, where walking through the values
    takes 50.
    """
    texts = pl.Series(documents, dtype=pl.Binary).cast(pl.String)
    return texts.str.contains_any(_SIGNS, ascii_case_insensitive=True).to_list()


def without_secrets(document: bytes) -> bytes:
    """A JSON document without the secrets in it.

    Raises:
        RecursionError: it is nested some hundred levels deep.
    """
    return _encoder.encode(cleaned(_decoder.decode(document)))


def cleaned(value: Any) -> Any:
    """The value without secrets: attributes and government ids are left out, text is replaced."""
    if isinstance(value, dict):
        return {name: cleaned(item) for name, item in value.items() if not is_secret_name(name)}
    if isinstance(value, list):
        return [cleaned(item) for item in value if not is_government_id(item)]
    return _cleaned_text(value) if isinstance(value, str) else value


def _cleaned_text(text: str) -> str:
    if text.lstrip()[:1] in ("{", "[") and names_secret(text):
        try:
            return _encoder.encode(cleaned(_decoder.decode(text))).decode()
        except (msgspec.DecodeError, RecursionError):
            return REMOVED
    return _ID.sub(REMOVED, text) if ":" in text else text


def redacted(raw: bytes, *, limit: int) -> str:
    """A rejected document as text for a person, without secrets, whatever the bytes are.

    What can be read as JSON once its faults are looked over is cleaned like any document. Of the rest all is left out
    from the first name of a secret on, since there is no telling where its value ends.
    """
    try:
        return _cleaned_json(raw)[:limit]
    except (ValueError, RecursionError):
        # without NULs: PostgreSQL takes none, and in UTF-16 they would stand between the letters of a name
        text = raw[:limit].replace(b"\x00", b"").decode("utf-8", errors="backslashreplace")
        found = _NAMED.search(text)
        return text if found is None else f"{text[: found.start()]} [the rest is removed: it names a secret]"


def _cleaned_json(raw: bytes) -> str:
    try:
        return without_secrets(raw).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Python's own reader takes what msgspec does not: NaN, 1e400, half surrogates, control characters.
        document = json.loads(raw.decode("utf-8", errors="replace"), strict=False)
        return json.dumps(cleaned(document), sort_keys=True, separators=(",", ":"))
