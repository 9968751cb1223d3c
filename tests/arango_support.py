"""What tests of ArangoDB's reader share: a server of their own with seven profiles, and sources that read it.

Belongs here: that server, its login, how patiently it is read. Does not belong here: the server itself
(`tests.arango`), faults, what the reader should do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cdp_assets.sources.arango import ArangoSource
from cdp_assets.sources.model import COLLECTIONS, CONVERSION, PROFILE
from cdp_assets.sources.server import Patience
from tests.arango import ArangoServer

SECRET = "s3cret-word"
"""Password of user root on the servers that are read."""

AT_ONCE = Patience(attempts=3, first_wait=0.0, longest_wait=0.0)

HANG = 0.2
"""Seconds of silence after which a request is given up, where a test makes the server silent."""

KEYS = [f"p{n}" for n in range(7)]
"""Keys of the profiles."""


@dataclass
class Leo:
    """A server of its own with seven profiles, read in pages of two."""

    server: ArangoServer
    opened: list[ArangoSource]

    def source(self, hosts: list[str] | None = None, **options: Any) -> ArangoSource:
        login = {"username": "root", "password": SECRET, "database": "leo_cdp"}
        usual = {"page_size": 2, "key_page_size": 2, "patience": AT_ONCE, "request_timeout": 20.0}
        source = ArangoSource(hosts or [self.server.url], **{**login, **usual, **options})
        self.opened.append(source)
        return source

    def sent(self, path: str = "/_api/", method: str | None = None) -> list[str]:
        return [request.route for request in self.server.requests_to(path, method)]


@contextmanager
def seven_profiles() -> Iterator[Leo]:
    """A fresh server, closed in the end with every source that was opened on it."""
    with ArangoServer(username="root", password=SECRET) as server:
        database = server.create_database("leo_cdp")
        for collection in COLLECTIONS:
            database.create_collection(collection, edge=collection == CONVERSION)
        database.collection(PROFILE).insert_many({"_key": key} for key in KEYS)
        leo = Leo(server, [])
        try:
            yield leo
        finally:
            for source in leo.opened:
                source.close()
