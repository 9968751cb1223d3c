"""AQL expressions to Python closures, once per query, then called once per row.

Belongs here: names, bind parameters, attributes, expansions, calls. Does not belong here: what operators and
functions compute (`aql_operators`, `aql_registry`), the operations of a query (`aql_operations`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.arango import aql_ast as ast
from tests.arango import aql_dates, aql_objects, aql_registry, aql_text
from tests.arango.aql_context import Context
from tests.arango.aql_functions import flatten
from tests.arango.aql_operators import element, negated, operators, quantified
from tests.arango.aql_values import as_object, identity, to_number, to_text, truth
from tests.arango.errors import ApiError, collection_not_found
from tests.arango.wire import Document

FUNCTION_MODULES = (aql_dates, aql_objects, aql_text)
"""Imported for the functions that they register."""

Row = dict[str, Any]
Evaluate = Callable[[Row], Any]

# Names of hidden variables: no identifier can have them.
ELEMENT = " element"
CURRENT = "CURRENT"

_TAKE_COLLECTIONS = frozenset(("DOCUMENT", "COLLECTION_COUNT", "LENGTH", "COUNT"))


@dataclass(frozen=True, slots=True)
class Scope:
    """The variables that an expression may use.

    Attributes:
        visible: All of them.
        local: Those that this query, not one around it, has introduced: what COLLECT INTO gathers.
    """

    visible: frozenset[str] = frozenset()
    local: tuple[str, ...] = ()

    def plus(self, *names: str) -> Scope:
        """Raises error 1511 for a name that is taken."""
        for name in names:
            if name in self.visible:
                raise ApiError(
                    400, 1511, f"AQL: variable '{name}' is assigned multiple times (while parsing)"
                )
        return Scope(self.visible | set(names), (*self.local, *names))

    def inner(self) -> Scope:
        return Scope(self.visible)


def bind_value(context: Context, name: str) -> Any:
    if name not in context.binds:
        raise ApiError(
            400, 1551, f"AQL: no value specified for declared bind parameter '{name}' (while parsing)"
        )
    return context.binds[name]


class ExpressionCompiler:
    """Compiles expressions; `aql_operations.QueryCompiler` adds queries."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._operators = operators(context)

    def query(self, node: ast.Query, scope: Scope) -> Callable[[Row], Iterator[Any]]:
        raise NotImplementedError

    def collection_name(self, node: ast.Node, scope: Scope) -> str | None:
        """The collection that the node names, None when it is no collection.

        Raises:
            ApiError: 1203 for a collection that does not exist, 1579 for one that the query has written to.
        """
        if isinstance(node, ast.CollectionBind):
            name = bind_value(self.context, f"@{node.name}")
            if not isinstance(name, str) or not name:
                raise ApiError(
                    400,
                    1553,
                    f"AQL: bind parameter '@{node.name}' has an invalid value or type (while parsing)",
                )
        elif isinstance(node, ast.Name) and node.name not in scope.visible:
            name = node.name
        else:
            return None
        if name not in self.context.snapshot:
            raise collection_not_found(name)
        if name in self.context.modified:
            raise ApiError(
                400,
                1579,
                f"AQL: access after data-modification by traversal or AQL on '{name}' (while parsing)",
            )
        return name

    def constant(self, node: ast.Node) -> tuple[bool, Any]:
        """Whether the node is a constant or bind parameter, and its value."""
        if isinstance(node, ast.Literal):
            return True, node.value
        if isinstance(node, ast.Bind):
            return True, bind_value(self.context, node.name)
        return False, None

    def expression(self, node: ast.Node, scope: Scope) -> Evaluate:
        fixed, value = self.constant(node)
        if fixed:
            return lambda _: value
        compiled: Evaluate = getattr(self, f"_{type(node).__name__.lower()}")(node, scope)
        return compiled

    def _query(self, node: ast.Query, scope: Scope) -> Evaluate:
        run = self.query(node, scope.inner())
        return lambda row: list(run(row))

    def _name(self, node: ast.Name | ast.CollectionBind, scope: Scope) -> Evaluate:
        name = self.collection_name(node, scope)
        if name is not None:
            raise ApiError(400, 1568, f"AQL: collection '{name}' used as expression operand (while parsing)")
        variable = node.name
        return lambda row: row[variable]

    _collectionbind = _name

    def _element(self, _node: ast.Element, _scope: Scope) -> Evaluate:
        return lambda row: row[ELEMENT]

    def _arrayliteral(self, node: ast.ArrayLiteral, scope: Scope) -> Evaluate:
        items = [self.expression(item, scope) for item in node.items]
        return lambda row: [item(row) for item in items]

    def _objectliteral(self, node: ast.ObjectLiteral, scope: Scope) -> Evaluate:
        pairs: list[tuple[Evaluate, Evaluate]] = []
        for name, value in node.pairs:
            key = name if isinstance(name, ast.Node) else ast.Literal(name)
            pairs.append((self.expression(key, scope), self.expression(value, scope)))
        return lambda row: {to_text(name(row)): value(row) for name, value in pairs}

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Evaluate:
        base = self.expression(node.base, scope)
        if isinstance(node.name, str):
            return _attribute_of(base, node.name)
        path = bind_value(self.context, node.name.name)
        for name in path if isinstance(path, list) else [path]:
            if not isinstance(name, str):
                raise ApiError(
                    400,
                    1553,
                    f"AQL: bind parameter '{node.name.name}' has an invalid value or type (while parsing)",
                )
            base = _attribute_of(base, name)
        return base

    def _index(self, node: ast.Index, scope: Scope) -> Evaluate:
        base = self.expression(node.base, scope)
        index = self.expression(node.index, scope)

        def call(row: Row) -> Any:
            value, key = base(row), index(row)
            attributes = as_object(value)
            if attributes is None:
                return element(value, key)
            for name in key if isinstance(key, list) else [key]:
                attributes = as_object(value)
                value = None if attributes is None else attributes.get(to_text(name))
            return value

        return call

    def _expansion(self, node: ast.Expansion, scope: Scope) -> Evaluate:
        base = self.expression(node.base, scope)
        inner = Scope(scope.visible | {CURRENT})
        condition = None if node.condition is None else self.expression(node.condition, inner)
        projection = None if node.projection is None else self.expression(node.projection, inner)
        limit = None if node.limit is None else self.limit(node.limit)
        rest = None if isinstance(node.rest, ast.Element) else self.expression(node.rest, inner)
        inline = condition is not None or projection is not None

        def call(row: Row) -> list[Any]:
            items = base(row)
            if not isinstance(items, list):
                return []
            items = flatten(items, node.depth - 1)
            row = dict(row)
            if inline or limit is not None:
                items = list(self._inlined(items, row, condition, limit, projection))
            if rest is None:
                return items
            results: list[Any] = []
            for item in items:
                row[ELEMENT] = item
                results.append(rest(row))
            return results

        return call

    @staticmethod
    def _inlined(
        items: list[Any],
        row: Row,
        condition: Evaluate | None,
        limit: tuple[int, int | None] | None,
        projection: Evaluate | None,
    ) -> Iterator[Any]:
        offset, count = limit or (0, None)
        kept = 0
        for item in items:
            row[CURRENT] = item
            if condition is not None and not truth(condition(row)):
                continue
            kept += 1
            if kept <= offset:
                continue
            if count is not None and kept > offset + count:
                return
            yield item if projection is None else projection(row)

    def limit(self, node: ast.Limit) -> tuple[int, int | None]:
        """Offset and count (None: all) of a LIMIT, which must be constants or bind parameters."""
        numbers: list[int | None] = []
        for part in (node.offset, node.count):
            fixed, value = self.constant(part)
            if not fixed or (value is not None and (isinstance(value, bool | str) or to_number(value) < 0)):
                raise ApiError(
                    400,
                    1504,
                    "AQL: number out of range: LIMIT takes constant numbers of 0 or more (while parsing)",
                )
            numbers.append(None if value is None else int(to_number(value)))
        return numbers[0] or 0, numbers[1]

    def _unary(self, node: ast.Unary, scope: Scope) -> Evaluate:
        operand = self.expression(node.operand, scope)
        if node.operator == "NOT":
            return lambda row: not truth(operand(row))
        if node.operator == "-":
            return lambda row: negated(operand(row))
        return lambda row: to_number(operand(row))

    def _binary(self, node: ast.Binary, scope: Scope) -> Evaluate:
        left = self.expression(node.left, scope)
        right = self.expression(node.right, scope)
        if node.operator == "AND":
            return lambda row: right(row) if truth(value := left(row)) else value
        if node.operator == "OR":
            return lambda row: value if truth(value := left(row)) else right(row)
        fixed, array = self.constant(node.right)
        if node.operator in ("IN", "NOT IN") and fixed and isinstance(array, list):
            # A thousand keys against ten thousand documents: look up, do not compare.
            wanted = {identity(item) for item in array}
            if node.operator == "IN":
                return lambda row: identity(left(row)) in wanted
            return lambda row: identity(left(row)) not in wanted
        call = self._operators[node.operator]
        return lambda row: call(left(row), right(row))

    def _quantified(self, node: ast.Quantified, scope: Scope) -> Evaluate:
        left = self.expression(node.left, scope)
        right = self.expression(node.right, scope)
        compare = self._operators[node.operator]
        if node.at_least is None:
            call = quantified(node.quantifier, 0, compare)
            return lambda row: call(left(row), right(row))
        least = self.expression(node.at_least, scope)
        return lambda row: quantified("AT LEAST", int(to_number(least(row))), compare)(left(row), right(row))

    def _ternary(self, node: ast.Ternary, scope: Scope) -> Evaluate:
        condition = self.expression(node.condition, scope)
        no = self.expression(node.no, scope)
        if node.yes is None:
            return lambda row: value if truth(value := condition(row)) else no(row)
        yes = self.expression(node.yes, scope)
        return lambda row: yes(row) if truth(condition(row)) else no(row)

    def _call(self, node: ast.Call, scope: Scope) -> Evaluate:
        found = aql_registry.find(node.name, len(node.arguments))
        arguments: list[Evaluate] = []
        for argument in node.arguments:
            given = self._collection_argument(node.name, argument, scope)
            arguments.append(given or self.expression(argument, scope))
        body, context = found.body, self.context
        return lambda row: body(context, *[argument(row) for argument in arguments])

    def _collection_argument(self, function: str, argument: ast.Node, scope: Scope) -> Evaluate | None:
        """A collection as an argument, for the few functions that take one."""
        if function not in _TAKE_COLLECTIONS:
            return None
        name = self.collection_name(argument, scope)
        if name is None:
            return None
        if function in ("LENGTH", "COUNT"):
            documents = list(self.context.documents(name))
            return lambda _: documents
        return lambda _: name


def _attribute_of(base: Evaluate, name: str) -> Evaluate:
    # Key and revision are known without decoding the document: a sweep asks for nothing else.
    if name == "_key":
        return lambda row: (
            value.key if isinstance(value := base(row), Document) else (as_object(value) or {}).get("_key")
        )
    if name == "_rev":
        return lambda row: (
            value.rev if isinstance(value := base(row), Document) else (as_object(value) or {}).get("_rev")
        )

    def call(row: Row) -> Any:
        value = base(row)
        if isinstance(value, Document):
            return value.value.get(name)
        return value.get(name) if isinstance(value, dict) else None

    return call
