"""The whole way over HTTP: python-arango, the ArangoDB test server and its faults, and the tables at the end.

Each fault strikes in the middle of a sync. Whatever the run then does, it may not lose, double or delete a row, and
after at most one more run the tables are those of an undisturbed load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from cdp_assets import demo
from cdp_assets.sources.arango import ArangoSource
from cdp_assets.sources.model import COLLECTIONS, CONVERSION, PROFILE, SourceUnavailable
from cdp_assets.sources.server import Patience
from cdp_assets.warehouse.connection import Warehouse
from tests.arango import ArangoServer, Request
from tests.landing_support import Table, assert_same, land, rows_written, snapshots
from tests.leo_documents import Document

PAGE = 20
"""Documents per page: every collection takes several, so that a fault can strike between two."""

AT_ONCE = Patience(attempts=3, first_wait=0.0, longest_wait=0.0)


@cache
def documents() -> dict[str, list[Document]]:
    return demo.leo_documents(demo.tenant_at("nova-demo", size="tiny"))


@pytest.fixture
def server() -> Iterator[ArangoServer]:
    with ArangoServer(username="root", password="secret") as running:
        database = running.create_database("leo_cdp")
        for name in COLLECTIONS:
            collection = database.create_collection(name, edge=name == CONVERSION)
            collection.insert_many(documents()[name])
        yield running


@pytest.fixture
def expected(warehouse: Warehouse, server: ArangoServer) -> dict[str, Table]:
    """The tables of a load that nothing disturbs."""
    source = opened(server)
    land(warehouse, "undisturbed", source)
    source.close()
    return snapshots(warehouse, "undisturbed")


def opened(server: ArangoServer, *, auth: str = "basic") -> ArangoSource:
    return ArangoSource(
        [server.url], "leo_cdp", "root", "secret",
        auth_method=auth, request_timeout=0.4, page_size=PAGE, key_page_size=PAGE, patience=AT_ONCE,
    )  # fmt: skip


def land_until_done(warehouse: Warehouse, source: ArangoSource) -> int:
    """Sync as Dagster does: again when the source was unavailable. Returns the number of runs."""
    for run in range(1, 4):
        try:
            land(warehouse, "acme", source)
        except SourceUnavailable:
            continue
        return run
    raise AssertionError("three runs were not enough")


FAULTS: dict[str, Callable[[ArangoServer], None]] = {
    "503 while starting": lambda server: server.faults.status(503, 503, path="/_api/cursor", after=4),
    "503 not the leader": lambda server: server.faults.status(
        503, 1478, path="/_api/cursor", after=4, times=2
    ),
    "429": lambda server: server.faults.status(429, 0, path="/_api/cursor", after=4),
    "connection cut, page lost": lambda server: server.faults.cut(
        processed=True, path="/_api/cursor", after=4
    ),
    "connection reset": lambda server: server.faults.cut(reset=True, path="/_api/cursor", after=4),
    "hang": lambda server: server.faults.hang(processed=True, path="/_api/cursor", after=4),
    "body cut": lambda server: server.faults.truncate(path="/_api/cursor", after=4),
    "cursor expired": lambda server: server.faults.lose_cursors(path="/_api/cursor", after=4),
    "page of a proxy": lambda server: server.faults.html(502, path="/_api/cursor", after=4),
    "empty last page": lambda server: server.faults.empty_last_batch(3),
    "outage longer than the patience": lambda server: server.faults.status(
        503, 1478, path="/_api/cursor", after=6, times=3
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_middle_of_a_load_costs_no_row(
    warehouse: Warehouse, server: ArangoServer, expected: dict[str, Table], fault: str
) -> None:
    FAULTS[fault](server)
    source = opened(server)
    land_until_done(warehouse, source)
    assert_same(snapshots(warehouse, "acme"), expected)
    assert all(rows_written(result) == 0 for result in land(warehouse, "acme", source).values())
    source.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_middle_of_a_sweep_deletes_nothing(
    warehouse: Warehouse, server: ArangoServer, expected: dict[str, Table], fault: str
) -> None:
    source = opened(server)
    land(warehouse, "acme", source)
    FAULTS[fault](server)
    land_until_done(warehouse, source)
    assert_same(snapshots(warehouse, "acme"), expected)
    source.close()


def test_a_token_that_expires_in_the_middle_is_renewed(
    warehouse: Warehouse, server: ArangoServer, expected: dict[str, Table]
) -> None:
    seen: list[Request] = []

    def revoke(request: Request) -> None:
        seen.append(request)
        if len(seen) == 12:
            server.revoke_tokens()

    server.on_request(revoke)
    source = opened(server, auth="jwt")
    land(warehouse, "acme", source)
    assert len(seen) > 12
    assert_same(snapshots(warehouse, "acme"), expected)
    source.close()


def test_while_the_source_is_down_nothing_is_lost_and_nothing_deleted(
    warehouse: Warehouse, server: ArangoServer, expected: dict[str, Table]
) -> None:
    source = opened(server)
    land(warehouse, "acme", source)
    server.faults.status(503, 1478, times=None)
    with pytest.raises(SourceUnavailable):
        land(warehouse, "acme", source)
    assert_same(snapshots(warehouse, "acme"), expected)
    server.faults.clear()
    land(warehouse, "acme", source)
    assert_same(snapshots(warehouse, "acme"), expected)
    source.close()


def test_documents_that_change_while_they_are_read_are_right_after_the_next_sweep(
    warehouse: Warehouse, server: ArangoServer
) -> None:
    """Between any two pages one profile is renamed, one silently leaves all segments and an edge vanishes."""
    profiles = server.database("leo_cdp").collection(PROFILE)
    edges = server.database("leo_cdp").collection(CONVERSION)
    turn = iter(range(1_000))
    good = [each["_key"] for each in documents()[PROFILE] if each["status"] == 1]
    gone = [each["_key"] for each in documents()[CONVERSION]][:5]

    def change(request: Request) -> None:
        number = next(turn)
        profiles.update(good[number % len(good)], {"firstName": f"Name{number}"})
        profiles.update(good[(number + 3) % len(good)], {"inSegments": []})
        if gone:
            edges.remove(gone.pop())

    source = opened(server)
    land(warehouse, "acme", source)
    server.on_request(change)
    land(warehouse, "acme", source)
    server.clear_hooks()
    land(warehouse, "acme", source, allow_mass_delete=True)
    land(warehouse, "fresh", source)
    assert_same(snapshots(warehouse, "acme"), snapshots(warehouse, "fresh"))
    source.close()
