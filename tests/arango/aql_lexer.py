"""AQL text to tokens.

Belongs here: what a token is and where it stands. Does not belong here: which tokens may follow each other
(`aql_parser`, `aql_expressions`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.arango.errors import PARSE, ApiError

# fmt: off
KEYWORDS = frozenset((
    "AGGREGATE", "ALL", "ALL_SHORTEST_PATHS", "AND", "ANY", "ASC", "COLLECT", "DESC", "DISTINCT", "FALSE",
    "FILTER", "FOR", "GRAPH", "IN", "INBOUND", "INSERT", "INTO", "K_PATHS", "K_SHORTEST_PATHS", "LET",
    "LIKE", "LIMIT", "NONE", "NOT", "NULL", "OR", "OUTBOUND", "REMOVE", "REPLACE", "RETURN",
    "SHORTEST_PATH", "SORT", "TRUE", "UPDATE", "UPSERT", "WINDOW", "WITH",
))
# fmt: on
"""Reserved: as names they need backticks."""

_OPERATORS = ("&&", "||", "==", "!=", "<=", ">=", "=~", "!~", "..", "::", *"<>=!+-*/%?:()[]{},.")

_PATTERN = re.compile(
    r"""
      (?P<blank> \s+ | //[^\n]* | /\*.*?\*/ )
    | (?P<number> 0[xX][0-9a-fA-F]+ | 0[bB][01]+ | (?: \d+ (?: \.\d+ )? | \.\d+ ) (?: [eE][+-]?\d+ )? )
    | (?P<text> "(?: [^"\\] | \\. )*" | '(?: [^'\\] | \\. )*' )
    | (?P<quoted> `(?: [^`\\] | \\. )+` | ´(?: [^´\\] | \\. )+´ )
    | (?P<collection> @@ [A-Za-z0-9_]+ )
    | (?P<bind> @ [A-Za-z0-9_]+ )
    | (?P<name> _*[A-Za-z$][A-Za-z0-9_$]* )
    | (?P<operator> """
    + "|".join(map(re.escape, _OPERATORS))
    + " )",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: `keyword`, `name`, `operator`, `number`, `text`, `bind`, `collection` or `end`.
        value: Upper case for keywords, the number, the unescaped text, the parameter's name.
        start: Where it begins in the query.
    """

    kind: str
    value: Any
    start: int


def syntax_error(query: str, start: int, what: str) -> ApiError:
    """Error 1501 with the place as ArangoDB words it."""
    line = query.count("\n", 0, start) + 1
    column = start - (query.rfind("\n", 0, start) + 1) + 1
    near = f"near '{query[start : start + 32]}' " if start < len(query) else ""
    return ApiError(
        400, PARSE, f"AQL: syntax error, {what} {near}at position {line}:{column} (while parsing)"
    )


def tokenize(query: str) -> list[Token]:
    """All tokens, the last of kind `end`.

    Raises:
        ApiError: 1501, a character that begins no token.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(query):
        match = _PATTERN.match(query, position)
        if match is None:
            raise syntax_error(query, position, f"unexpected character {query[position]!r}")
        kind = str(match.lastgroup)
        if kind != "blank":
            tokens.append(_token(kind, match.group(), position))
        position = match.end()
    tokens.append(Token("end", None, len(query)))
    return tokens


def _token(kind: str, text: str, start: int) -> Token:
    if kind == "number":
        return Token(kind, _number(text), start)
    if kind == "text":
        return Token(kind, _unescape(text[1:-1]), start)
    if kind == "quoted":
        return Token("name", _unescape(text[1:-1]), start)
    if kind in ("bind", "collection"):
        return Token(kind, text.lstrip("@"), start)
    if kind == "name" and text.upper() in KEYWORDS:
        return Token("keyword", text.upper(), start)
    if text in ("&&", "||"):
        return Token("keyword", "AND" if text == "&&" else "OR", start)
    return Token(kind, text, start)


def _number(text: str) -> int | float:
    if text[:2].lower() in ("0x", "0b"):
        return int(text, 0)
    if text.isdigit() and int(text) < 2**64:
        return int(text)
    return float(text)


def _unescape(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code, letter = match.groups()
        return chr(int(code, 16)) if code else _ESCAPED.get(letter, letter)

    return _ESCAPE.sub(plain, text)
