"""AQL expressions: tokens to syntax tree, with AQL's precedence.

Belongs here: everything that yields a value. Does not belong here: FOR, FILTER and the other operations
(`aql_parser`), meaning (`aql_eval`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tests.arango import aql_ast as ast
from tests.arango.aql_lexer import Token, syntax_error, tokenize
from tests.arango.errors import ApiError

T = TypeVar("T")

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
# From loose to tight; None is the level of the array quantifiers.
_LEVELS: tuple[tuple[str, ...] | None, ...] = (
    ("OR",),
    ("AND",),
    None,
    ("==", "!=", "LIKE", "NOT LIKE", "=~", "!~"),
    ("IN", "NOT IN"),
    ("<", "<=", ">", ">="),
    ("..",),
    ("+", "-"),
    ("*", "/", "%"),
)
_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}
_QUERY_STARTS = frozenset(
    (
        "FOR",
        "LET",
        "FILTER",
        "RETURN",
        "COLLECT",
        "SORT",
        "LIMIT",
        "INSERT",
        "UPDATE",
        "REPLACE",
        "REMOVE",
        "UPSERT",
    )
)


class Expressions:
    """Parses expressions; `aql_parser.Parser` adds the operations.

    Attributes:
        binds: Names of the bind parameters met so far; a collection's with one leading `@`.
    """

    def __init__(self, query: str) -> None:
        self.text = query
        self.tokens = tokenize(query)
        self.position = 0
        self.binds: set[str] = set()
        self._in_allowed = True

    def subquery(self) -> ast.Query:
        raise NotImplementedError

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def at(self, *values: str, ahead: int = 0) -> bool:
        """Whether the next token is one of these keywords or operators."""
        token = self.tokens[min(self.position + ahead, len(self.tokens) - 1)]
        return token.kind in ("keyword", "operator") and token.value in values

    def at_word(self, word: str, ahead: int = 0) -> bool:
        """Whether the next token is this word, which is no keyword, in any case."""
        token = self.tokens[min(self.position + ahead, len(self.tokens) - 1)]
        return token.kind == "name" and token.value.upper() == word

    def advance(self) -> Token:
        token = self.token
        self.position += 1
        return token

    def accept(self, *values: str) -> bool:
        if self.at(*values):
            self.position += 1
            return True
        return False

    def expect(self, value: str) -> None:
        if not self.accept(value):
            raise self.unexpected(f", expecting {value}")

    def name(self) -> str:
        if self.token.kind != "name":
            raise self.unexpected(", expecting identifier")
        return str(self.advance().value)

    def unexpected(self, more: str = "") -> ApiError:
        token = self.token
        what = "end of query string" if token.kind == "end" else f"{token.kind} {token.value!r}"
        return syntax_error(self.text, token.start, f"unexpected {what}{more}")

    def expression(self, *, in_allowed: bool = True) -> ast.Node:
        """An expression; `in_allowed=False` leaves a following IN to the operation around it."""
        before, self._in_allowed = self._in_allowed, in_allowed
        try:
            return self._ternary()
        finally:
            self._in_allowed = before

    def _ternary(self) -> ast.Node:
        condition = self._binary(0)
        if not self.accept("?"):
            return condition
        yes = None if self.at(":") else self._ternary()
        self.expect(":")
        return ast.Ternary(condition, yes, self._ternary())

    def _binary(self, level: int) -> ast.Node:
        if level == len(_LEVELS):
            return self._unary()
        operators = _LEVELS[level]
        left = self._binary(level + 1)
        if operators is None:
            return self._quantified(left, level)
        while (operator := self._operator(operators)) is not None:
            left = ast.Binary(operator, left, self._binary(level + 1))
        return left

    def _operator(self, operators: tuple[str, ...]) -> str | None:
        """Consumes one of the operators, if it is next."""
        for operator in operators:
            words = operator.split()
            if words[-1] == "IN" and not self._in_allowed:
                continue
            if all(self.at(word, ahead=index) for index, word in enumerate(words)):
                self.position += len(words)
                return operator
        return None

    def _quantified(self, left: ast.Node, level: int) -> ast.Node:
        while True:
            at_least: ast.Node | None = None
            if self.at("ANY", "ALL", "NONE"):
                quantifier = self.advance().value
            elif self.at_word("AT") and self.at_word("LEAST", ahead=1):
                quantifier = "AT LEAST"
                self.position += 2
                self.expect("(")
                at_least = self.expression()
                self.expect(")")
            else:
                return left
            operator = self._operator((*_COMPARISONS, "IN", "NOT IN"))
            if operator is None:
                raise self.unexpected(", expecting a comparison")
            left = ast.Quantified(quantifier, at_least, operator, left, self._binary(level + 1))

    def _unary(self) -> ast.Node:
        for sign, operator in (("NOT", "NOT"), ("!", "NOT"), ("-", "-"), ("+", "+")):
            if self.accept(sign):
                return ast.Unary(operator, self._unary())
        return self._postfix(self._primary())

    def _postfix(self, base: ast.Node) -> ast.Node:
        while True:
            if self.accept("."):
                base = ast.Attribute(base, self._bind() if self.token.kind == "bind" else self.name())
            elif self.at("[") and self.at("*", ahead=1):
                return self._expansion(base)
            elif self.accept("["):
                base = ast.Index(base, self.expression())
                self.expect("]")
            else:
                return base

    def _expansion(self, base: ast.Node) -> ast.Node:
        self.expect("[")
        depth = 0
        while self.accept("*"):
            depth += 1
        condition = self.expression() if self.accept("FILTER") else None
        limit = self.limit() if self.accept("LIMIT") else None
        projection = self.expression() if self.accept("RETURN") else None
        self.expect("]")
        return ast.Expansion(base, depth, condition, limit, projection, self._postfix(ast.Element()))

    def limit(self) -> ast.Limit:
        first = self.expression()
        if self.accept(","):
            return ast.Limit(first, self.expression())
        return ast.Limit(ast.Literal(0), first)

    def _primary(self) -> ast.Node:
        token = self.token
        if token.kind in ("number", "text"):
            self.advance()
            return ast.Literal(token.value)
        if token.kind == "keyword" and token.value in _CONSTANTS:
            self.advance()
            return ast.Literal(_CONSTANTS[token.value])
        if token.kind == "bind":
            return self._bind()
        if token.kind == "collection":
            self.advance()
            self.binds.add(f"@{token.value}")
            return ast.CollectionBind(token.value)
        if token.kind == "name" or (self.at("LIKE") and self.at("(", ahead=1)):
            return self._name_or_call()
        if self.accept("("):
            inner = self.subquery() if self.at(*_QUERY_STARTS) else self.expression()
            self.expect(")")
            return inner
        if self.accept("["):
            return ast.ArrayLiteral(tuple(self._list("]", self.expression)))
        if self.accept("{"):
            return ast.ObjectLiteral(tuple(self._list("}", self._pair)))
        raise self.unexpected()

    def _bind(self) -> ast.Bind:
        name = self.advance().value
        self.binds.add(name)
        return ast.Bind(name)

    def _name_or_call(self) -> ast.Node:
        name = str(self.advance().value)
        while self.accept("::"):
            name += f"::{self.name()}"
        if self.accept("("):
            return ast.Call(name.upper(), tuple(self._list(")", self._argument)))
        return ast.Name(name)

    def _argument(self) -> ast.Node:
        return self.subquery() if self.at(*_QUERY_STARTS) else self.expression()

    def _list(self, end: str, item: Callable[[], T]) -> list[T]:
        """Items up to the closing bracket; a comma may follow the last."""
        items: list[T] = []
        while not self.accept(end):
            items.append(item())
            if not self.accept(","):
                self.expect(end)
                break
        return items

    def _pair(self) -> tuple[str | ast.Node, ast.Node]:
        token = self.token
        key: str | ast.Node
        if token.kind == "bind":
            key = self._bind()
        elif self.accept("["):
            key = self.expression()
            self.expect("]")
        elif token.kind == "name":
            key = self.name()
            if not self.at(":"):
                return key, ast.Name(key)
        elif token.kind == "text":
            key = str(self.advance().value)
        else:
            raise self.unexpected()
        self.expect(":")
        return key, self.expression()
