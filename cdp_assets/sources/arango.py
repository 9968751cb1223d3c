"""LEO CDP read from its ArangoDB server.

Belongs here: which query answers which method of the `Source` protocol, and what becomes of its pages. Does
not belong here: the queries' text (`aql`), connections, cursors and retries (`server`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, cast

import msgspec

from cdp_assets.sources import aql, rawjson, rules
from cdp_assets.sources.model import CONVERSION, PROFILE, KeyPage, Page, Signature, SourceRejected, Total
from cdp_assets.sources.server import USUAL_PATIENCE, Patience, Query, Server

CHUNK = 1000
"""Keys bound to one query. At 22 characters a key that is a request of 25 kB."""

SAMPLE = 50
"""Documents that are looked at to know how large those of a collection are."""

PAGE_BYTES = 32 << 20
"""Largest page, roughly: the server counts documents, and 2,000 profiles of 200 kB would be 400 MB at once."""

T = TypeVar("T")


class _CurrencySum(msgspec.Struct):
    currency: Any
    documents: int
    amount: Decimal | None


_key_pairs = msgspec.json.Decoder(KeyPage)
_sums = msgspec.json.Decoder(list[_CurrencySum])


class ArangoSource:
    """Reads one LEO CDP database; connects at the first request.

    Args:
        hosts: Addresses of the coordinators, `http(s)://host:port`. The first that answers is used.
        database: Name of LEO's database.
        username: User with read access to it.
        password: Its password.
        auth_method: `basic`, or `jwt`: log in once and again when the token has run out.
        verify: TLS: True, False, or the path of the CA's certificates. `REQUESTS_CA_BUNDLE` is not looked at.
        request_timeout: Seconds that the server may stay silent during one request.
        page_size: Documents per page, at most; of large documents fewer (`PAGE_BYTES`).
        key_page_size: `(_key, _rev)` pairs per page, 41 bytes each.
        patience: How often and how long transient failures are retried.

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
        auth_method: str = "basic",
        verify: bool | str = True,
        request_timeout: float = 60.0,
        page_size: int = rawjson.PAGE_DOCUMENTS,
        key_page_size: int = rawjson.PAGE_KEYS,
        patience: Patience = USUAL_PATIENCE,
    ) -> None:
        self._server = Server(
            hosts,
            database,
            username,
            password,
            auth_method=auth_method,
            verify=verify,
            request_timeout=request_timeout,
            patience=patience,
        )
        self._page_size = page_size
        self._page_sizes: dict[str, int] = {}
        self._key_page_size = key_page_size
        self.name = self._server.name

    def __repr__(self) -> str:
        return f"<ArangoSource {self.name}>"

    def signature(self, collection: str) -> Signature:
        """Revision and count, in this order: a change in between shows as a change, never as none."""
        rules.allowed(collection)
        revision = self._server.ask(collection, lambda db: db.collection(collection).revision())
        count = self._server.ask(collection, lambda db: db.collection(collection).count())
        return Signature(count=cast(int, count), revision=cast(str, revision))

    def keys(self, collection: str) -> Iterator[KeyPage]:
        """All `(_key, _rev)`: one snapshot on a single server, none across the servers of a cluster."""
        query = Query(aql.KEYS, rules.allowed(collection), {}, self._key_page_size, full_scan=True)
        return self._taken_apart(_key_pairs.decode, query)

    def strays(self, collection: str) -> frozenset[str]:
        """None: the server takes no document without a key, nor a second one."""
        rules.allowed(collection)
        return frozenset()

    def scan(self, collection: str) -> Iterator[Page]:
        """All documents; see `keys` for the snapshot."""
        return self._documents(aql.SCAN, rules.allowed(collection), {}, full_scan=True)

    def since(self, collection: str, field: str, instant: datetime) -> Iterator[Page]:
        """Documents of the window in the order of `field`, as the server's locale compares text."""
        bind = {"field": rules.time_field(field), "since": aql.instant_text(instant)}
        return self._documents(aql.SINCE, rules.allowed(collection), bind, full_scan=True)

    def fetch(self, collection: str, keys: Sequence[str]) -> Iterator[Page]:
        """The documents with these keys, each once, in no order; values that can be no key match nothing."""
        wanted = [key for key in dict.fromkeys(keys) if rawjson.is_key(key)]
        return self._in_chunks(aql.FETCH, rules.allowed(collection), "keys", wanted)

    def segment_members(self, segment_id: str) -> Iterator[Page]:
        """As in `Source`: `status > 0` by AQL's order of types, so the text `"1"` is active, null is not."""
        return self._documents(aql.MEMBERS, PROFILE, {"segment": segment_id})

    def conversions_of(self, profile_keys: Sequence[str]) -> Iterator[Page]:
        """Conversion edges from these profiles, each once, in no order."""
        handles = [f"{PROFILE}/{key}" for key in dict.fromkeys(profile_keys)]
        return self._in_chunks(aql.EDGES_OF, CONVERSION, "profiles", handles)

    def totals(self) -> list[Total]:
        """Sums as the server adds them: in binary floating point, so compare to the cent, not to the bit.

        A value that is no number adds nothing: landing rejects its document, and one such edge must not hide the rest.
        """
        totals = rules.Totals()
        query = Query(aql.TOTALS, CONVERSION, {}, self._page_size, full_scan=True)
        for rows in self._taken_apart(_sums.decode, query):
            for row in rows:
                totals.add(row.currency, row.documents, row.amount or Decimal(0))
        return totals.in_order()

    def close(self) -> None:
        """Closes the connections; a later read opens new ones."""
        self._server.close()

    def _in_chunks(self, query: str, collection: str, name: str, values: list[str]) -> Iterator[Page]:
        for start in range(0, len(values), CHUNK):
            yield from self._documents(query, collection, {name: values[start : start + CHUNK]})

    def _documents(
        self, query: str, collection: str, bind: Mapping[str, Any], *, full_scan: bool = False
    ) -> Iterator[Page]:
        size = self._documents_per_page(collection)
        return self._taken_apart(rawjson.elements, Query(query, collection, bind, size, full_scan))

    def _documents_per_page(self, collection: str) -> int:
        """How many documents fit a page, from the size of the first few; asked once per collection."""
        if self._page_size <= SAMPLE:
            return self._page_size
        if collection not in self._page_sizes:
            query = Query(aql.SCAN, collection, {}, SAMPLE, full_scan=True)
            with closing(self._taken_apart(rawjson.elements, query)) as pages:
                sample = next(pages, [])
            mean = sum(map(len, sample)) // max(len(sample), 1)
            self._page_sizes[collection] = max(1, min(self._page_size, PAGE_BYTES // max(mean, 1)))
        return self._page_sizes[collection]

    def _taken_apart(self, take_apart: Callable[[msgspec.Raw], list[T]], query: Query) -> Generator[list[T]]:
        # `closing`: a reader who stops early frees the server's cursor now, not when memory is next tidied.
        with closing(self._server.pages(query)) as pages:
            for page in pages:
                try:
                    rows = take_apart(page)
                except ValueError as error:
                    raise SourceRejected(
                        f"{self._server.place(query.collection)}: a page is not what was asked for ({error})."
                        " Is this the address of an ArangoDB server?"
                    ) from error
                if rows:
                    yield rows
