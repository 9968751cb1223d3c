"""AQL's operators on two values.

Belongs here: comparison, IN, arithmetic, LIKE. Does not belong here: AND, OR and `?:`, which do not always
evaluate both sides (`aql_eval`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from tests.arango.aql_context import Context
from tests.arango.aql_functions import number_range
from tests.arango.aql_text import like, matches
from tests.arango.aql_values import equal, finite, less, rank, to_number, truth

Operator = Callable[[Any, Any], Any]

DIVISION_BY_ZERO = 1562


def contains(left: Any, right: Any) -> bool:
    """`left IN right`: false when right is no array."""
    if not isinstance(right, list):
        return False
    if isinstance(left, str):
        return left in right  # nothing but the same string equals a string
    return any(equal(left, item) for item in right)


def operators(context: Context) -> dict[str, Operator]:
    """The operators as one query has them: its string order, its warnings."""
    text = context.text

    def arithmetic(compute: Callable[[float, float], float]) -> Operator:
        def call(left: Any, right: Any) -> Any:
            try:
                return finite(compute(float(to_number(left)), float(to_number(right))))
            except OverflowError:
                return None

        return call

    def divided(compute: Callable[[float, float], float]) -> Operator:
        calculate = arithmetic(compute)

        def call(left: Any, right: Any) -> Any:
            if to_number(right) == 0:
                context.warn(DIVISION_BY_ZERO, "division by zero")
                return None
            return calculate(left, right)

        return call

    return {
        "==": equal,
        "!=": lambda left, right: not equal(left, right),
        "<": lambda left, right: less(left, right, text),
        "<=": lambda left, right: not less(right, left, text),
        ">": lambda left, right: less(right, left, text),
        ">=": lambda left, right: not less(left, right, text),
        "IN": contains,
        "NOT IN": lambda left, right: not contains(left, right),
        "LIKE": like,
        "NOT LIKE": lambda left, right: not like(left, right),
        "=~": lambda left, right: truth(matches(context, left, right)),
        "!~": lambda left, right: not truth(matches(context, left, right)),
        "..": number_range,
        "+": arithmetic(operator.add),
        "-": arithmetic(operator.sub),
        "*": arithmetic(operator.mul),
        "/": divided(operator.truediv),
        "%": divided(math.fmod),
    }


def quantified(quantifier: str, at_least: int, compare: Operator) -> Operator:
    """`left ANY == right` and its like; false when left is no array."""

    def call(left: Any, right: Any) -> bool:
        if not isinstance(left, list):
            return False
        hits = sum(truth(compare(item, right)) for item in left)
        if quantifier == "ANY":
            return hits > 0
        if quantifier == "ALL":
            return hits == len(left)
        if quantifier == "NONE":
            return hits == 0
        return hits >= at_least

    return call


def negated(value: Any) -> float | None:
    """Unary minus."""
    return finite(-to_number(value))


def element(base: Any, index: Any) -> Any:
    """`base[index]` for a number; a negative one counts from the end, beyond the ends is null."""
    if not isinstance(base, list) or rank(index) != 2:
        return None
    place = int(index)
    return base[place] if -len(base) <= place < len(base) else None
