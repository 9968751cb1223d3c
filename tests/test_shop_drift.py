"""A shop that is not as the specs say: columns more, fewer, renamed, of other types; rows that must not land."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from cdp_assets.landing.shop.extract import extract
from cdp_assets.landing.shop.shape import Blocked
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import Server
from tests.shop_support import PROMPT, ROWS, TestShop, ask, assert_in_step, landed, shop_database, written

T = "acme"


@pytest.fixture
def shop(postgres: Server) -> Iterator[TestShop]:
    with shop_database(postgres, rows=ROWS) as made:
        yield made


@pytest.fixture
def keyless(postgres: Server) -> Iterator[TestShop]:
    """A shop whose lines have no key and no constraint at all."""
    with shop_database(postgres, rows=ROWS) as made:
        made.execute("alter table order_items drop constraint order_items_pkey")
        made.execute("alter table order_items alter id drop not null, alter updated_at drop not null")
        made.execute("drop trigger touch on order_items")
        made.execute("alter table order_items alter unit_price type numeric")
        yield made


def open_entries(warehouse: Warehouse) -> list[quarantine.Entry]:
    with warehouse.tenant(T) as conn:
        return quarantine.open_entries(conn, T)


def test_a_column_more_is_kept_aside_and_reported(shop: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    shop.extract(warehouse, T)
    shop.execute("alter table customers add loyalty int default 7, add password_hash text default 'x'")
    result = shop.extract(warehouse, T)["customers"]
    assert (result.mode, result.changed) == ("full", 5)
    assert "columns, time zone, region or spec changed" in result.notes[-1]
    assert "loyalty" in result.drift[0]
    assert "password_hash" in result.drift[1]
    assert ask(warehouse, T, "select distinct _extra from raw.customers") == [({"loyalty": 7},)]
    assert shop.extract(warehouse, T)["customers"].mode == "window"


def test_a_type_within_the_family_lands_and_is_noted(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    shop.execute("create type order_status as enum ('pending', 'shipped')")
    shop.execute(
        "alter table orders alter status drop default, alter status type order_status using status::order_status"
    )
    shop.execute("alter table products alter price type double precision")
    shop.execute("alter table order_items alter id type bigint")
    results = shop.extract(warehouse, T)
    assert_in_step(shop, warehouse, T)
    assert any("status is enum" in note for note in results["orders"].notes)
    assert any("price is float8" in note for note in results["products"].notes)
    assert not any("id is" in note for note in results["order_items"].notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("alter table orders rename status to order_status", "no column status (renamed to order_status?)"),
        ("alter table orders drop column shipping_address", "no column shipping_address:"),
        ("alter table orders alter total_amount type text", "total_amount is text"),
        ("alter table orders alter updated_at type date", "updated_at is date"),
        ("alter table orders rename to sales", "no table public.orders"),
    ],
)
def test_a_blocked_table_leaves_the_others(
    shop: TestShop, warehouse: Warehouse, acme: Tenant, change: str, words: str
) -> None:
    shop.extract(warehouse, T)
    shop.execute("drop trigger touch on orders")
    shop.execute(change)
    shop.execute("insert into customers (name) values ('new')")
    results = extract(warehouse, T, shop.source(), mode="sweep", options=PROMPT)
    assert isinstance(results["orders"].error, Blocked)
    assert words in str(results["orders"].error)
    assert results["customers"].added == 1
    assert len(landed(warehouse, T, "orders")) == 7
    assert [result.table for result in results.values() if result.error] == ["orders"]


def test_a_table_that_was_landed_and_is_gone_is_reported(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    shop.execute("create table reviews (id int primary key, rating int, updated_at timestamp default now())")
    shop.execute("insert into reviews (id, rating) values (1, 5)")
    assert shop.extract(warehouse, T)["reviews"].added == 1
    shop.execute("drop table reviews")
    results = extract(warehouse, T, shop.source(), mode="sweep", options=PROMPT)
    assert "which it had before" in str(results["reviews"].error)
    assert results["categories"].error is None


def test_a_table_may_be_a_view(shop: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    shop.execute("alter table customers rename to people; alter table people rename phone to mobile")
    shop.execute(
        "create view customers as select id, name, email, mobile as phone, address, created_at, updated_at from people"
    )
    shop.extract(warehouse, T)
    assert_in_step(shop, warehouse, T)
    assert written(shop.extract(warehouse, T, "sweep")) == 0


def test_rows_that_must_not_land_are_quarantined_and_mended(
    keyless: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    keyless.execute("update order_items set unit_price = 'NaN' where id = 1")
    keyless.execute("update order_items set unit_price = 'infinity', quantity = 3 where id = 2")
    keyless.execute("update order_items set updated_at = null where id = 3")
    keyless.execute("update order_items set created_at = 'infinity' where id = 4")
    keyless.execute("update order_items set updated_at = '-infinity' where id = 5")
    keyless.execute("update order_items set id = null where id = 6")
    keyless.execute("update order_items set id = 8, updated_at = now() - interval '9 days' where id = 7")
    result = keyless.extract(warehouse, T)["order_items"]
    assert (result.added, result.rejected, result.read) == (8, 7, 15)
    assert [row[0] for row in landed(warehouse, T, "order_items")] == [*range(8, 16)]
    entries = {entry.reason: entry for entry in open_entries(warehouse)}
    keys = [entry.key for entry in open_entries(warehouse)]
    assert sorted(key for key in keys if not key.startswith("sha:")) == ["1", "2", "3", "4", "5"]
    assert entries["updated_at: missing"].key == "3"
    assert entries["id: missing"].fields == ["id"]
    assert entries["id: another row has it, too; the newest is landed"].fields == ["id"]
    assert all('"order_id":' in (entry.document or "") for entry in entries.values())
    for mode in ("sweep", "full"):
        again = keyless.extract(warehouse, T, mode)["order_items"]  # type: ignore[arg-type]
        assert (again.rows, again.rejected, again.recovered) == (0, 7, 0)
    keyless.execute("delete from order_items where id is null or id in (2, 4)")
    keyless.execute("delete from order_items where id = 8 and updated_at < now() - interval '8 days'")
    keyless.execute("update order_items set unit_price = 1, updated_at = now() where id = 1")
    keyless.execute("update order_items set updated_at = now() where id in (3, 5)")
    assert keyless.extract(warehouse, T)["order_items"].recovered == 3
    assert keyless.extract(warehouse, T, "sweep")["order_items"].rejected == 0
    assert_in_step(keyless, warehouse, T)
    assert open_entries(warehouse) == []


def test_of_rows_with_one_id_the_newest_is_landed_whatever_the_mode(
    keyless: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    keyless.extract(warehouse, T)
    keyless.execute(
        "insert into order_items (id, quantity, updated_at) values (1, 70, now() - interval '1 minute')"
    )
    keyless.execute("insert into order_items (id, quantity, updated_at) values (1, 71, now())")
    options = replace(PROMPT, overlap=timedelta(days=9), page_rows=2)
    for mode in ("window", "sweep", "full", "window"):
        keyless.extract(warehouse, T, mode, options=options)  # type: ignore[arg-type]
        assert ask(warehouse, T, "select quantity from raw.order_items where id = 1") == [(71,)]
    assert len(open_entries(warehouse)) == 2


def test_a_column_that_may_not_be_read_is_named(shop: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    # Roles belong to the server, and other tests grant more to the demo world's `shop_reader`.
    shop.execute(
        "do $$ begin if not exists (select from pg_roles where rolname = 'partial_reader') then "
        "create role partial_reader login; end if; end $$"
    )
    shop.execute("grant select on customers, products, order_items to partial_reader")
    shop.execute(
        "grant select (id, customer_id, order_date, total_amount, shipping_address, created_at, updated_at) "
        "on orders to partial_reader"
    )
    source = shop.source(dsn=shop.server.dsn(shop.database, user="partial_reader"))
    results = extract(warehouse, T, source, mode="window", options=PROMPT)
    assert "status may not be read: grant select" in str(results["orders"].error)
    assert results["order_items"].added == 15
    assert any("pg_read_all_stats" in note for note in results["order_items"].notes)
    shop.execute("grant select (status) on orders to partial_reader")
    shop.execute("alter table orders add secret_plan text")
    assert shop.extract(warehouse, T, source=source)["orders"].added == 7
