"""AQL functions on types, numbers, arrays, objects and documents.

Belongs here: functions of the reference and those that a test query is likely to use. Does not belong here:
strings (`aql_text`), dates (`aql_dates`). A function that is not here is error 1540.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from tests.arango import aql_values as values
from tests.arango.aql_context import Context
from tests.arango.aql_registry import function, wrong_type
from tests.arango.aql_values import as_object, identity, is_number, sort_key, to_number, truth
from tests.arango.errors import ApiError

MANY = 1 << 16


def distinct(items: Iterable[Any]) -> list[Any]:
    """Every value once, in the order of first sight."""
    seen: dict[Any, Any] = {}
    for item in items:
        seen.setdefault(identity(item), item)
    return list(seen.values())


def ordered(context: Context, items: Iterable[Any]) -> list[Any]:
    return sorted(items, key=lambda item: sort_key(item, context.text))


def _predicate(names: str, test: Callable[[Any], bool]) -> None:
    function(names, 1)(lambda _, value: test(value))


_predicate("IS_NULL", lambda value: value is None)
_predicate("IS_BOOL", lambda value: isinstance(value, bool))
_predicate("IS_NUMBER", is_number)
_predicate("IS_STRING", lambda value: isinstance(value, str))
_predicate("IS_ARRAY IS_LIST", lambda value: isinstance(value, list))
_predicate("IS_OBJECT IS_DOCUMENT", lambda value: as_object(value) is not None)
_predicate("TO_BOOL", truth)

function("TYPENAME", 1)(lambda _, value: values.TYPE_NAMES[values.rank(value)])
function("TO_NUMBER", 1)(lambda _, value: to_number(value))
function("NOOPT PASSTHRU", 1)(lambda _, value: value)
function("RANGE", 2)(lambda _, first, last: number_range(first, last))


def number_range(first: Any, last: Any) -> list[int]:
    """`first..last`, both included, downwards when last is the smaller."""
    low, high = int(to_number(first)), int(to_number(last))
    return list(range(low, high + 1)) if low <= high else list(range(low, high - 1, -1))


@function("TO_ARRAY TO_LIST", 1)
def _to_array(_: Context, value: Any) -> list[Any]:
    if value is None:
        return []
    attributes = as_object(value)
    if attributes is not None:
        return list(attributes.values())
    return value if isinstance(value, list) else [value]


@function("NOT_NULL", 1, MANY)
def _not_null(_: Context, *candidates: Any) -> Any:
    return next((value for value in candidates if value is not None), None)


@function("FIRST_LIST", 1, MANY)
def _first_list(_: Context, *candidates: Any) -> Any:
    return next((value for value in candidates if isinstance(value, list)), None)


@function("FIRST_DOCUMENT", 1, MANY)
def _first_document(_: Context, *candidates: Any) -> Any:
    return next((value for value in candidates if as_object(value) is not None), None)


@function("FAIL", 0, 1)
def _fail(_: Context, reason: Any = "") -> Any:
    raise ApiError(400, 1569, f"AQL: FAIL({reason}) called (while executing)")


@function("LENGTH COUNT", 1)
def length(_: Context, value: Any) -> int:
    """Elements, attributes, characters; of a number its digits, of a bool 0 or 1, of null 0."""
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    if is_number(value):
        return len(values.to_text(value))
    attributes = as_object(value)
    return len(value if attributes is None else attributes)


def _numeric(name: str, compute: Callable[[float], float]) -> None:
    function(name, 1)(lambda _, value: values.finite(compute(to_number(value))))


_numeric("ABS", abs)
_numeric("FLOOR", math.floor)
_numeric("CEIL", math.ceil)
_numeric("ROUND", lambda number: math.floor(number + 0.5))
_numeric("SQRT", lambda number: math.sqrt(number) if number >= 0 else math.nan)


@function("POW", 2)
def _pow(_: Context, base: Any, exponent: Any) -> Any:
    power = to_number(base) ** to_number(exponent)
    return values.finite(power) if is_number(power) else None


@function("SUM", 1)
def _sum(context: Context, items: Any) -> Any:
    numbers = _numbers(context, "SUM", items)
    return None if numbers is None else values.finite(math.fsum(numbers))


@function("AVG AVERAGE", 1)
def _average(context: Context, items: Any) -> Any:
    numbers = _numbers(context, "AVG", items)
    return values.finite(math.fsum(numbers) / len(numbers)) if numbers else None


def _numbers(context: Context, name: str, items: Any) -> list[float] | None:
    if not isinstance(items, list) or not all(item is None or is_number(item) for item in items):
        wrong_type(context, name)
        return None
    return [item for item in items if item is not None]


@function("MIN", 1)
def _min(context: Context, items: Any) -> Any:
    return _extreme(context, "MIN", items, min)


@function("MAX", 1)
def _max(context: Context, items: Any) -> Any:
    return _extreme(context, "MAX", items, max)


def _extreme(context: Context, name: str, items: Any, pick: Callable[..., Any]) -> Any:
    if not isinstance(items, list):
        return wrong_type(context, name)
    candidates = [item for item in items if item is not None]
    return pick(candidates, key=lambda item: sort_key(item, context.text), default=None)


def _on_array(names: str, compute: Callable[[Context, list[Any]], Any]) -> None:
    """A function of one array; anything else is null with a warning."""
    name = names.split(maxsplit=1)[0]

    def call(context: Context, items: Any) -> Any:
        return compute(context, items) if isinstance(items, list) else wrong_type(context, name)

    function(names, 1)(call)


_on_array("FIRST", lambda _, items: items[0] if items else None)
_on_array("LAST", lambda _, items: items[-1] if items else None)
_on_array("POP", lambda _, items: items[:-1])
_on_array("SHIFT", lambda _, items: items[1:])
_on_array("UNIQUE", lambda _, items: distinct(items))
_on_array("SORTED", ordered)
_on_array("SORTED_UNIQUE", lambda context, items: ordered(context, distinct(items)))
_on_array("COUNT_DISTINCT COUNT_UNIQUE", lambda _, items: len(distinct(items)))


@function("REVERSE", 1)
def _reverse(context: Context, value: Any) -> Any:
    return value[::-1] if isinstance(value, list | str) else wrong_type(context, "REVERSE")


@function("NTH", 2)
def _nth(context: Context, items: Any, place: Any) -> Any:
    if not isinstance(items, list):
        return wrong_type(context, "NTH")
    place = int(to_number(place))
    return items[place] if 0 <= place < len(items) else None


@function("FLATTEN", 1, 2)
def _flatten(context: Context, items: Any, depth: Any = 1) -> Any:
    return (
        flatten(items, int(to_number(depth))) if isinstance(items, list) else wrong_type(context, "FLATTEN")
    )


def flatten(items: list[Any], depth: int) -> list[Any]:
    """The array with `depth` levels of arrays dissolved."""
    flat: list[Any] = []
    for item in items:
        if depth > 0 and isinstance(item, list):
            flat += flatten(item, depth - 1)
        else:
            flat.append(item)
    return flat


@function("APPEND", 2, 3)
def _append(_: Context, items: Any, more: Any, unique: Any = False) -> Any:
    if items is None:
        items = []
    joined = [*items, *(more if isinstance(more, list) else [] if more is None else [more])]
    return distinct(joined) if truth(unique) else joined


@function("PUSH", 2, 3)
def _push(context: Context, items: Any, value: Any, unique: Any = False) -> Any:
    if items is None:
        return [value]
    if not isinstance(items, list):
        return wrong_type(context, "PUSH")
    present = truth(unique) and any(values.equal(item, value) for item in items)
    return items if present else [*items, value]


@function("UNSHIFT", 2)
def _unshift(context: Context, items: Any, value: Any) -> Any:
    if items is None:
        return [value]
    return [value, *items] if isinstance(items, list) else wrong_type(context, "UNSHIFT")


@function("SLICE", 2, 3)
def _slice(context: Context, items: Any, start: Any, count: Any = None) -> Any:
    if not isinstance(items, list):
        return wrong_type(context, "SLICE")
    tail = items[int(to_number(start)) :]
    return tail if count is None else tail[: int(to_number(count))]


@function("UNION", 2, MANY)
def _union(context: Context, *arrays: Any) -> Any:
    if not all(isinstance(array, list) for array in arrays):
        return wrong_type(context, "UNION")
    return [item for array in arrays for item in array]


@function("UNION_DISTINCT", 2, MANY)
def _union_distinct(context: Context, *arrays: Any) -> Any:
    joined = _union(context, *arrays)
    return None if joined is None else distinct(joined)


@function("INTERSECTION", 2, MANY)
def _intersection(context: Context, *arrays: Any) -> Any:
    if not all(isinstance(array, list) for array in arrays):
        return wrong_type(context, "INTERSECTION")
    others = [{identity(item) for item in array} for array in arrays[1:]]
    return [item for item in distinct(arrays[0]) if all(identity(item) in other for other in others)]


@function("MINUS", 2, MANY)
def _minus(context: Context, *arrays: Any) -> Any:
    if not all(isinstance(array, list) for array in arrays):
        return wrong_type(context, "MINUS")
    others = {identity(item) for array in arrays[1:] for item in array}
    return [item for item in distinct(arrays[0]) if identity(item) not in others]


@function("POSITION CONTAINS_ARRAY", 2, 3)
def _position(context: Context, items: Any, value: Any, place: Any = False) -> Any:
    if not isinstance(items, list):
        return wrong_type(context, "POSITION")
    found = next((at for at, item in enumerate(items) if values.equal(item, value)), -1)
    return found if truth(place) else found >= 0


@function("REMOVE_VALUE", 2)
def _remove_value(context: Context, items: Any, value: Any) -> Any:
    if not isinstance(items, list):
        return [] if items is None else wrong_type(context, "REMOVE_VALUE")
    return [item for item in items if not values.equal(item, value)]
