"""Cursors: a query's rows in numbered batches.

Belongs here: batches, `hasMore`, `allowRetry`, expiry. Does not belong here: running queries (`aql_query`),
routes (`routes_cursor`).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.arango.aql_query import Query
from tests.arango.errors import CURSOR_BUSY, CURSOR_NOT_FOUND, ApiError
from tests.arango.wire import encode

_END = object()


class Cursors:
    """The open cursors of one server; safe for threads."""

    def __init__(self) -> None:
        self.empty_last_batches = 0
        """So many cursors to come end with an empty batch after one that said `hasMore`."""
        self._open: dict[str, Cursor] = {}
        self._ids = itertools.count(70001)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._expire()
            return len(self._open)

    def start(
        self, query: Query, *, size: int, ttl: float, stream: bool, count: bool, allow_retry: bool
    ) -> bytes:
        """The first batch; the cursor stays open if there are more."""
        with self._lock:
            empty_last = self.empty_last_batches > 0
            self.empty_last_batches -= empty_last
            identifier = str(next(self._ids))
        cursor = Cursor(identifier, query, size, ttl, stream, count, allow_retry, empty_last)
        body = cursor.advance(201)
        if cursor.has_more:
            with self._lock:
                self._open[identifier] = cursor
        return body

    def next(self, identifier: str, number: int | None) -> bytes:
        """The batch with this number, or the next one.

        Raises:
            ApiError: 1600 for a cursor or batch that is not there, 1601 for one that is being read.
        """
        cursor = self._find(identifier)
        if not cursor.busy.acquire(blocking=False):
            raise ApiError(409, CURSOR_BUSY, "cursor is busy")
        try:
            body = cursor.batch(number)
        except ApiError as error:
            if error.number != CURSOR_NOT_FOUND:  # the query has failed, and is over
                self._drop(identifier)
            raise
        finally:
            cursor.busy.release()
        if not cursor.has_more and not cursor.allow_retry:
            self._drop(identifier)
        return body

    def close(self, identifier: str) -> None:
        self._find(identifier)
        self._drop(identifier)

    def lose_all(self) -> None:
        """Forgets every cursor, as a server does that restarts."""
        with self._lock:
            self._open.clear()

    def _find(self, identifier: str) -> Cursor:
        with self._lock:
            self._expire()
            cursor = self._open.get(identifier)
            if cursor is None:
                raise _not_found()
            cursor.renew()
            return cursor

    def _drop(self, identifier: str) -> None:
        with self._lock:
            self._open.pop(identifier, None)

    def _expire(self) -> None:
        now = time.monotonic()
        for identifier in [name for name, cursor in self._open.items() if cursor.expires < now]:
            del self._open[identifier]


class Cursor:
    """One query's rows. Arguments as in ArangoDB's cursor API; `empty_last` ends it with an empty batch."""

    def __init__(
        self,
        identifier: str,
        query: Query,
        size: int,
        ttl: float,
        stream: bool,
        count: bool,
        allow_retry: bool,
        empty_last: bool,
    ) -> None:
        self.busy = threading.Lock()
        self.allow_retry = allow_retry
        self.has_more = True
        self.expires = 0.0
        self._identifier = identifier
        self._query = query
        self._size = size
        self._ttl = ttl
        self._stream = stream
        self._empty_last = empty_last
        self._number = 0
        self._body = b""
        self._count: int | None = None
        self._rows: Iterator[Any] = iter(query)
        if not stream:  # computed before the first byte is sent
            rows = list(self._rows)
            self._rows = iter(rows)
            self._count = len(rows) if count else None
        self._ahead = next(self._rows, _END)
        self.renew()

    def renew(self) -> None:
        self.expires = time.monotonic() + self._ttl

    def batch(self, number: int | None) -> bytes:
        """The latest batch again (only with `allow_retry`), or the next one."""
        if number is not None and number == self._number and self.allow_retry:
            return self._body
        if not self.has_more or (number is not None and number != self._number + 1):
            raise _not_found()
        return self.advance(200)

    def advance(self, code: int) -> bytes:
        """The body of the next batch."""
        rows: list[bytes] = []
        while len(rows) < self._size and self._ahead is not _END:
            rows.append(encode(self._ahead))
            self._ahead = next(self._rows, _END)
        self.has_more = self._ahead is not _END
        if not self.has_more and self._empty_last:
            self.has_more, self._empty_last = True, False
        self._number += 1
        rest: dict[str, Any] = {"hasMore": self.has_more}
        if self.has_more or (self.allow_retry and self._number > 1):
            rest["id"] = self._identifier
        if self.has_more:
            rest["nextBatchId"] = str(self._number + 1)
        if self._count is not None:
            rest["count"] = self._count
        rest["cached"] = False
        if not self._stream or not self.has_more:
            rest["extra"] = self._query.context.extra()
        rest |= {"error": False, "code": code}
        self._body = b'{"result":[' + b",".join(rows) + b"]," + msgspec.json.encode(rest)[1:]
        return self._body


def _not_found() -> ApiError:
    return ApiError(404, CURSOR_NOT_FOUND, "cursor not found")
