"""What must not reach the warehouse: passwords, tokens, cards, government ids. How it is found, and taken out.

Belongs here: secrets in documents, at any depth, in JSON within text, in parameters of addresses, and in text that is
not JSON. Does not belong here: which names are those of secrets (`secret_names`), contact data in free text
(`redaction`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

import msgspec
import polars as pl

from cdp_assets.cleaning.secret_names import SIGNS, is_secret_name

VERSION = 2
"""Raised when more becomes a secret: what was landed by an older version is read again."""

LEO_SECRETS = frozenset({"password", "governmentIssuedIDs", "webCookies"})
"""Secrets that every profile of LEO has."""

ID_PREFIXES = ("citizen:", "passport:", "national:", "tax:", "ssn:")
"""What entries of `identities` begin with that are government ids."""

REMOVED = "[removed]"

_PREFIX = rf"\b(?:{'|'.join(prefix[:-1] for prefix in ID_PREFIXES)})\s*:"
_SIGNS = rf"{SIGNS}|(?i-u:{'|'.join(prefix[:-1] for prefix in ID_PREFIXES)})\s*:|\\u"
"""Occurs in every JSON text that holds a secret; the end is a letter escaped in JSON within text."""
_ID = re.compile(_PREFIX + r"\s*[^\s;,|\"'\\]+", re.IGNORECASE)
_UNSAFE = re.compile(rf"{_PREFIX}|\\u00[2-7]", re.IGNORECASE)
_ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")
_NAMED = re.compile(
    r"""["']((?:[^"'\\:=]|\\+u[0-9a-fA-F]{4}){1,80})\\*["']\s*[:=]|([\w.$-]{1,80})[]\\"']*\s*[:=>]"""
)
_PARAMETER = re.compile(r"(?<=[?&;#])([^=&;#?\s\"'\\]{1,80})=([^&;#\s\"'\\]+)")

_HEAD = "\ufeff\u200b \t\r\n"
_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder(order="sorted")


def is_government_id(value: Any) -> bool:
    """Whether it is a text like `citizen:079190001234`."""
    return isinstance(value, str) and ":" in value and value.lstrip().lower().startswith(ID_PREFIXES)


def names_secret(text: str) -> bool:
    """Whether the name of a secret occurs in text that is no JSON; what belongs to it cannot be told there."""
    return _first_secret(text) is not None


def _first_secret(text: str) -> int | None:
    """Where the first name of a secret, or what may hide one, begins."""
    unsafe = _UNSAFE.search(text)
    found = [] if unsafe is None else [unsafe.start()]
    for named in _NAMED.finditer(text):
        if is_secret_name(_ESCAPED.sub(lambda letter: chr(int(letter[1], 16)), named[1] or named[2])):
            found.append(named.start())
            break
    return min(found, default=None)


def show_signs(documents: Sequence[bytes]) -> list[bool]:
    """Which JSON documents may hold a secret, and so have to go through `without_secrets`.

    polars searches all at once and outside the interpreter's lock: 20 us for 7 KB, where walking through the values
    takes 80 and would hold it.
    """
    texts = pl.Series(documents, dtype=pl.Binary).cast(pl.String)
    return texts.str.contains(_SIGNS).to_list()


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
    if text.lstrip(_HEAD)[:1] in ("{", "[", '"') and names_secret(text):
        try:
            return _encoder.encode(cleaned(_decoder.decode(text.strip(_HEAD)))).decode()
        except (msgspec.DecodeError, RecursionError):
            return REMOVED
    if "=" in text:
        text = _PARAMETER.sub(_without_value, text)
    return _ID.sub(REMOVED, text) if ":" in text else text


def _without_value(parameter: re.Match[str]) -> str:
    return f"{parameter[1]}={REMOVED}" if is_secret_name(unquote_plus(parameter[1])) else parameter[0]


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
        found = _first_secret(text)
        return text if found is None else f"{text[:found]} [the rest is removed: it names a secret]"


def _cleaned_json(raw: bytes) -> str:
    try:
        return without_secrets(raw).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Python's own reader takes what msgspec does not: NaN, 1e400, half surrogates, control characters.
        document = json.loads(raw.decode("utf-8", errors="replace"), strict=False)
        return json.dumps(cleaned(document), sort_keys=True, separators=(",", ":"))
