"""AQL operations to a pipeline of generators.

Belongs here: FOR, FILTER, LET, SORT, LIMIT, RETURN and how they follow each other. Does not belong here:
COLLECT (`aql_collect`), writes (`aql_write`), expressions (`aql_eval`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Any

from tests.arango import aql_ast as ast
from tests.arango.aql_collect import collect_stage
from tests.arango.aql_eval import ExpressionCompiler, Row, Scope
from tests.arango.aql_values import identity, sort_key, truth
from tests.arango.aql_write import write_stage
from tests.arango.errors import ApiError

Stage = Callable[[Iterable[Row], Row], Iterator[Row]]
"""Called with the rows before it and the row that the query started from."""

Run = Callable[[Row], Iterator[Any]]


class QueryCompiler(ExpressionCompiler):
    """Compiles queries.

    A row is a dict that belongs to the stage that it is passed to; whoever keeps one copies it first.
    """

    def whole(self, node: ast.Query, *, full_count: bool) -> Run:
        """The outermost query; `full_count` counts what its last LIMIT would have dropped."""
        limits = [operation for operation in node.operations if isinstance(operation, ast.Limit)]
        self._counted = limits[-1] if full_count and limits else None
        return self.query(node, Scope())

    def query(self, node: ast.Query, scope: Scope) -> Run:
        stages: list[Stage] = []
        for operation in node.operations:
            stage, scope = getattr(self, f"_stage_{type(operation).__name__.lower()}")(operation, scope)
            stages.append(stage)

        def rows_from(row: Row) -> Iterator[Row]:
            start: Iterator[Row] = iter((dict(row),))
            return reduce(lambda rows, stage: stage(rows, row), stages, start)

        if node.result is None:

            def only_write(row: Row) -> Iterator[Any]:
                for _ in rows_from(row):
                    pass
                return iter(())

            return only_write
        result = self.expression(node.result, scope)
        if node.distinct:
            return lambda row: _distinct(result(item) for item in rows_from(row))
        return lambda row: (result(item) for item in rows_from(row))

    def _stage_for(self, node: ast.For, scope: Scope) -> tuple[Stage, Scope]:
        inner = scope.plus(node.variable)
        variable, context = node.variable, self.context
        name = self.collection_name(node.source, scope)
        if name is not None:
            documents = context.documents(name)

            def scan(rows: Iterable[Row], _start: Row) -> Iterator[Row]:
                for row in rows:
                    for document in documents.values():
                        context.check_time()
                        context.scanned += 1
                        yield {**row, variable: document}

            return scan, inner
        source = self.expression(node.source, scope)

        def each(rows: Iterable[Row], _start: Row) -> Iterator[Row]:
            for row in rows:
                items = source(row)
                if not isinstance(items, list):
                    raise ApiError(
                        400,
                        1563,
                        "AQL: collection or array expected as operand to FOR loop (while executing)",
                    )
                for item in items:
                    context.check_time()
                    yield {**row, variable: item}

        return each, inner

    def _stage_filter(self, node: ast.Filter, scope: Scope) -> tuple[Stage, Scope]:
        condition, context = self.expression(node.condition, scope), self.context

        def stage(rows: Iterable[Row], _start: Row) -> Iterator[Row]:
            for row in rows:
                if truth(condition(row)):
                    yield row
                else:
                    context.filtered += 1

        return stage, scope

    def _stage_let(self, node: ast.Let, scope: Scope) -> tuple[Stage, Scope]:
        value, variable = self.expression(node.value, scope), node.variable

        def stage(rows: Iterable[Row], _start: Row) -> Iterator[Row]:
            for row in rows:
                row[variable] = value(row)
                yield row

        return stage, scope.plus(variable)

    def _stage_sort(self, node: ast.Sort, scope: Scope) -> tuple[Stage, Scope]:
        keys = [(self.expression(key, scope), descending) for key, descending in node.keys]
        text = self.context.text

        def stage(rows: Iterable[Row], _start: Row) -> Iterator[Row]:
            kept = list(rows)
            for key, descending in reversed(keys):
                kept.sort(key=lambda row: sort_key(key(row), text), reverse=descending)
            yield from kept

        return stage, scope

    def _stage_limit(self, node: ast.Limit, scope: Scope) -> tuple[Stage, Scope]:
        offset, count = self.limit(node)
        counted, context = node is self._counted, self.context

        def stage(rows: Iterable[Row], _start: Row) -> Iterator[Row]:
            place = 0
            for row in rows:
                place += 1
                if place > offset and (count is None or place <= offset + count):
                    yield row
                if not counted and count is not None and place >= offset + count:
                    break
            if counted:
                context.full_count = place

        return stage, scope

    def _stage_collect(self, node: ast.Collect, scope: Scope) -> tuple[Stage, Scope]:
        return collect_stage(self, node, scope)

    def _stage_write(self, node: ast.Write, scope: Scope) -> tuple[Stage, Scope]:
        return write_stage(self, node, scope)


def _distinct(items: Iterable[Any]) -> Iterator[Any]:
    seen = set()
    for item in items:
        mark = identity(item)
        if mark not in seen:
            seen.add(mark)
            yield item
