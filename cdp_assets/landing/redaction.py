"""What must not reach the warehouse: passwords, tokens, government ids. How it is found, and taken out.

Belongs here: which names and texts are secrets, at any depth, in JSON within text, and in text that is not JSON.
Does not belong here: which attributes a contract leaves out because they are of no use.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

SECRETS = frozenset(
    {
        "password", "passwd", "pwd", "passwordhash", "secret", "apikey", "accesstoken", "refreshtoken", "authtoken",
        "privatekey", "governmentissuedids", "citizenid", "nationalid", "passportnumber", "passport", "taxid",
        "socialsecuritynumber", "ssn", "cccd", "cmnd", "creditcard", "creditcardnumber", "cardnumber", "cvv", "cvc",
        "webcookies",
    }
)  # fmt: skip
"""Attribute names whose values never reach the warehouse; upper case, blanks, `-` and `_` make no difference."""

ID_PREFIXES = ("citizen:", "passport:", "national:", "tax:", "ssn:")
"""What the entries of `identities` begin with that are government ids."""

MAX_DEPTH = 100
"""Levels of nesting. LEO's own documents have five; Python gives up at about 400, where depends on the caller."""

REMOVED = "[removed]"

_SEPARATORS = re.compile(r"[\s_-]+")
FIRST = frozenset("{[cpntsCPNTS \t\r\n\u00a0\u3000\ufeff")
"""First characters of all texts that are JSON or a government id: others, most of all, are not looked at."""
_PREFIX = rf"\b(?:{'|'.join(prefix[:-1] for prefix in ID_PREFIXES)})\s*:"
_ID = re.compile(_PREFIX + r"\s*[^\s;,|\"'\\]+", re.IGNORECASE)
_NAME = "|".join(r"[\s_-]*".join(name) for name in sorted(SECRETS))
_NAMED = re.compile(
    # the last is an escaped letter, with which a name can be hidden; nobody else escapes letters
    rf"(?<![a-z0-9])(?:{_NAME})(?![a-z0-9])|{_PREFIX}|\\u00[2-7]",
    re.IGNORECASE,
)

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder(order="sorted")

HARMLESS: set[str] = set()
"""Names found to be no secret, so that each is looked at once. Bounded: some documents use data as names."""
_MOST_HARMLESS = 20_000


class TooDeep(ValueError):
    """A value with more than `MAX_DEPTH` levels."""


def is_secret_name(name: str) -> bool:
    """Whether the value of an attribute with this name is a secret."""
    if name in HARMLESS:
        return False
    if _SEPARATORS.sub("", name).lower() in SECRETS:
        return True
    if len(HARMLESS) < _MOST_HARMLESS:
        HARMLESS.add(name)
    return False


def is_government_id(value: Any) -> bool:
    """Whether it is a text like `citizen:079190001234`."""
    return isinstance(value, str) and value[:1] in FIRST and value.lstrip().lower().startswith(ID_PREFIXES)


def holds_secret(value: Any, depth: int = 0) -> bool:
    """Whether there is something to take out of the value.

    Raises:
        TooDeep: it is nested too deeply to be stored.
    """
    kind = value.__class__
    if kind is str:
        return value[:1] in FIRST and _is_secret_text(value, depth)
    if kind is dict:
        if not HARMLESS.issuperset(value) and any(map(is_secret_name, value)):
            return True
        value = value.values()
    elif kind is not list:
        return False
    if depth >= MAX_DEPTH:
        raise TooDeep(f"nested more than {MAX_DEPTH} levels deep")
    for item in value:
        kind = item.__class__
        if kind is str:
            if item and item[0] in FIRST and _is_secret_text(item, depth):
                return True
        elif (kind is dict or kind is list) and item and holds_secret(item, depth + 1):
            return True
    return False


def _is_secret_text(text: str, depth: int) -> bool:
    text = text.lstrip()
    if text[:1] not in ("{", "["):
        return text.lower().startswith(ID_PREFIXES)
    try:
        return holds_secret(_decoder.decode(text), depth + 1)
    except (msgspec.DecodeError, RecursionError, TooDeep):
        return names_secret(text)


def names_secret(text: str) -> bool:
    """Whether the name of a secret occurs in text that is no JSON; what belongs to it cannot be told there."""
    return _NAMED.search(text) is not None


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
    return _ID.sub(REMOVED, text)


def redacted(raw: bytes, *, limit: int) -> str:
    """A rejected document as text for a person, without secrets, whatever the bytes are.

    What can be read as JSON once its faults are looked over is cleaned like any document. Of the rest all is left out
    from the first name of a secret on, since there is no telling where its value ends.
    """
    try:
        return _without_secrets(raw)[:limit]
    except (ValueError, RecursionError):
        text = raw[:limit].decode("utf-8", errors="backslashreplace").replace("\x00", "\\u0000")
        found = _NAMED.search(text)
        return (
            text if found is None else f"{text[: found.start()]}... [the rest is removed: it names a secret]"
        )


def _without_secrets(raw: bytes) -> str:
    try:
        return _encoder.encode(cleaned(_decoder.decode(raw))).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Python's own reader takes what msgspec does not: NaN, 1e400, half surrogates, control characters.
        document = json.loads(raw.decode("utf-8", errors="replace"), strict=False)
        return json.dumps(cleaned(document), sort_keys=True, separators=(",", ":"))
