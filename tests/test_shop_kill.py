"""kill -9 at any point of an extract: no memory is ahead of the data, and the next run loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cdp_assets.landing.shop.model import Mode
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.ledger import Ledger
from tests.conftest import Server
from tests.killing import Kill, worker
from tests.shop_kill import PAGE, POINTS
from tests.shop_support import PROMPT, TestShop, ask, assert_in_step, shop_database, written

pytestmark = pytest.mark.fault

T = "acme"
BOTH = ("orders", "order_items")
DAY_0 = """
insert into orders (customer_id, status, total_amount, shipping_address, updated_at)
    select null, 'new', n, n || ' Street', timestamp '2026-01-01' + n / 3 * interval '1 minute'
    from generate_series(1, 400) as n;
insert into order_items (order_id, quantity, unit_price, updated_at)
    select 1 + n % 400, n, case when n % 70 = 0 then numeric 'NaN' else n end,
        timestamp '2026-01-01' + n / 3 * interval '1 minute'
    from generate_series(1, 600) as n;
"""
LOADED_AT = "2026-02-01"
DAY_1 = """
update orders set status = 'paid', updated_at = timestamp '2026-07-01' + id / 2 * interval '1 minute' where id % 3 = 0;
update order_items set quantity = 0, updated_at = timestamp '2026-07-01' + id * interval '1 minute' where id % 4 = 0;
update order_items set unit_price = 1, updated_at = '2026-07-02' where id = 70;
update order_items set unit_price = 'NaN', updated_at = '2026-07-02' where id = 71;
update orders set status = 'silent', updated_at = '2020-01-01' where id % 50 = 1;
delete from order_items where id % 60 = 1;
insert into order_items (order_id, quantity, unit_price, updated_at)
    select 1, n, n, '2020-01-01' from generate_series(1, 120) as n;
"""

FIRST_LOAD = [("before a page", 3), ("amid COPY", 2), ("staged", 9), ("inserted", 4), ("inserted", 12),
              ("quarantine written", 3), ("before the end is recorded", 1), ("before the end is recorded", 2),
              ("before the end is committed", 1)]  # fmt: skip
SWEEP = [("merged", 2), ("watermark moved", 2), ("keys compared", 1), ("tombstones written", 1),
         ("quarantine written", 1), ("before a page", 6), ("before the end is recorded", 2),
         ("before the end is committed", 1)]  # fmt: skip
WINDOW = [("before a page", 2), ("amid COPY", 3), ("staged", 3), ("merged", 3), ("watermark moved", 2),
          ("before the end is committed", 2)]  # fmt: skip
FULL = [("before a page", 4), ("merged", 9), ("keys compared", 2), ("before the end is recorded", 1)]


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    """Runs an extract in a process of its own that dies at a point; gives its exit code."""
    with worker("tests.shop_kill") as run:
        yield run


@pytest.fixture
def shop(postgres: Server) -> Iterator[TestShop]:
    with shop_database(postgres) as made:
        made.execute("alter table order_items alter unit_price type numeric")
        made.execute(DAY_0)
        yield made


def load(shop: TestShop, warehouse: Warehouse, mode: Mode) -> int:
    return written(
        shop.extract(warehouse, T, mode, tables=list(BOTH), options=replace(PROMPT, page_rows=PAGE))
    )


def assert_memory_is_not_ahead(shop: TestShop, warehouse: Warehouse, since: str) -> None:
    """All that lies before the watermark is landed, but for what came with a time before that of the last run."""
    for table in BOTH:
        with warehouse.tenant(T) as conn:
            stands_at = Ledger(T, f"raw.{table}").watermark(conn).watermark
        if stands_at is not None:
            is_good = "unit_price <> 'NaN'" if table == "order_items" else "true"
            expected = shop.execute(
                f"select id, updated_at::timestamptz from {table} "
                f"where updated_at > %s and updated_at::timestamptz < %s and {is_good}",
                since,
                stands_at,
            )
            there = set(
                ask(warehouse, T, f"select id, updated_at from raw.{table} where _deleted_at is null")
            )
            assert set(expected) <= there, f"{table}: the watermark is ahead of the data"


def assert_is_whole(shop: TestShop, warehouse: Warehouse) -> None:
    """Both tables are as the shop's, but for the rows that must not land."""
    bad = {row[0] for row in shop.execute("select id from order_items where unit_price = 'NaN'")}
    assert_in_step(shop, warehouse, T, ("orders",))
    theirs = [row for row in shop.rows("order_items") if row[0] not in bad]
    names = "id, order_id, product_id, quantity, unit_price, created_at, updated_at"
    ours = ask(warehouse, T, f"select {names} from raw.order_items where _deleted_at is null order by id")
    # a row that went bad keeps its last good version
    assert [row for row in ours if row[0] not in bad] == theirs
    entries = ask(
        warehouse, T,
        "select key::int from ops.quarantine where collection = 'raw.order_items' and resolved_at is null",
    )  # fmt: skip
    assert {row[0] for row in entries} == bad
    assert load(shop, warehouse, "sweep") == 0
    assert load(shop, warehouse, "window") == 0


@pytest.mark.parametrize(("point", "nth"), FIRST_LOAD)
def test_a_first_load_that_was_killed(
    postgres: Server, shop: TestShop, database: str, warehouse: Warehouse, kill: Kill, point: str, nth: int
) -> None:
    job = {"dsn": postgres.dsn(database, user="cdp_pipeline"), "shop": shop.source()._dsn, "tenant": T}
    assert kill(**job, mode="window", point=point, nth=nth) == -9
    assert_memory_is_not_ahead(shop, warehouse, "1970-01-01")
    committed = sum(
        count for (count,) in ask(
            warehouse, T, "select count(*) from raw.orders union all select count(*) from raw.order_items"
        )
    )  # fmt: skip
    assert load(shop, warehouse, "window") == 400 + 600 - 8 - committed
    assert_is_whole(shop, warehouse)


@pytest.mark.parametrize(
    ("mode", "point", "nth"),
    [
        *(("sweep", *place) for place in SWEEP),
        *(("window", *place) for place in WINDOW),
        *(("full", *place) for place in FULL),
    ],
)
def test_a_later_load_that_was_killed(
    postgres: Server,
    shop: TestShop,
    database: str,
    warehouse: Warehouse,
    kill: Kill,
    mode: Mode,
    point: str,
    nth: int,
) -> None:
    load(shop, warehouse, "window")
    with warehouse.tenant(
        T
    ) as conn:  # as if the first load had been long ago, so that pages move the watermark
        conn.execute("update ops.watermark set watermark = %s where tenant_id = %s", (LOADED_AT, T))
    shop.execute(DAY_1)
    job = {"dsn": postgres.dsn(database, user="cdp_pipeline"), "shop": shop.source()._dsn, "tenant": T}
    assert kill(**job, mode=mode, point=point, nth=nth) == -9
    assert_memory_is_not_ahead(shop, warehouse, LOADED_AT)
    load(shop, warehouse, mode)
    assert_memory_is_not_ahead(shop, warehouse, LOADED_AT)
    load(shop, warehouse, "sweep")
    assert_is_whole(shop, warehouse)


def test_every_point_is_tried() -> None:
    assert {point for point, _ in (*FIRST_LOAD, *SWEEP, *WINDOW, *FULL)} == POINTS.keys()
