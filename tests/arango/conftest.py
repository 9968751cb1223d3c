"""Servers and databases for the contract tests: the test server always, a real one where there is one.

With CDP_TEST_ARANGO_URL (and CDP_TEST_ARANGO_USER, CDP_TEST_ARANGO_PASSWORD) set, every contract test runs against
that server as well, in databases that it creates and drops.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from arango.collection import StandardCollection
from arango.database import StandardDatabase

from tests.arango import ArangoServer
from tests.arango.cases import EDGES, PROFILES
from tests.arango.client import PASSWORD, Place, connect

KINDS = ["test server", *(["real server"] if os.environ.get("CDP_TEST_ARANGO_URL") else [])]


@pytest.fixture(scope="module")
def running() -> Iterator[ArangoServer]:
    with ArangoServer(username="root", password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, running: ArangoServer) -> Place:
    if request.param == "test server":
        return Place(running.url, "root", PASSWORD)
    return Place(
        os.environ["CDP_TEST_ARANGO_URL"],
        os.environ.get("CDP_TEST_ARANGO_USER", "root"),
        os.environ.get("CDP_TEST_ARANGO_PASSWORD", ""),
    )


def fresh_database(place: Place) -> Iterator[StandardDatabase]:
    name = f"cdp_test_{uuid.uuid4().hex[:12]}"
    system = connect(place.url, "_system", place.user, place.password)
    system.create_database(name)
    yield connect(place.url, name, place.user, place.password)
    system.delete_database(name)


@pytest.fixture
def db(place: Place) -> Iterator[StandardDatabase]:
    """An empty database."""
    yield from fresh_database(place)


def fill(database: StandardDatabase) -> None:
    database.create_collection("profiles").import_bulk(list(PROFILES))
    database.create_collection("edges", edge=True).import_bulk(list(EDGES))
    database.create_collection("empty")


@pytest.fixture(scope="module")
def sample(place: Place) -> Iterator[StandardDatabase]:
    """The documents of `cases`; not to be changed."""
    for database in fresh_database(place):
        fill(database)
        yield database


@pytest.fixture
def things(db: StandardDatabase) -> StandardCollection:
    """An empty collection."""
    return db.create_collection("things")
