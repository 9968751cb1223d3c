"""Times of a shop: zones, clocks that are put back, transactions that commit late, writers at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cdp_assets.landing.shop.queries import Queries
from cdp_assets.landing.shop.shape import shape_of
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.sources.shop_catalog import read_catalog
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.ledger import Ledger
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import Server
from tests.shop_support import PROMPT, ROWS, TestShop, ask, assert_in_step, landed, shop_database, written

T = "acme"


@pytest.fixture
def shop(postgres: Server) -> Iterator[TestShop]:
    with shop_database(postgres, rows=ROWS) as made:
        yield made


def watermark(warehouse: Warehouse, table: str) -> datetime:
    with warehouse.tenant(T) as conn:
        found = Ledger(T, f"raw.{table}").watermark(conn).watermark
    assert found is not None
    return found


def test_times_without_a_zone_are_the_shops(postgres: Server, warehouse: Warehouse, acme: Tenant) -> None:
    with shop_database(postgres, rows=ROWS, timezone="Asia/Ho_Chi_Minh") as shop:
        shop.execute(
            "update orders set order_date = '2026-03-01 06:30:00.123456', updated_at = '2026-03-01 08:00' where id = 1"
        )
        shop.execute("alter table products alter updated_at type timestamptz")
        shop.extract(warehouse, T)
        assert_in_step(shop, warehouse, T)
        assert ask(warehouse, T, "select order_date, updated_at from raw.orders where id = 1") == [
            (datetime(2026, 2, 28, 23, 30, 0, 123456, tzinfo=UTC), datetime(2026, 3, 1, 1, 0, tzinfo=UTC))
        ]
        shop.execute("update products set stock_quantity = 99 where id = 2")
        shop.execute("update orders set status = 'shipped' where id = 1")
        assert written(shop.extract(warehouse, T)) == 2
        assert written(shop.extract(warehouse, T, "sweep")) == 0
        assert_in_step(shop, warehouse, T)


def test_another_time_zone_loads_everything_again(shop: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    shop.extract(warehouse, T)
    results = shop.extract(warehouse, T, source=shop.source(timezone="Europe/Berlin"))
    assert {result.mode for result in results.values()} == {"full", "absent"}
    assert results["orders"].changed == 7


def test_a_window_reaches_back_over_the_hour_that_a_clock_repeats(postgres: Server) -> None:
    with (
        shop_database(postgres, timezone="Europe/Berlin") as shop,
        shop.source().snapshot() as snapshot,
        shop.source().reader(snapshot) as reader,
    ):
        shape = shape_of(SPECS["orders"], read_catalog(reader, ["orders"])["orders"], "Europe/Berlin", "VN")

        def lower(instant: datetime) -> str:
            return str(reader.rows(Queries(shape).lower(instant, timedelta(minutes=5)))[0][0])

        # 2026-10-25 01:00 UTC: 03:00 summer time becomes 02:00
        assert lower(datetime(2026, 10, 25, 0, 50, tzinfo=UTC)) == "2026-10-25 01:45:00"
        assert lower(datetime(2026, 10, 25, 1, 10, tzinfo=UTC)) == "2026-10-25 02:05:00"
        assert lower(datetime(2026, 7, 1, 12, 0, tzinfo=UTC)) == "2026-07-01 13:55:00"


@pytest.mark.parametrize("has_xid", [False, True])
def test_the_watermark_stays_behind_the_oldest_open_transaction(
    shop: TestShop, warehouse: Warehouse, acme: Tenant, has_xid: bool
) -> None:
    with shop.other() as late:
        (began,) = late.execute("select now()").fetchone() or ()
        if has_xid:
            late.execute("insert into orders (status) values ('first')")
        shop.execute("insert into orders (status, updated_at) values ('committed', clock_timestamp())")
        shop.extract(warehouse, T)
        assert watermark(warehouse, "orders") <= began
        late.execute("insert into orders (status) values ('late')")
        late.commit()
        shop.extract(warehouse, T)
        assert_in_step(shop, warehouse, T)
        assert watermark(warehouse, "orders") > began


def test_the_watermark_stays_behind_the_clock_by_the_safety_lag(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    before = datetime.now(UTC)
    shop.extract(warehouse, T, options=replace(PROMPT, safety_lag=timedelta(minutes=10)))
    assert watermark(warehouse, "orders") < before - timedelta(minutes=9)


def test_a_watermark_never_moves_back(shop: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    shop.extract(warehouse, T)
    stood = watermark(warehouse, "orders")
    shop.extract(warehouse, T, options=replace(PROMPT, safety_lag=timedelta(days=1)))
    assert watermark(warehouse, "orders") == stood


def test_a_commit_later_than_the_overlap_is_found_by_the_sweep(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    shop.extract(warehouse, T)
    shop.execute("insert into orders (status, updated_at) values ('lost', now() - interval '2 hours')")
    assert written(shop.extract(warehouse, T)) == 0
    assert shop.extract(warehouse, T, "sweep")["orders"].added == 1
    assert_in_step(shop, warehouse, T)


def test_two_writers_with_late_commits_and_ties_lose_no_row(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    """Windows alone, without overlap, while two connections write transactions that stay open over several of them."""
    shop.extract(warehouse, T)

    def write(offset: int) -> None:
        with shop.other() as conn:
            for number in range(25):
                conn.execute("select now()")  # from here on the transaction has its time
                conn.execute("select pg_sleep(%s)", (0.01 * ((number + offset) % 4),))
                conn.execute(
                    "insert into orders (customer_id, status, updated_at) "
                    "select 1, 'new', date_trunc('second', now()) + interval '1 second' from generate_series(1, 3)"
                )
                conn.execute(
                    "insert into order_items (order_id, product_id, quantity) values (1, 1, %s)", (number,)
                )
                conn.execute("update orders set status = %s where id = %s", (f"s{number}", 1 + offset))
                conn.execute("select pg_sleep(%s)", (0.01 * ((number + offset) % 3),))
                conn.commit()

    writers = [threading.Thread(target=write, args=(offset,)) for offset in (0, 1)]
    for writer in writers:
        writer.start()
    runs = 0
    while any(writer.is_alive() for writer in writers) or runs < 3:
        shop.extract(warehouse, T, tables=["orders", "order_items"], options=replace(PROMPT, page_rows=7))
        orphans = ask(
            warehouse, T,
            "select count(*) from raw.order_items as i where not exists "
            "(select from raw.orders as o where o.tenant_id = i.tenant_id and o.id = i.order_id)",
        )  # fmt: skip
        assert orphans == [(0,)]
        runs += 1
    for writer in writers:
        writer.join()
    shop.extract(warehouse, T)
    assert_in_step(shop, warehouse, T)
    assert len(landed(warehouse, T, "orders")) == 7 + 2 * 25 * 3
