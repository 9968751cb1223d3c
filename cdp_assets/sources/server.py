"""One database of an ArangoDB server: requests sent with patience, query results as undecoded pages.

Belongs here: connecting, logging in, repeating what failed in passing, the life of a cursor. Does not belong
here: what is asked (`aql`, `arango`), bytes on the wire (`http`), which failure is transient (`faults`).

A page is asked for by its number (`allow_retry`), so asking again after a cut connection or a time-out gives
the same page: none is lost, none comes twice. That needs ArangoDB 3.11 or later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlsplit

import msgspec
from arango.client import ArangoClient
from arango.connection import JwtConnection
from arango.cursor import Cursor
from arango.database import StandardDatabase
from arango.exceptions import ArangoError
from jwt.exceptions import PyJWTError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from cdp_assets.sources.faults import Place, translate
from cdp_assets.sources.http import (
    BrokenBody,
    CertificateRejected,
    PageClient,
    decode_body,
    without_credentials,
)
from cdp_assets.sources.model import CursorLost, SourceRejected, SourceUnavailable

CURSOR_SECONDS = 600
"""How long the server keeps a cursor between two requests: the time to land one page, with room.

A forgotten cursor holds back RocksDB's compaction for as long.
"""

CLIENT_FAULTS = (ArangoError, OSError, PyJWTError, BrokenBody, CertificateRejected, KeyError, TypeError)
"""What a call of python-arango may raise. KeyError and TypeError: it takes an answer apart unseen."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often one request is sent, and the bounds in seconds of the wait between, which doubles each time.

    On top comes a random part of up to `first_wait`, so that many readers do not return at the same moment.
    """

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 20.0


@dataclass(frozen=True, slots=True)
class Query:
    """One AQL query; `bind` lacks the collection. `full_scan`: it reads the whole collection."""

    text: str
    collection: str
    bind: Mapping[str, Any]
    page_size: int
    full_scan: bool


USUAL_PATIENCE = Patience()
"""Waits of about 1, 2, 4 and 8 s: long enough for an ArangoDB that restarts, short beside a sync."""


class Server:
    """One database, connected at the first request. Arguments as in `ArangoSource`.

    Raises:
        SourceRejected: an argument cannot be right.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        database: str,
        username: str,
        password: str,
        *,
        auth_method: str,
        verify: bool | str,
        request_timeout: float,
        patience: Patience,
    ) -> None:
        _check_hosts(hosts)
        if auth_method not in ("basic", "jwt"):
            raise SourceRejected(f"auth_method {auth_method!r} is unknown: use 'basic' or 'jwt'")
        if isinstance(verify, str) and not Path(verify).exists():
            raise SourceRejected(f"verify: there is no file or folder {verify!r} with CA certificates")
        self._hosts = [host.rstrip("/") for host in hosts]
        self._database_name = database
        self._username = username
        self._password = password
        self._auth_method = auth_method
        self._http = PageClient(request_timeout, verify)
        self._client: ArangoClient | None = None
        self._database: StandardDatabase | None = None
        self._patiently = Retrying(
            stop=stop_after_attempt(patience.attempts),
            wait=wait_exponential(multiplier=patience.first_wait, max=patience.longest_wait)
            + wait_random(0, patience.first_wait),
            # A lost cursor is lost: only the reader knows how to start again.
            retry=retry_if_exception(
                lambda error: isinstance(error, SourceUnavailable) and not isinstance(error, CursorLost)
            ),
            reraise=True,
        )

    @property
    def name(self) -> str:
        return f"ArangoDB {', '.join(self._hosts)}, database {self._database_name!r}"

    def place(self, collection: str) -> Place:
        return Place(self.name, self._username, collection)

    def ask(self, collection: str, call: Callable[[StandardDatabase], T]) -> T:
        """The call's result. It may be sent several times, so it must be safe to repeat.

        Raises:
            SourceUnavailable: it failed in passing, each time.
            SourceRejected: it will always fail.
        """
        return cast(T, self._patiently(self._once, collection, lambda: call(self._connected())))

    def pages(self, query: Query) -> Generator[msgspec.Raw]:
        """The query's result, each batch as one undecoded JSON array; arrays may be empty."""

        def execute(database: StandardDatabase) -> Cursor:
            cursor = database.aql.execute(
                query.text,
                bind_vars={"@collection": query.collection, **query.bind},
                batch_size=query.page_size,
                ttl=cast(Any, CURSOR_SECONDS),
                stream=True,
                allow_retry=True,
                memory_limit=cast(int, None),  # 0, the client's default, would lift the server's limit
                fill_block_cache=not query.full_scan,  # or a sweep would push out LEO's hot data
            )
            return cast(Cursor, cursor)

        cursor = self.ask(query.collection, execute)
        try:
            while True:
                # `decode_body` makes a batch of one element: the array of the page.
                yield cast("list[msgspec.Raw]", cursor.batch()).pop()
                if not cursor.has_more():
                    return
                if cursor._next_batch_id is None:  # noqa: SLF001  # the client shows it for later pages only
                    raise SourceRejected(
                        f"{self.place(query.collection)}: the server does not number its pages, so one could"
                        " get lost on the way. ArangoDB 3.11 or later is needed."
                    )
                self.ask(query.collection, lambda _: cursor.fetch())
        finally:
            self._drop(cursor, query.collection)

    def close(self) -> None:
        """Closes the connections; a later request opens new ones."""
        if self._client is not None:
            self._client.close()
        self._client = self._database = None

    def _drop(self, cursor: Cursor, collection: str) -> None:
        """Frees the cursor on the server, once: should that fail, it frees itself after `CURSOR_SECONDS`."""
        try:
            self._once(collection, lambda: cursor.close(ignore_missing=True))
        except (SourceUnavailable, SourceRejected) as error:
            logger.warning("a cursor stays open for up to %d s: %s", CURSOR_SECONDS, error)

    def _connected(self) -> StandardDatabase:
        if self._client is None:
            self._client = ArangoClient(
                hosts=self._hosts,
                resolver_max_tries=len(self._hosts),  # each coordinator once; patience is ours
                http_client=self._http,
                deserializer=cast(Any, decode_body),
            )
        if self._database is None:
            database = self._client.db(
                quote(self._database_name, safe=""),
                self._username,
                self._password,
                auth_method=self._auth_method,
            )
            if isinstance(database.conn, JwtConnection):
                # The client logs in again only while the old token is *not* older than this. At its default,
                # 0, a token that ran out between two requests would be answered with 401 for ever.
                database.conn.exp_leeway = 10**9
            self._database = database
        return self._database

    def _once(self, collection: str, call: Callable[[], T]) -> T:
        self._http.last_failure = ""
        try:
            return call()
        except CLIENT_FAULTS as error:
            raise translate(error, self.place(collection), self._http.last_failure) from error


def _check_hosts(hosts: Sequence[str]) -> None:
    if isinstance(hosts, str) or not hosts:
        raise SourceRejected("hosts: give a list of addresses, such as ['http://arangodb:8529']")
    for host in hosts:
        parts = urlsplit(host)
        if parts.username or parts.password:
            raise SourceRejected(
                f"host {without_credentials(host)!r}: credentials do not belong into the address,"
                " give them as username and password"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise SourceRejected(f"host {host!r} is no address like 'http://arangodb:8529'")
