"""AQL's COLLECT and its aggregate functions.

Belongs here: grouping rows. Does not belong here: functions on arrays of the same names (`aql_functions`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tests.arango import aql_ast as ast
from tests.arango.aql_context import Context
from tests.arango.aql_eval import Evaluate, Row, Scope
from tests.arango.aql_functions import distinct, ordered
from tests.arango.aql_values import finite, identity, is_number, sort_key
from tests.arango.errors import ApiError

if TYPE_CHECKING:
    from tests.arango.aql_operations import QueryCompiler, Stage

Aggregate = Callable[[Context, list[Any]], Any]


def _numbers(values: list[Any]) -> list[float] | None:
    """The values that are not null; None when one of them is no number."""
    present = [value for value in values if value is not None]
    return present if all(is_number(value) for value in present) else None


def _sum(_: Context, values: list[Any]) -> Any:
    numbers = _numbers(values)
    # Added in double precision one after the other, as the server does; without any row there is no sum.
    return finite(sum(map(float, numbers), 0.0)) if values and numbers is not None else None


def _average(_: Context, values: list[Any]) -> Any:
    numbers = _numbers(values)
    return finite(sum(map(float, numbers), 0.0) / len(numbers)) if numbers else None


def _variance(values: list[Any], fewer: int) -> float | None:
    numbers = _numbers(values)
    if numbers is None or len(numbers) <= fewer:
        return None
    mean = sum(numbers) / len(numbers)
    return finite(sum((number - mean) ** 2 for number in numbers) / (len(numbers) - fewer))


def _deviation(values: list[Any], fewer: int) -> float | None:
    variance = _variance(values, fewer)
    return None if variance is None else math.sqrt(variance)


def _extreme(pick: Callable[..., Any]) -> Aggregate:
    def aggregate(context: Context, values: list[Any]) -> Any:
        present = (value for value in values if value is not None)
        return pick(present, key=lambda value: sort_key(value, context.text), default=None)

    return aggregate


_AGGREGATES: dict[str, Aggregate] = {
    "COUNT": lambda _, values: len(values),
    "SUM": _sum,
    "AVG": _average,
    "MIN": _extreme(min),
    "MAX": _extreme(max),
    "UNIQUE": lambda _, values: distinct(values),
    "SORTED_UNIQUE": lambda context, values: ordered(context, distinct(values)),
    "COUNT_DISTINCT": lambda _, values: len(distinct(values)),
    "PUSH": lambda _, values: values,
    "VARIANCE_POPULATION": lambda _, values: _variance(values, 0),
    "VARIANCE_SAMPLE": lambda _, values: _variance(values, 1),
    "STDDEV_POPULATION": lambda _, values: _deviation(values, 0),
    "STDDEV_SAMPLE": lambda _, values: _deviation(values, 1),
}
_ALIASES = {
    "LENGTH": "COUNT",
    "AVERAGE": "AVG",
    "COUNT_UNIQUE": "COUNT_DISTINCT",
    "VARIANCE": "VARIANCE_POPULATION",
    "STDDEV": "STDDEV_POPULATION",
}


def collect_stage(compiler: QueryCompiler, node: ast.Collect, scope: Scope) -> tuple[Stage, Scope]:
    """The stage, and the scope after it: only what COLLECT has introduced remains of this query's variables."""
    context = compiler.context
    groups = [(name, compiler.expression(value, scope)) for name, value in node.groups]
    aggregates: list[tuple[str, Aggregate, Evaluate]] = []
    for name, function, argument in node.aggregates:
        aggregate = _AGGREGATES.get(_ALIASES.get(function, function))
        if aggregate is None:
            raise ApiError(400, 1574, f"AQL: invalid aggregate expression: {function}() (while parsing)")
        aggregates.append((name, aggregate, compiler.expression(argument, scope)))
    kept = node.keep if node.keep is not None else scope.local
    for name in node.keep or ():
        if name not in scope.local:
            raise ApiError(400, 1512, f"AQL: unknown variable '{name}' (while parsing)")
    member: Evaluate = (
        (lambda row: {name: row[name] for name in kept})
        if node.into_value is None
        else compiler.expression(node.into_value, scope)
    )
    outer = scope.visible - set(scope.local)
    after = Scope(outer).plus(
        *(name for name, _ in groups),
        *(name for name, _, _ in aggregates),
        *([node.count_into] if node.count_into else []),
        *([node.into] if node.into else []),
    )

    def stage(rows: Iterable[Row], start: Row) -> Iterator[Row]:
        members: dict[Any, tuple[list[Any], list[Row]]] = {}
        for row in rows:
            keys = [value(row) for _, value in groups]
            members.setdefault(identity(keys), (keys, []))[1].append(row)
        if not groups and not members:
            members[()] = ([], [])
        # ArangoDB sorts by the group keys, or promises nothing: sorted is right either way.
        for keys, gathered in sorted(members.values(), key=lambda group: sort_key(group[0], context.text)):
            result = dict(start)
            result.update((name, key) for (name, _), key in zip(groups, keys, strict=True))
            for name, aggregate, argument in aggregates:
                result[name] = aggregate(context, [argument(row) for row in gathered])
            if node.count_into:
                result[node.count_into] = len(gathered)
            if node.into:
                result[node.into] = [member(row) for row in gathered]
            yield result

    return stage, after
