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


@pytest.mark.parametrize("name", ["r", "t", "x", "s", "_nth", "_problems", "_position", "tenant_id"])
def test_no_name_of_ours_captures_an_unknown_column(
    keyless: TestShop, warehouse: Warehouse, acme: Tenant, name: str
) -> None:
    """In a table without a key as well, where rows are numbered."""
    for table in ("customers", "order_items"):
        keyless.execute(f"alter table {table} add {name} text default 'kept', add loyalty int default 7")
    keyless.extract(warehouse, T)
    for table in ("customers", "order_items"):
        found = ask(warehouse, T, f"select distinct _extra from raw.{table}")
        assert found == [({name: "kept", "loyalty": 7},)]


def test_more_unknown_columns_than_a_function_takes_arguments_are_kept(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    names = [f"c{number}" for number in range(120)]
    shop.execute(f"alter table products {', '.join(f'add {name} int default 1' for name in names)}")
    shop.extract(warehouse, T)
    ((extra,),) = ask(warehouse, T, "select distinct _extra from raw.products")
    assert extra == dict.fromkeys(names, 1)


@pytest.mark.parametrize("end", ["infinity", "9999-12-31", "9999-12-31 23:59:59+00"])
def test_the_end_of_all_calendars_is_no_end(
    shop: TestShop, warehouse: Warehouse, acme: Tenant, end: str
) -> None:
    shop.execute(
        "create table promotions (id bigint primary key, code text, name text, discount_percent numeric, "
        "starts_at timestamptz, ends_at timestamptz, created_at timestamptz, updated_at timestamptz)"
    )
    shop.execute(f"insert into promotions values (1, 'A', 'A', 5, '-infinity', '{end}', now(), now())")
    result = shop.extract(warehouse, T)["promotions"]
    assert (result.rejected, open_entries(warehouse)) == (0, [])
    assert ask(warehouse, T, "select distinct starts_at, ends_at from raw.promotions") == [(None, None)]


def test_another_time_beyond_all_calendars_is_rejected_with_a_true_sentence(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    shop.execute("update orders set order_date = '9999-12-31' where id = 1")
    shop.extract(warehouse, T)
    (entry,) = open_entries(warehouse)
    assert entry.reason == "order_date: not a time from 0001-01-02 to 9999-12-30"


def test_bytes_of_another_encoding_cost_their_row_alone(
    postgres: Server, warehouse: Warehouse, acme: Tenant
) -> None:
    """A database of encoding SQL_ASCII holds whatever bytes it was given."""
    with shop_database(postgres, rows=ROWS, encoding="SQL_ASCII") as shop:
        shop.execute_bytes("alter table customers add nickname text default 'Trần'".encode())
        shop.execute_bytes(b"update customers set name = 'Caf\xe9' where id = 2")
        shop.execute_bytes(b"update customers set nickname = 'Caf\xe9' where id = 3")
        result = shop.extract(warehouse, T)["customers"]
        assert (result.added, result.rejected) == (3, 2)
        assert sorted(entry.reason for entry in open_entries(warehouse)) == [
            f"{name}: its bytes are no UTF-8; the shop's encoding is SQL_ASCII"
            for name in ("name", "nickname")
        ]
        assert ask(warehouse, T, "select distinct _extra from raw.customers") == [({"nickname": "Trần"},)]
        shop.execute_bytes("update customers set name = 'Café' where id = 2".encode())
        shop.extract(warehouse, T)
        assert ask(warehouse, T, "select name from raw.customers where id = 2") == [("Café",)]


def test_many_rows_into_a_table_of_few_take_no_time_of_their_own(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    """Twice the rows take at most three times the work, counted in blocks that the server touches."""
    shop.extract(warehouse, T)

    def touched(first: int, last: int) -> int:
        shop.execute(
            "insert into orders (id, customer_id, order_date, status, total_amount, shipping_address) "
            f"select n, 1, now(), 'new', 1, '' from generate_series({first}, {last}) as n"
        )
        before = _blocks(warehouse)
        assert shop.extract(warehouse, T)["orders"].added == last - first + 1
        return _blocks(warehouse) - before

    small = touched(1_001, 3_000)
    with warehouse.tenant(T) as conn:
        conn.execute("delete from raw.orders where id > 1000")
    shop.execute("delete from orders where id > 1000")
    assert touched(1_001, 5_000) < 3 * small


def _blocks(warehouse: Warehouse) -> int:
    with warehouse.tenant(T) as conn:
        conn.execute("select pg_stat_force_next_flush()")
    ((found,),) = ask(
        warehouse,
        T,
        "select heap_blks_hit + idx_blks_hit from pg_statio_all_tables where relid = 'raw.orders'::regclass",
    )
    return int(found)
