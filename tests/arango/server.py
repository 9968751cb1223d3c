"""The ArangoDB test server: one object to start it, fill it, watch it and break it.

Belongs here: putting the parts together, the log of requests, hooks. Does not belong here: the parts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.arango import dumpload, routes_cursor, routes_documents, routes_meta
from tests.arango.aql_values import TEXT_ORDERS
from tests.arango.auth import Gate
from tests.arango.connection import Service
from tests.arango.cursors import Cursors
from tests.arango.errors import ApiError
from tests.arango.faults import Fault, Faults
from tests.arango.listener import Listener
from tests.arango.routing import Core, Request, Response, dispatch, refusal
from tests.arango.store import Database, Store

ROUTES = (routes_cursor, routes_documents, routes_meta)
"""Imported for the routes that they register."""

OPEN_ROUTES = frozenset(("/_open/auth",))


class ArangoServer:
    """Serves from its construction until `close`; a context manager.

    Args:
        username: Name of its one user.
        password: That user's password.
        locale: Order of strings: `en_US` (what 3.11 does) or `en_US_POSIX` (fresh 3.12).
        version: What it says it is.

    Attributes:
        faults: Switches for what shall go wrong.
        cursors: The open cursors: `len(server.cursors)`.
        requests: Every request in the order of arrival.
        errors: Defects of this server itself; the end of a `with` block raises the first.
    """

    def __init__(
        self,
        *,
        username: str = "root",
        password: str = "secret",
        locale: str = "en_US",
        version: str = "3.11.14",
    ) -> None:
        if locale not in TEXT_ORDERS:
            raise ValueError(f"locale {locale!r} is unknown: use one of {', '.join(TEXT_ORDERS)}")
        self.username = username
        self.password = password
        self.cursors = Cursors()
        self.faults = Faults(self.cursors)
        self.requests: list[Request] = []
        self.errors: list[Exception] = []
        self._hooks: list[Callable[[Request], None]] = []
        self._lock = threading.Lock()
        self._gate = Gate(username, password)
        self._core = Core(Store(), self.cursors, self._gate, version, locale)
        self._listener = Listener(Service(self._receive, self._process, threading.Event()))
        self.url = self._listener.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if self.errors and error is None:
            raise self.errors[0]

    def close(self) -> None:
        """Ends every connection and frees the port; again is harmless."""
        self._listener.close()

    def create_database(self, name: str) -> Database:
        return self._core.store.create_database(name)

    def database(self, name: str) -> Database:
        return self._core.store.database(name)

    def drop_database(self, name: str) -> None:
        self._core.store.drop_database(name)

    def load_dump(self, database: Database, folder: Path) -> dict[str, int]:
        """Restores an arangodump folder; returns the number of documents per collection."""
        return dumpload.load_dump(database, folder)

    def on_request(self, hook: Callable[[Request], None]) -> None:
        """Calls the hook with every request to come, before anything is done for it."""
        self._hooks.append(hook)

    def clear_hooks(self) -> None:
        self._hooks.clear()

    def lose_cursors(self) -> None:
        """Forgets every cursor, as a server does that restarts."""
        self.cursors.lose_all()

    def drop_connections(self) -> None:
        """Ends every connection, idle ones too; new ones are accepted."""
        self._listener.drop_connections()

    def revoke_tokens(self) -> None:
        """Makes every JSON Web Token issued so far worthless."""
        self._gate.revoke_tokens()

    @property
    def token_seconds(self) -> float:
        """Lifetime of the tokens to come."""
        return self._gate.token_seconds

    @token_seconds.setter
    def token_seconds(self, seconds: float) -> None:
        self._gate.token_seconds = seconds

    def requests_to(self, path: str, method: str | None = None) -> list[Request]:
        """The requests so far whose path (without `/_db/<name>`) begins like this."""
        with self._lock:
            return [
                request
                for request in self.requests
                if request.route.startswith(path) and method in (None, request.method)
            ]

    def _receive(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
        try:
            for hook in list(self._hooks):
                hook(request)
        except Exception as error:  # noqa: BLE001  kept, and raised where the test can see it
            self.errors.append(error)
        fault = self.faults.choose(request)
        if fault is not None and fault.kind == "lose_cursors":
            self.lose_cursors()
            return None
        return fault

    def _process(self, request: Request) -> Response:
        try:
            if request.route not in OPEN_ROUTES:
                self._gate.check(request.headers.get("authorization"))
            return dispatch(self._core, request)
        except ApiError as error:
            return refusal(error)
        except Exception as error:  # noqa: BLE001  kept, and raised where the test can see it
            self.errors.append(error)
            return refusal(ApiError(500, 4, f"defect of the test server: {error!r}"))
