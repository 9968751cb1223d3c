"""A shop that cannot be read: registrations that are refused, faults that pass and faults that do not."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cdp_assets.landing.delete_guard import may_delete
from cdp_assets.landing.shop.compare import Comparison, _buckets
from cdp_assets.landing.shop.extract import extract
from cdp_assets.landing.shop.stage import Stage
from cdp_assets.network import PATIENCE
from cdp_assets.sources.model import SourceRejected, SourceUnavailable
from cdp_assets.sources.shop import Reader, ShopDatabase
from cdp_assets.sources.shop_faults import is_transient
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import Server
from tests.shop_support import PROMPT, ROWS, TestShop, ask, assert_in_step, shop_database, written

T = "acme"


@pytest.fixture
def shop(postgres: Server) -> Iterator[TestShop]:
    with shop_database(postgres, rows=ROWS) as made:
        yield made


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ({}, "no dsn"),
        ({"dsn": "host=db password=hunter2"}, "store the name of the secret"),
        ({"dsn": "postgresql://u:hunter2@db/x"}, "store the name of the secret"),
        ({"dsn": "host=db hunter2"}, "no libpq connection string"),
        ({"dsn": "host=db", "password_secret": "SHOP_PW"}, "SHOP_PW is not set"),
    ],
)
def test_a_registration_that_cannot_be_used_is_refused(address: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceRejected, match=words) as caught:
        ShopDatabase(address, secret=lambda _: None)
    assert "hunter2" not in str(caught.value)


def test_the_password_comes_from_the_secret(shop: TestShop) -> None:
    source = ShopDatabase(
        {"dsn": shop.server.dsn(shop.database, user="postgres"), "password_secret": "SHOP_PW"},
        secret={"SHOP_PW": "hunter2"}.get,
    )
    assert "hunter2" not in source.name
    with source.snapshot():
        pass


def test_an_unknown_time_zone_is_named(shop: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    source = shop.source()
    source.timezone = "Mars/Olympus"  # a name that a later list has, and the shop's server does not
    results = extract(warehouse, T, source, mode="window", options=PROMPT)
    assert all(
        isinstance(result.error, SourceRejected) and "Mars/Olympus" in str(result.error)
        for result in results.values()
    )


def test_the_shop_cannot_be_written_through_a_reader(shop: TestShop) -> None:
    source = shop.source()
    with (
        source.snapshot() as snapshot,
        source.reader(snapshot) as reader,
        pytest.raises(SourceRejected, match="25006"),
    ):
        reader.rows(sql.SQL("delete from orders returning id").format())


def test_a_snapshot_that_is_gone_is_worth_another_try(shop: TestShop) -> None:
    source = shop.source()
    with source.snapshot() as snapshot:
        pass
    with pytest.raises(SourceUnavailable, match="taken anew"), source.reader(snapshot):
        pass


def test_a_server_that_is_not_there_is_tried_again_and_then_reported(
    warehouse: Warehouse, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    source = ShopDatabase({"dsn": "host=/nowhere dbname=x"}, secret=lambda _: None)
    with caplog.at_level(logging.WARNING):
        results = extract(
            warehouse,
            T,
            source,
            mode="window",
            options=replace(PROMPT, attempts=2),
            tables=["orders"],
            run_id="r1",
        )
    assert isinstance(results["orders"].error, SourceUnavailable)
    warning, error = caplog.records
    assert (warning.levelname, error.levelname) == ("WARNING", "ERROR")
    assert (error.run_id, error.tenant, error.table) == ("r1", T, "orders")  # type: ignore[attr-defined]


def test_a_database_that_is_not_there_is_not_tried_again(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    source = shop.source(dsn=shop.server.dsn("no_such_shop", user="postgres"))
    results = extract(warehouse, T, source, mode="window", options=replace(PROMPT, first_wait_s=60))
    assert isinstance(results["orders"].error, SourceRejected)


@pytest.mark.fault
@pytest.mark.parametrize("place", ["page", "compare"])
def test_a_connection_that_is_cut_is_made_again_and_nothing_is_lost(
    shop: TestShop, warehouse: Warehouse, acme: Tenant, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    shop.extract(warehouse, T)
    shop.execute("update orders set status = 'shipped'")
    cuts = [2, 1]
    name = "fill" if place == "page" else "run"
    owner: Any = Stage if place == "page" else Comparison
    original = getattr(owner, name)

    def cutting(self: Any, *args: Any) -> Any:
        if cuts and cuts.pop():
            shop.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and application_name like 'cdp%'"
            )
        return original(self, *args)

    monkeypatch.setattr(owner, name, cutting)
    results = shop.extract(warehouse, T, "sweep")
    assert not cuts
    assert results["orders"].changed == 7
    assert_in_step(shop, warehouse, T)
    assert written(shop.extract(warehouse, T, "sweep")) == 0


@pytest.mark.fault
def test_a_warehouse_connection_that_is_cut_is_made_again(
    shop: TestShop, warehouse: Warehouse, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge, cuts = Stage.insert, ["once"]

    def cutting(self: Stage) -> int:
        if cuts:
            cuts.pop()
            self._connection.execute("select pg_terminate_backend(pg_backend_pid())")
        return merge(self)

    monkeypatch.setattr(Stage, "insert", cutting)
    results = shop.extract(warehouse, T)
    assert not cuts
    assert sum(result.added for result in results.values()) == 31
    assert_in_step(shop, warehouse, T)


def test_what_is_not_foreseen_is_raised(
    shop: TestShop, warehouse: Warehouse, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Reader, query: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Reader, "blocks", broken)
    with pytest.raises(ZeroDivisionError):
        shop.extract(warehouse, T)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.errors.SerializationFailure, True),
        (psycopg.errors.DeadlockDetected, True),
        (psycopg.errors.AdminShutdown, True),
        (psycopg.errors.CannotConnectNow, True),
        (psycopg.errors.ConnectionFailure, True),
        (psycopg.OperationalError, True),
        (psycopg.errors.QueryCanceled, False),
        (psycopg.errors.UndefinedTable, False),
        (psycopg.errors.DiskFull, False),
        (psycopg.errors.InsufficientPrivilege, False),
        (psycopg.ProgrammingError, False),
    ],
)
def test_only_what_passes_is_tried_again(error: type[psycopg.Error], expected: bool) -> None:
    assert is_transient(error("said")) is expected


def test_rows_that_exchange_their_times_are_found(shop: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    shop.extract(warehouse, T)
    shop.execute("update orders as o set updated_at = p.updated_at from orders as p where o.id + p.id = 7")
    assert shop.extract(warehouse, T, "sweep")["orders"].changed == 6
    assert_in_step(shop, warehouse, T)


def test_ids_may_be_sparse_and_negative(shop: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    shop.execute("alter table order_items alter id type bigint")
    shop.execute("update order_items set id = (id - 8) * 1000000000000000000 where id % 2 = 0")
    shop.extract(warehouse, T)
    shop.execute("delete from order_items where id in (-6000000000000000000, 6000000000000000000, 3)")
    assert shop.extract(warehouse, T, "sweep")["order_items"].tombstoned == 3
    assert_in_step(shop, warehouse, T)


def test_buckets_are_few_however_wide_the_ids_spread() -> None:
    for low, high in ((1, 1_000_000), (-(2**63), 2**63 - 1), (5, 5), (None, None)):
        buckets = _buckets(low, high)
        assert (buckets.high // buckets.width) - (buckets.low // buckets.width) < 2**16 + 2


@pytest.mark.parametrize(
    ("total", "known", "vanished", "allowed", "expected"),
    [(0, 5, 0, False, True), (0, 5, 5, False, False), (0, 5, 5, True, True), (90, 100, 10, False, True),
     (79, 100, 21, False, False), (80, 100, 20, False, True), (1, 11, 10, False, True)],
)  # fmt: skip
def test_the_delete_guard(total: int, known: int, vanished: int, allowed: bool, expected: bool) -> None:
    assert (
        may_delete(total=total, known=known, vanished=vanished, max_share=0.2, allow_mass_delete=allowed)
        is expected
    )


def test_nothing_of_a_customer_is_logged(
    shop: TestShop, warehouse: Warehouse, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        shop.extract(warehouse, T, "sweep")
    assert "orders of tenant acme: full, 7 rows written of 7 read" in caplog.text
    assert "Customer" not in caplog.text
    assert ask(warehouse, T, "select count(*) from ops.watermark where collection like 'raw.%'") == [(4,)]


@pytest.mark.fault
def test_no_transaction_of_ours_is_open_while_the_shop_works(
    shop: TestShop, warehouse: Warehouse, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a transaction that idles for five minutes; a large table's checksum takes longer."""
    shop.extract(warehouse, T)
    shop.execute("update orders set status = 'shipped'")
    open_ones: list[int] = []

    def looking(ask_shop: Any) -> Any:
        def looked(self: Reader, query: Any) -> Any:
            sleep(0.2)  # longer than any transaction that does not wait for the shop
            (idle,) = ask(
                warehouse,
                T,
                "select count(*) from pg_stat_activity where application_name = 'cdp_assets' "
                "and state like 'idle in transaction%' and state_change < now() - interval '150 ms'",
            )
            open_ones.append(idle[0])
            return ask_shop(self, query)

        return looked

    for name in ("rows", "blocks"):
        monkeypatch.setattr(Reader, name, looking(getattr(Reader, name)))
    result = extract(warehouse, T, shop.source(), mode="sweep", options=PROMPT, tables=["orders"])["orders"]
    assert result.changed == 7
    assert len(open_ones) > 4
    assert set(open_ones) == {0}


def test_a_network_that_goes_silent_ends_the_wait_as_a_fault_that_passes() -> None:
    here, there = socket.socketpair()
    with here, there:  # a server that takes what it is sent and never says a word
        silent = SimpleNamespace(is_busy=lambda: True, send_query=lambda _: None, socket=here.fileno())
        connection: Any = SimpleNamespace(pgconn=silent)
        reader = Reader(connection, "shop x", silence_s=0.1)
        with pytest.raises(psycopg.OperationalError, match="silent") as caught:
            next(reader._copy(b"select 1"))
    assert is_transient(caught.value)


@pytest.mark.fault
def test_a_wait_for_the_shop_hears_a_signal(shop: TestShop) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    source = shop.source()
    try:
        with source.snapshot() as snapshot, source.reader(snapshot) as reader:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            began = monotonic()
            with pytest.raises(KeyboardInterrupt):
                list(reader.blocks(sql.SQL("select pg_sleep(20)").format()))
            assert monotonic() - began < 10
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_connections_notice_a_peer_that_is_gone(shop: TestShop, warehouse: Warehouse) -> None:
    with shop.source()._session() as conn:
        ours = conninfo_to_dict(conn.info.dsn)
    theirs = conninfo_to_dict(warehouse._dsn)
    for given in (ours, theirs):
        assert {name: int(given[name]) for name in PATIENCE} == PATIENCE
