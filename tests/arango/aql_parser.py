"""AQL queries: tokens to syntax tree.

Belongs here: the operations and their order. Does not belong here: expressions (`aql_expressions`), running
(`aql_operations`). What is not parsed here is a syntax error: graph traversals, SEARCH, WINDOW, a leading WITH.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.arango import aql_ast as ast
from tests.arango.aql_expressions import Expressions
from tests.arango.errors import EMPTY_QUERY, ApiError


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query, the names of its bind parameters (a collection's with one leading `@`), whether it writes."""

    query: ast.Query
    binds: frozenset[str]
    writes: bool


def parse(query: str) -> Parsed:
    """Parses a whole query.

    Raises:
        ApiError: 1502 for nothing but blanks, 1501 for what is no AQL or not known here.
    """
    if not query.strip():
        raise ApiError(400, EMPTY_QUERY, "query is empty")
    parser = Parser(query)
    tree = parser.whole()
    return Parsed(tree, frozenset(parser.binds), parser.writes)


class Parser(Expressions):
    """Parses one query text."""

    writes = False

    def whole(self) -> ast.Query:
        query = self.subquery()
        if self.token.kind != "end":
            raise self.unexpected()
        return query

    def subquery(self) -> ast.Query:
        # Whatever encloses a subquery has no say over an IN inside it: `expression` saves the switch.
        operations: list[ast.Node] = []
        while not self.at("RETURN"):
            if self.token.kind == "end" or self.at(")"):
                if operations and isinstance(operations[-1], ast.Write):
                    return ast.Query(tuple(operations), None, distinct=False)
                raise self.unexpected()
            operations.append(self._operation())
        self.advance()
        distinct = self.accept("DISTINCT")
        return ast.Query(tuple(operations), self.expression(), distinct)

    def _operation(self) -> ast.Node:
        if self.accept("FOR"):
            return self._for()
        if self.accept("FILTER"):
            return ast.Filter(self.expression())
        if self.accept("LET"):
            variable = self.name()
            self.expect("=")
            return ast.Let(variable, self.expression())
        if self.accept("SORT"):
            return self._sort()
        if self.accept("LIMIT"):
            return self.limit()
        if self.accept("COLLECT"):
            return self._collect()
        for kind in ("INSERT", "UPDATE", "REPLACE", "REMOVE", "UPSERT"):
            if self.accept(kind):
                return self._write(kind)
        raise self.unexpected()

    def _for(self) -> ast.For:
        variable = self.name()
        self.expect("IN")
        source = self.expression()
        self._options()  # hints for the optimizer
        return ast.For(variable, source)

    def _options(self) -> ast.Node | None:
        if not self.at_word("OPTIONS"):
            return None
        self.advance()
        return self.expression()

    def _sort(self) -> ast.Sort:
        keys: list[tuple[ast.Node, bool]] = []
        while True:
            key = self.expression()
            descending = self.at("DESC")
            self.accept("ASC", "DESC")
            keys.append((key, descending))
            if not self.accept(","):
                return ast.Sort(tuple(keys))

    def _assignment(self) -> tuple[str, ast.Node]:
        variable = self.name()
        self.expect("=")
        return variable, self.expression()

    def _collect(self) -> ast.Collect:
        groups: list[tuple[str, ast.Node]] = []
        aggregates: list[tuple[str, str, ast.Node]] = []
        count_into = into = into_value = keep = None
        if self.token.kind == "name":
            groups.append(self._assignment())
            while self.accept(","):
                groups.append(self._assignment())
        if self.accept("WITH"):
            if not self.at_word("COUNT"):
                raise self.unexpected(", expecting COUNT")
            self.advance()
            self.expect("INTO")
            count_into = self.name()
        else:
            if self.accept("AGGREGATE"):
                aggregates.append(self._aggregate())
                while self.accept(","):
                    aggregates.append(self._aggregate())
            if self.accept("INTO"):
                into = self.name()
                into_value = self.expression() if self.accept("=") else None
                keep = self._keep() if into_value is None and self.at_word("KEEP") else None
        if not (groups or aggregates or count_into):
            raise self.unexpected(", expecting a group, AGGREGATE or WITH COUNT INTO")
        self._options()  # hints for the optimizer
        return ast.Collect(tuple(groups), tuple(aggregates), count_into, into, into_value, keep)

    def _aggregate(self) -> tuple[str, str, ast.Node]:
        start = self.position
        variable, value = self._assignment()
        if not isinstance(value, ast.Call) or len(value.arguments) != 1:
            self.position = start
            raise self.unexpected(", expecting an aggregate function of one argument")
        return variable, value.name, value.arguments[0]

    def _keep(self) -> tuple[str, ...]:
        self.advance()
        names = [self.name()]
        while self.accept(","):
            names.append(self.name())
        return tuple(names)

    def _write(self, kind: str) -> ast.Write:
        self.writes = True
        target = self.expression(in_allowed=False)
        change = insert = None
        replaces = False
        if kind == "UPSERT":
            self.expect("INSERT")
            insert = self.expression(in_allowed=False)
            replaces = self.at("REPLACE")
            if not self.accept("UPDATE", "REPLACE"):
                raise self.unexpected(", expecting UPDATE or REPLACE")
            change = self.expression(in_allowed=False)
        elif kind in ("UPDATE", "REPLACE") and self.accept("WITH"):
            change = self.expression(in_allowed=False)
        if not self.accept("IN", "INTO"):
            raise self.unexpected(", expecting IN or INTO")
        return ast.Write(kind, target, change, insert, replaces, self._collection(), self._options())

    def _collection(self) -> ast.Node:
        if self.token.kind == "collection":
            return self._primary()
        if self.token.kind == "bind":
            raise self.unexpected(", expecting a collection: @@name")
        return ast.Name(self.name())
