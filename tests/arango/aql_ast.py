"""The parts of a parsed AQL query.

Belongs here: shapes only. Does not belong here: parsing them (`aql_parser`), running them (`aql_eval`,
`aql_operations`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Node:
    """Base of all parts."""


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant."""

    value: Any


@dataclass(frozen=True, slots=True)
class ArrayLiteral(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ObjectLiteral(Node):
    """`{a: 1, [name]: 2}`: pairs of name (text, or an expression that gives it) and value."""

    pairs: tuple[tuple[str | Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable, or a collection when no variable has the name."""

    name: str


@dataclass(frozen=True, slots=True)
class Bind(Node):
    """`@name`."""

    name: str


@dataclass(frozen=True, slots=True)
class CollectionBind(Node):
    """`@@name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`base.name` or, with a bind parameter, `base.@name`."""

    base: Node
    name: str | Bind


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`base[index]`."""

    base: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Element(Node):
    """The element that the innermost expansion is at, as the start of what follows `[*]`."""


@dataclass(frozen=True, slots=True)
class Expansion(Node):
    """`base[* FILTER f LIMIT l RETURN p].rest`; `depth` is the number of stars."""

    base: Node
    depth: int
    condition: Node | None
    limit: Limit | None
    projection: Node | None
    rest: Node


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`NOT x`, `-x`, `+x`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`left operator right`; the operator in upper case."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    """`left ANY == right`; `at_least` holds n of `AT LEAST (n)`."""

    quantifier: str
    at_least: Node | None
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    """`condition ? yes : no`; without `yes` the condition's own value."""

    condition: Node
    yes: Node | None
    no: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function call; the name in upper case."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Query(Node):
    """Operations and what is returned; `result` is None for a query that only writes."""

    operations: tuple[Node, ...]
    result: Node | None
    distinct: bool


@dataclass(frozen=True, slots=True)
class For(Node):
    """`FOR variable IN source`."""

    variable: str
    source: Node


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """`FILTER condition`."""

    condition: Node


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`LET variable = value`."""

    variable: str
    value: Node


@dataclass(frozen=True, slots=True)
class Sort(Node):
    """`SORT`: pairs of expression and whether it is descending."""

    keys: tuple[tuple[Node, bool], ...]


@dataclass(frozen=True, slots=True)
class Limit(Node):
    """`LIMIT offset, count`."""

    offset: Node
    count: Node


@dataclass(frozen=True, slots=True)
class Collect(Node):
    """`COLLECT`.

    Attributes:
        groups: Variable and expression of each group key.
        aggregates: Variable, aggregate function (upper case) and argument.
        count_into: Variable of `WITH COUNT INTO`.
        into: Variable of `INTO`.
        into_value: Expression of `INTO variable = expression`.
        keep: Names of `KEEP`.
    """

    groups: tuple[tuple[str, Node], ...]
    aggregates: tuple[tuple[str, str, Node], ...]
    count_into: str | None
    into: str | None
    into_value: Node | None
    keep: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Write(Node):
    """A data-modification operation.

    Attributes:
        kind: `INSERT`, `UPDATE`, `REPLACE`, `REMOVE` or `UPSERT`.
        target: What is inserted, or which document is meant; the example of an UPSERT.
        change: The value after `WITH`; of an UPSERT, after UPDATE or REPLACE.
        insert: Of an UPSERT: the document to insert.
        replaces: Of an UPSERT: REPLACE, not UPDATE.
        collection: Where.
        options: `OPTIONS`.
    """

    kind: str
    target: Node
    change: Node | None
    insert: Node | None
    replaces: bool
    collection: Node
    options: Node | None
