"""The real python-arango as the tests use it: impatient, and safe in reading cursors.

Belongs here: connecting and reading for tests. Does not belong here: fixtures (`conftest`), the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from arango.client import ArangoClient
from arango.cursor import Cursor
from arango.database import StandardDatabase
from arango.exceptions import (
    AQLQueryExecuteError,
)
from arango.http import DefaultHTTPClient

PASSWORD = "s3cret"
"""Of user root on the servers that tests start."""


@dataclass(frozen=True)
class Place:
    """A server's address and the login of a user who may create databases."""

    url: str
    user: str
    password: str


def connect(
    url: str, database: str, user: str = "root", password: str = PASSWORD, **login: Any
) -> StandardDatabase:
    """A database through the real client, which sends every request once."""
    client = ArangoClient(
        hosts=url, resolver_max_tries=1, http_client=DefaultHTTPClient(request_timeout=10, retry_attempts=0)
    )
    return client.db(database, user, password, **login)


def batches(cursor: Cursor) -> Iterator[list[Any]]:
    """The safe way to read a cursor to its end."""
    while True:
        batch = cursor.batch()
        assert batch is not None
        rows = list(batch)
        batch.clear()
        yield rows
        if not cursor.has_more():
            return
        cursor.fetch()


def rows_of(database: StandardDatabase, query: str, **options: Any) -> list[Any]:
    cursor = database.aql.execute(query, **options)
    assert isinstance(cursor, Cursor)
    return [row for batch in batches(cursor) for row in batch]


def stream(database: StandardDatabase, query: str, size: int, **options: Any) -> Cursor:
    cursor = database.aql.execute(query, batch_size=size, stream=True, allow_retry=True, **options)
    assert isinstance(cursor, Cursor)
    return cursor


def refused(database: StandardDatabase, query: str, binds: dict[str, Any]) -> tuple[int, int | None]:
    """HTTP status and errorNum of a query that must fail."""
    with pytest.raises(AQLQueryExecuteError) as caught:
        rows_of(database, query, bind_vars=binds)
    return caught.value.http_code, caught.value.error_code
