"""AQL functions on strings, and LIKE and regular expressions, which are operators too.

Belongs here: everything whose result depends on characters. Does not belong here: string order (`aql_values`).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from functools import lru_cache
from typing import Any

from tests.arango import aql_values as values
from tests.arango.aql_context import Context
from tests.arango.aql_functions import MANY
from tests.arango.aql_registry import function, wrong_type
from tests.arango.aql_values import to_number, to_text, truth
from tests.arango.wire import encode

function("TO_STRING", 1)(lambda _, value: to_text(value))
function("LOWER", 1)(lambda _, value: to_text(value).lower())
function("UPPER", 1)(lambda _, value: to_text(value).upper())
function("CHAR_LENGTH", 1)(lambda _, value: len(to_text(value)))
function("LEFT", 2)(lambda _, value, count: to_text(value)[: int(to_number(count))])
function("JSON_STRINGIFY", 1)(lambda _, value: encode(value).decode("utf-8", "replace"))
function("MD5", 1)(lambda _, value: hashlib.md5(to_text(value).encode(), usedforsecurity=False).hexdigest())
function("SHA256", 1)(lambda _, value: hashlib.sha256(to_text(value).encode()).hexdigest())


@function("JSON_PARSE", 1)
def _json_parse(context: Context, value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else wrong_type(context, "JSON_PARSE")
    except ValueError:
        return wrong_type(context, "JSON_PARSE")


@function("CONCAT", 1, MANY)
def _concat(_: Context, *parts: Any) -> str:
    if len(parts) == 1 and isinstance(parts[0], list):
        parts = tuple(parts[0])
    return "".join(map(to_text, parts))


@function("CONCAT_SEPARATOR", 2, MANY)
def _concat_separator(_: Context, separator: Any, *parts: Any) -> str:
    if len(parts) == 1 and isinstance(parts[0], list):
        parts = tuple(parts[0])
    return to_text(separator).join(to_text(part) for part in parts if part is not None)


@function("SUBSTRING", 2, 3)
def _substring(_: Context, value: Any, start: Any, count: Any = None) -> str:
    text, offset = to_text(value), int(to_number(start))
    begin = max(len(text) + offset, 0) if offset < 0 else offset
    return text[begin:] if count is None else text[begin : begin + max(int(to_number(count)), 0)]


@function("RIGHT", 2)
def _right(_: Context, value: Any, count: Any) -> str:
    text, wanted = to_text(value), int(to_number(count))
    return text[max(len(text) - wanted, 0) :] if wanted > 0 else ""


@function("TRIM", 1)
def _trim(_: Context, value: Any) -> str:
    return to_text(value).strip()


@function("LTRIM", 1)
def _ltrim(_: Context, value: Any) -> str:
    return to_text(value).lstrip()


@function("RTRIM", 1)
def _rtrim(_: Context, value: Any) -> str:
    return to_text(value).rstrip()


@function("SPLIT", 2)
def _split(_: Context, value: Any, separator: Any) -> list[str]:
    text, mark = to_text(value), to_text(separator)
    return text.split(mark) if mark else list(text)


@function("SUBSTITUTE", 3)
def _substitute(context: Context, value: Any, search: Any, replacement: Any) -> Any:
    if not isinstance(search, str):
        return wrong_type(context, "SUBSTITUTE")
    return to_text(value).replace(search, to_text(replacement)) if search else to_text(value)


@function("CONTAINS", 2, 3)
def _contains(_: Context, value: Any, search: Any, place: Any = False) -> Any:
    found = to_text(value).find(to_text(search))
    return found if truth(place) else found >= 0


@function("FIND_FIRST", 2)
def _find_first(_: Context, value: Any, search: Any) -> int:
    return to_text(value).find(to_text(search))


@function("STARTS_WITH", 2)
def _starts_with(context: Context, value: Any, prefix: Any) -> Any:
    if not isinstance(value, str):
        return wrong_type(context, "STARTS_WITH")
    prefixes = prefix if isinstance(prefix, list) else [prefix]
    return any(isinstance(item, str) and value.startswith(item) for item in prefixes)


@function("LIKE", 2, 3)
def _like(_: Context, value: Any, pattern: Any, ignore_case: Any = False) -> bool:
    return like(value, pattern, ignore_case=truth(ignore_case))


def like(value: Any, pattern: Any, *, ignore_case: bool = False) -> bool:
    """`%` any run, `_` one character, a backslash takes the next character as it is."""
    return _like_pattern(to_text(pattern), ignore_case).fullmatch(to_text(value)) is not None


@lru_cache(maxsize=256)
def _like_pattern(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    regex = re.sub(
        r"\\(.)|(.)",
        lambda match: re.escape(match[1]) if match[1] else parts.get(match[2], re.escape(match[2])),
        pattern,
        flags=re.DOTALL,
    )
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG))


@function("REGEX_TEST", 2, 3)
def _regex_test(context: Context, value: Any, pattern: Any, ignore_case: Any = False) -> bool | None:
    return matches(context, value, pattern, ignore_case=truth(ignore_case))


def matches(context: Context, value: Any, pattern: Any, *, ignore_case: bool = False) -> bool | None:
    """Whether the regular expression occurs in the text; null with warning 1543 when it is none."""
    try:
        flags = re.IGNORECASE if ignore_case else re.NOFLAG
        return re.search(to_text(pattern), to_text(value), flags) is not None
    except re.error:
        context.warn(1543, "invalid regex value")
        return None


@function("SLEEP", 1)
def _sleep(context: Context, seconds: Any) -> None:
    time.sleep(values.to_number(seconds))
    context.check_time()
