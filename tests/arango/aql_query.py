"""Running one AQL query from text to rows.

Belongs here: checking parameters, the snapshot, when a query runs: as it is read, or at once when it writes.
Does not belong here: batches (`cursors`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any

from tests.arango.aql_context import Context
from tests.arango.aql_operations import QueryCompiler
from tests.arango.aql_parser import parse
from tests.arango.aql_values import TEXT_ORDERS
from tests.arango.errors import ApiError
from tests.arango.store import Database


class Query:
    """A query that has begun: its snapshot is taken. Iterate for its rows (values, or `wire.Document`s).

    Args:
        database: Where it runs.
        text: The query.
        binds: Bind parameters as the client sends them.
        locale: Order of strings: `en_US` or `en_US_POSIX`.
        fail_on_warning: A warning ends the query.
        max_runtime: Seconds until it is killed, 0 for never.
        full_count: Count the rows before the last LIMIT.

    Raises:
        ApiError: the query cannot run. Errors of single rows are raised while iterating.
    """

    def __init__(
        self,
        database: Database,
        text: str,
        binds: Mapping[str, Any] | None = None,
        *,
        locale: str = "en_US",
        fail_on_warning: bool = False,
        max_runtime: float = 0.0,
        full_count: bool = False,
    ) -> None:
        parsed = parse(text)
        binds = dict(binds or {})
        for name in binds:
            if name not in parsed.binds:
                raise ApiError(
                    400, 1552, f"AQL: bind parameter '{name}' was not declared in the query (while parsing)"
                )
        for name in sorted(parsed.binds - binds.keys()):
            raise ApiError(
                400, 1551, f"AQL: no value specified for declared bind parameter '{name}' (while parsing)"
            )
        # A query that writes runs at once, from its snapshot to its last row, with nobody else writing.
        with database.atomic() if parsed.writes else nullcontext():
            self.context = Context(
                database, database.snapshot(), binds, TEXT_ORDERS[locale], fail_on_warning, max_runtime
            )
            run = QueryCompiler(self.context).whole(parsed.query, full_count=full_count)
            self._rows = iter(list(run({}))) if parsed.writes else run({})

    def __iter__(self) -> Iterator[Any]:
        return self._rows
