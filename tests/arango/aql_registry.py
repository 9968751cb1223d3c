"""The table of AQL functions.

Belongs here: registering and finding them. Does not belong here: what they do (`aql_functions`, `aql_text`,
`aql_dates`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.arango.aql_context import Context
from tests.arango.errors import ApiError

ARGUMENT_TYPE = 1542

Body = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Function:
    """One function: called as `body(context, *arguments)` with between `least` and `most` arguments."""

    name: str
    least: int
    most: int
    body: Body


_functions: dict[str, Function] = {}


def function(names: str, least: int, most: int | None = None) -> Callable[[Body], Body]:
    """Registers a function under one or more names; `most=None` means as many arguments as `least`."""

    def register(body: Body) -> Body:
        for name in names.split():
            _functions[name] = Function(name, least, least if most is None else most, body)
        return body

    return register


def find(name: str, count: int) -> Function:
    """The function for this many arguments.

    Raises:
        ApiError: 1540 or 1582 for an unknown function, 1541 for a wrong number of arguments.
    """
    found = _functions.get(name)
    if found is None:
        if "::" in name:
            raise ApiError(404, 1582, f"AQL: user function '{name}()' not found (while parsing)")
        raise ApiError(400, 1540, f"AQL: usage of unknown function '{name}()' (while parsing)")
    if not found.least <= count <= found.most:
        raise ApiError(
            400,
            1541,
            f"AQL: invalid number of arguments for function '{name}()', expected number of arguments: "
            f"minimum: {found.least}, maximum: {found.most} (while parsing)",
        )
    return found


def wrong_type(context: Context, name: str) -> None:
    """Notes warning 1542; its null is the function's result."""
    context.warn(ARGUMENT_TYPE, f"invalid argument type in call to function '{name}()'")
