"""AQL's values: types, truth, casts, order and equality, and the two string orders of ArangoDB.

Belongs here: what holds for any value anywhere in a query. Does not belong here: operators and functions
(`aql_eval`, `aql_functions`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

from tests.arango.wire import Document, encode, spell_float

TextOrder = Callable[[str], Any]
"""Turns a string into a key that sorts as the server's locale does."""

RANKS: dict[type, int] = {
    type(None): 0,
    bool: 1,
    int: 2,
    float: 2,
    str: 3,
    list: 4,
    dict: 5,
    Document: 5,
}
TYPE_NAMES = ("null", "bool", "number", "string", "array", "object")

# ICU's root order of what stands before digits and letters.
_PUNCTUATION = {
    letter: rank for rank, letter in enumerate("\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789")
}
_LETTERS = 1000
_NUMERIC = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")


def rank(value: Any) -> int:
    """Place of the value's type in AQL's order, 0 for null to 5 for objects."""
    return RANKS[type(value)]


def as_object(value: Any) -> dict[str, Any] | None:
    """The attributes of an object or a document, None for anything else."""
    if isinstance(value, Document):
        return value.value
    return value if isinstance(value, dict) else None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def truth(value: Any) -> bool:
    """False for null, false, 0 and "": an empty array or object is true."""
    return bool(value) or isinstance(value, list | dict)


def to_number(value: Any) -> float | int:
    """The number that arithmetic takes the value for."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return float(value) if _NUMERIC.fullmatch(value) else 0
    if isinstance(value, list) and len(value) == 1:
        return to_number(value[0])
    return 0


def finite(number: float) -> float | None:
    """The number, or null for what JSON cannot hold."""
    return number if math.isfinite(number) else None


def to_text(value: Any) -> str:
    """TO_STRING: null is empty, arrays and objects are JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return spell_float(value)
    return encode(value).decode("utf-8", "replace")


def binary_order(text: str) -> str:
    """en_US_POSIX: by code point."""
    return text


@lru_cache(maxsize=1 << 16)
def english_order(text: str) -> tuple[list[int], list[str], list[bool]]:
    """en_US with upper case first: letters regardless of case, then accents, then case.

    Exact for ASCII; other scripts follow in the order of their code points. Control characters do not count.
    """
    letters: list[int] = []
    accents: list[str] = []
    cases: list[bool] = []
    for letter in unicodedata.normalize("NFD", text):
        if unicodedata.combining(letter):
            if accents:
                accents[-1] += letter
            continue
        base = "d" if letter in "đĐ" else letter.lower()
        place = _PUNCTUATION.get(base)
        if place is None:
            if unicodedata.category(letter) == "Cc":
                continue
            place = _LETTERS + ord(base[0])
        letters.append(place)
        accents.append("̵" if letter in "đĐ" else "")
        cases.append(not letter.isupper())
    return letters, accents, cases


TEXT_ORDERS: dict[str, TextOrder] = {"en_US": english_order, "en_US_POSIX": binary_order}


def sort_key(value: Any, text: TextOrder) -> tuple[Any, ...]:
    """A key that sorts as AQL does: type first, then value; missing elements and attributes count as null."""
    kind = type(value)
    if kind is str:
        return (3, text(value))
    if kind is int or kind is float:
        return (2, value)
    if value is None:
        return (0,)
    if kind is bool:
        return (1, value)
    if kind is list:
        items = [sort_key(item, text) for item in value]
        while items and items[-1] == (0,):
            items.pop()
        return (4, tuple(items))
    return (5, tuple(_object_keys(as_object(value) or {}, text)))


def _object_keys(attributes: dict[str, Any], text: TextOrder) -> list[tuple[Any, ...]]:
    # Where two objects part, the one with the smaller name is the greater: the other lacks it, which is null.
    # So names sort in reverse; the 1 makes a longer name sort before its own beginning.
    return [
        ((*(-ord(letter) for letter in name), 1), sort_key(attributes[name], text))
        for name in sorted(attributes)
        if attributes[name] is not None
    ]


def identity(value: Any) -> Hashable:
    """Equal for what `==` calls equal: strings bytewise, 1 and 1.0 alike."""
    return sort_key(value, binary_order)


def equal(left: Any, right: Any) -> bool:
    kind = type(left)
    if kind is type(right) and kind in (str, int, float, bool):
        return bool(left == right)
    if rank(left) != rank(right):
        return False
    return left is right or identity(left) == identity(right)


def less(left: Any, right: Any, text: TextOrder) -> bool:
    left_rank, right_rank = rank(left), rank(right)
    if left_rank != right_rank:
        return left_rank < right_rank
    if left_rank == 2:
        return bool(left < right)
    return sort_key(left, text) < sort_key(right, text)
