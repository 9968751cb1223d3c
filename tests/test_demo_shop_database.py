"""The shop of the demo world as a real database: loaded, moved on by what differs, read by its own role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cdp_assets import demo
from cdp_assets.demo.shop import shop_rows
from cdp_assets.demo.shop_database import NotADemoShop, ShopChanges, put_shops, shop_database_name, sync_shop
from cdp_assets.demo.shop_schema import COLUMNS, columns_of
from tests.conftest import DATA, Server


@pytest.fixture
def empty(postgres: Server) -> Iterator[str]:
    """Connection string of a database without tables, as its owner."""
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute("create database shop_test template template0")
    yield postgres.dsn("shop_test", user="postgres")
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute("drop database shop_test with (force)")


def _stored(dsn: str, small: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(dsn) as conn:
        return {
            table: conn.execute(f"select {', '.join(columns)} from {table} order by id").fetchall()
            for table, columns in columns_of(small).items()
        }


def _versions(dsn: str, tables: Iterable[str] = COLUMNS) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(dsn) as conn:
        return {t: conn.execute(f"select id, xmin::text from {t} order by id").fetchall() for t in tables}


@pytest.mark.parametrize("tenant", ["lotus-demo", "nova-demo"])
def test_an_empty_database_gets_every_row_and_the_columns_of_its_shop(empty: str, tenant: str) -> None:
    world = demo.tenant_at(tenant, size="tiny", step=1)
    small = world.spec.small_shop
    changes = sync_shop(empty, world)
    rows = shop_rows(world)
    assert changes == ShopChanges(True, inserted=sum(map(len, rows.values())))
    assert _stored(empty, small) == rows
    with psycopg.connect(empty) as conn:
        found: dict[str, tuple[str, ...]] = {}
        for table, column in conn.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'public' order by table_name, ordinal_position"
        ):
            found[table] = (*found.get(table, ()), column)
        assert found == columns_of(small)


@pytest.mark.parametrize("tenant", ["acme-demo", "nova-demo"])
def test_a_database_moved_on_day_by_day_equals_a_fresh_one_and_untouched_rows_are_not_written(
    empty: str, tenant: str
) -> None:
    before = demo.tenant_at(tenant, size="tiny")
    sync_shop(empty, before)
    tables = columns_of(before.spec.small_shop)
    for step in range(1, 5):
        versions = _versions(empty, tables)
        after = demo.tenant_at(tenant, size="tiny", step=step)
        old, new = shop_rows(before), shop_rows(after)
        changes = sync_shop(empty, after)
        assert _stored(empty, before.spec.small_shop) == new
        ids = {t: ({r[0] for r in old[t]}, {r[0] for r in new[t]}) for t in tables}
        same = {t: set(old[t]) & set(new[t]) for t in tables}
        assert changes.inserted == sum(len(b - a) for a, b in ids.values())
        assert changes.deleted == sum(len(a - b) for a, b in ids.values())
        assert changes.updated == sum(len(a & b) - len(same[t]) for t, (a, b) in ids.items())
        now = _versions(empty, tables)
        for table in tables:
            kept = {row[0] for row in same[table]}
            assert {v for v in versions[table] if v[0] in kept} <= set(now[table])
        before = after


def test_the_same_step_again_writes_nothing(empty: str) -> None:
    world = demo.tenant_at("lotus-demo", size="tiny", step=2)
    sync_shop(empty, world)
    versions = _versions(empty)
    assert sync_shop(empty, world) == ShopChanges(False)
    assert _versions(empty) == versions


def test_another_world_or_an_earlier_step_is_made_anew(empty: str) -> None:
    sync_shop(empty, demo.tenant_at("nova-demo", size="tiny", step=2))
    for world in (
        demo.tenant_at("nova-demo", size="tiny", step=1),
        demo.tenant_at("nova-demo", size="tiny", seed=8, step=1),
        demo.tenant_at("lotus-demo", size="tiny", step=1),
    ):
        assert sync_shop(empty, world).created
        assert _stored(empty, world.spec.small_shop) == shop_rows(world)


def test_a_database_that_the_demo_did_not_make_is_left_alone(empty: str) -> None:
    with psycopg.connect(empty) as conn:
        conn.execute("create table orders (id int)")
    with pytest.raises(NotADemoShop, match="database shop_test has a table orders"):
        sync_shop(empty, demo.tenant_at("nova-demo", size="tiny"))


def test_an_update_moves_the_time_of_its_row_unless_it_sets_one_itself(empty: str) -> None:
    sync_shop(empty, demo.tenant_at("acme-demo", size="tiny"))
    with psycopg.connect(empty) as conn:
        zone = conn.execute("show timezone").fetchone()
        assert zone == ("Asia/Ho_Chi_Minh",)
        for table, columns in COLUMNS.items():
            moved = conn.execute(
                f"update {table} set {columns[1]} = {columns[1]} where id = (select min(id) from {table}) "
                "returning updated_at = now()::timestamp"
            ).fetchone()
            assert moved == (True,), table
        kept = conn.execute(
            "update orders set status = 'shipped', updated_at = '2026-07-02' where id = 1 returning updated_at::text"
        ).fetchone()
        assert kept == ("2026-07-02 00:00:00",)


def test_a_row_of_somebody_else_gets_a_new_id_and_an_address_in_capitals_is_another_one(empty: str) -> None:
    sync_shop(empty, demo.tenant_at("nova-demo", size="tiny"))
    with psycopg.connect(empty) as conn:
        last, email = conn.execute("select id, email from customers order by id desc limit 1").fetchone()
        new = conn.execute(
            "insert into customers (name, email) values ('x', upper(%s)) returning id", (email,)
        ).fetchone()
        assert new == (last + 1,)
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("insert into customers (name, email) values ('x', %s)", (email,))


def test_put_shops_creates_a_database_per_tenant_and_a_reader_who_only_reads(postgres: Server) -> None:
    def dsn(database: str) -> str:
        return postgres.dsn(database, user="postgres")

    worlds = [demo.tenant_at(tenant, size="tiny") for tenant in ("lotus-demo", "nova-demo")]
    try:
        assert all(changes.created for changes in put_shops(dsn, worlds).values())
        assert put_shops(dsn, worlds) == {"lotus-demo": ShopChanges(False), "nova-demo": ShopChanges(False)}
        for world in worlds:
            name = shop_database_name(world.spec.id)
            stored = _stored(postgres.dsn(name, user="shop_reader"), world.spec.small_shop)
            assert stored == shop_rows(world)
            with psycopg.connect(postgres.dsn(name, user="shop_reader")) as conn:
                assert conn.execute("select pg_has_role('pg_read_all_stats', 'usage')").fetchone() == (True,)
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute("delete from orders")
    finally:
        with psycopg.connect(dsn("postgres"), autocommit=True) as conn:
            for world in worlds:
                conn.execute(f"drop database if exists {shop_database_name(world.spec.id)} with (force)")


def test_the_small_sample_has_three_totals_that_disagree_by_what_it_says(empty: str) -> None:
    with psycopg.connect(empty) as conn:
        conn.execute(Path(DATA / "shop_sample.sql").read_bytes())
        counts = [
            conn.execute(f"select count(*) from {table}").fetchone()
            for table in ("customers", "products", "orders", "order_items")
        ]
        assert counts == [(5,), (10,), (7,), (15,)]
        differences = conn.execute(
            "select o.id, o.total_amount - sum(i.quantity * i.unit_price) "
            "from orders as o inner join order_items as i on i.order_id = o.id "
            "group by o.id having o.total_amount <> sum(i.quantity * i.unit_price) order by o.id"
        ).fetchall()
        assert differences == [(3, Decimal("0.02")), (6, Decimal("-5.00")), (7, Decimal("0.01"))]
        statuses = conn.execute("select distinct status from orders order by 1").fetchall()
        assert [s for (s,) in statuses] == ["cancelled", "completed", "pending", "processing", "shipped"]
        categories = conn.execute("select distinct category from products order by 1").fetchall()
        assert [c for (c,) in categories] == ["Electronics", "Furniture", "Office Supplies"]
