"""JSON as ArangoDB writes it, the lenient reading of planted bytes, and the stored document.

Belongs here: bytes to values and back. Does not belong here: where documents are kept (`store`), how values
compare (`aql_values`).
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

import msgspec

_NATIVE = 2**63
_UNSIGNED = 2**64
_EXACT = 2.0**53

# Numbers that msgspec writes otherwise than ArangoDB: 1.0, 1e16, 0.0001234 and integers of 19 digits and more
# (those beyond 64 bits are doubles in ArangoDB). Only after a structural character, so that text rarely matches.
_DEVIATES = re.compile(rb"(?:^|[:\[,])-?(?:\d+\.0(?![0-9])|\d+(?:\.\d+)?e|0\.000|\d{19})")


class Document:
    """One stored document; never changed once made.

    Args:
        key: `_key`, by which the store knows it.
        rev: `_rev`.
        raw: The JSON text that is sent for it, verbatim.
        value: What AQL sees of bytes that a test has planted. Left out: the decoded text.
    """

    __slots__ = ("_value", "key", "planted", "raw", "rev")

    def __init__(self, key: str, rev: str, raw: bytes, value: dict[str, Any] | None = None) -> None:
        self.key = key
        self.rev = rev
        self.raw = raw
        self._value = value
        self.planted = value is not None

    @property
    def value(self) -> dict[str, Any]:
        """The attributes; not to be changed."""
        if self._value is None:
            self._value = msgspec.json.decode(self.raw)
        return self._value


def _raw_of(value: object) -> msgspec.Raw:
    if isinstance(value, Document):
        return msgspec.Raw(value.raw)
    raise TypeError(f"{type(value).__name__} is no JSON value")


_encoder = msgspec.json.Encoder(enc_hook=_raw_of)


def encode(value: Any) -> bytes:
    """The value as JSON text, numbers spelled as ArangoDB spells them; a `Document` gives its own bytes."""
    if isinstance(value, Document):
        return value.raw
    try:
        text = _encoder.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return _spelled(value)
    return _spelled(value) if _DEVIATES.search(text) else text


def _spelled(value: Any) -> bytes:
    if isinstance(value, Document):
        return value.raw
    if isinstance(value, float):
        return spell_float(value).encode()
    if isinstance(value, int) and not isinstance(value, bool) and not -_NATIVE <= value < _UNSIGNED:
        return spell_float(float(value)).encode()
    if isinstance(value, dict):
        pairs = [json.dumps(str(name)).encode() + b":" + _spelled(member) for name, member in value.items()]
        return b"{" + b",".join(pairs) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_spelled, value)) + b"]"
    return json.dumps(value).encode()


def spell_float(number: float) -> str:
    """A double in ArangoDB's spelling: `360000`, `1e+8`, `120000000`, `9007199254740992.0`, `1.5e+300`."""
    if not math.isfinite(number):
        return "null"
    if number == 0:
        return "0"
    if number.is_integer() and _EXACT <= abs(number) < _UNSIGNED:
        return f"{int(number)}.0"
    sign = "-" if number < 0 else ""
    shortest = Decimal(repr(abs(number))).normalize().as_tuple()
    digits = "".join(map(str, shortest.digits))
    trailing = int(shortest.exponent)
    exponent = trailing + len(digits) - 1
    if trailing >= 0 and exponent < len(digits) + 7:
        return sign + digits + "0" * trailing
    if trailing < 0 and (trailing > -7 or abs(exponent) < 4):
        point = len(digits) + trailing
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        return f"{sign}{digits[:point]}.{digits[point:]}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{exponent:+d}"


def decode_leniently(raw: bytes) -> dict[str, Any]:
    """As many attributes as can be had: lone surrogates, 1e400 and broken UTF-8 are no obstacle.

    Bytes that are no JSON object, or are nested too deep, have none.
    """
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        try:
            value = json.loads(raw.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
