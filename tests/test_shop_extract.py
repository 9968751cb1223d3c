"""A shop's tables in `raw.*`: first load, windows, sweeps, deletes, what a table keeps and whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from cdp_assets.landing.shop.extract import extract
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.warehouse import locks
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.ledger import Ledger
from cdp_assets.warehouse.tenants import Tenant, TenantError, set_status
from tests.conftest import Server
from tests.shop_support import (
    FULL,
    PROMPT,
    ROWS,
    TestShop,
    ask,
    assert_in_step,
    landed,
    shop_database,
    written,
)

T = "acme"


@pytest.fixture
def small(postgres: Server) -> Iterator[TestShop]:
    with shop_database(postgres, rows=ROWS) as shop:
        yield shop


def test_the_original_small_shop_lands_whole(small: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    results = small.extract(warehouse, T)
    assert_in_step(small, warehouse, T)
    assert {table: (result.mode, result.added) for table, result in results.items()} == {
        "customers": ("full", 5), "products": ("full", 4), "orders": ("full", 7), "order_items": ("full", 15),
        "categories": ("absent", 0), "reviews": ("absent", 0), "promotions": ("absent", 0),
        "events": ("absent", 0),
    }  # fmt: skip
    assert "first load" in results["orders"].notes[-1]
    assert any("order_number" in note for note in results["orders"].notes)


@pytest.mark.parametrize("mode", ["window", "sweep", "full"])
def test_a_second_run_changes_nothing(small: TestShop, warehouse: Warehouse, acme: Tenant, mode: str) -> None:
    small.extract(warehouse, T)
    before = ask(
        warehouse, T, "select id, _etl_loaded_at, xmin::text, xmax::text from raw.order_items order by id"
    )
    results = small.extract(warehouse, T, mode, options=replace(PROMPT, overlap=timedelta(days=9)))  # type: ignore[arg-type]
    assert written(results) == 0
    assert results["order_items"].unchanged == results["order_items"].read >= 15
    assert before == ask(
        warehouse, T, "select id, _etl_loaded_at, xmin::text, xmax::text from raw.order_items order by id"
    )


def test_a_window_reads_what_is_new(small: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    small.extract(warehouse, T)
    small.execute("update orders set status = 'shipped' where id = 3")
    small.execute(
        "insert into order_items (order_id, product_id, quantity, unit_price) values (3, 1, 5, 10.5)"
    )
    results = small.extract(warehouse, T)
    assert_in_step(small, warehouse, T)
    assert (results["orders"].mode, results["orders"].changed, results["orders"].read) == ("window", 1, 1)
    assert (results["order_items"].added, results["customers"].read) == (1, 0)
    assert ask(warehouse, T, "select count(*) from raw.orders where _etl_run_id = 'run'") == [(7,)]


def test_pages_change_nothing_but_the_transactions(
    small: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    small.execute("update order_items set updated_at = '2026-01-01 10:00'")  # ties across pages
    told: list[str] = []
    options = replace(PROMPT, page_rows=4, overlap=timedelta(days=900))
    extract(warehouse, T, small.source(), mode="window", options=options, progress=told.append)
    assert_in_step(small, warehouse, T)
    assert sum(line.startswith("raw.order_items") for line in told) == 4
    again = small.extract(warehouse, T, options=options)
    assert (again["order_items"].read, again["order_items"].unchanged) == (15, 15)


def test_a_sweep_finds_deletes_and_silent_changes(
    small: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    small.extract(warehouse, T)
    small.execute("delete from order_items where id in (2, 9)")
    small.execute("update orders set status = 'returned', updated_at = '2020-01-01' where id = 4")
    small.execute("insert into customers (id, name, updated_at) values (90, 'Late', '2020-01-01')")
    window = small.extract(warehouse, T)
    assert written(window) == 0
    sweep = small.extract(warehouse, T, "sweep")
    assert_in_step(small, warehouse, T)
    assert (sweep["order_items"].tombstoned, sweep["orders"].changed, sweep["customers"].added) == (2, 1, 1)
    assert written(small.extract(warehouse, T, "sweep")) == 0


def test_a_tombstone_clears_personal_data_and_keeps_facts(
    small: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    small.execute("alter table orders add gift_note text default 'for my mother'")
    small.extract(warehouse, T)
    small.execute("delete from orders where id = 5")
    small.extract(warehouse, T, "sweep")
    (row,) = ask(
        warehouse, T,
        "select total_amount, status, shipping_address, _extra, _deleted_at is not null, "
        "_etl_loaded_at = _deleted_at from raw.orders where id = 5",
    )  # fmt: skip
    assert row == (105, "pending", None, None, True, True)


@pytest.mark.parametrize("mode", ["window", "sweep", "full"])
@pytest.mark.parametrize("moment", ["now()", "timestamp '2020-01-01'"])
def test_a_row_that_comes_back_is_live_again(
    small: TestShop, warehouse: Warehouse, acme: Tenant, mode: str, moment: str
) -> None:
    small.extract(warehouse, T)
    small.execute("delete from order_items where id = 2")
    small.extract(warehouse, T, "sweep")
    small.execute(
        f"insert into order_items (id, order_id, product_id, quantity, unit_price, updated_at) "
        f"values (2, 1, 1, 1, 1, {moment})"
    )
    options = replace(PROMPT, overlap=timedelta(days=9999))  # so that the window meets the old time, too
    assert small.extract(warehouse, T, mode, options=options)["order_items"].changed == 1  # type: ignore[arg-type]
    assert_in_step(small, warehouse, T)


def test_a_window_does_not_put_an_older_version_over_a_newer_one(
    small: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    small.extract(warehouse, T)
    with warehouse.tenant(T) as conn:
        conn.execute(
            "update raw.orders set status = 'newer', updated_at = now() + interval '1 hour' where id = 1"
        )
    options = replace(PROMPT, overlap=timedelta(days=9))
    assert written(small.extract(warehouse, T, options=options)) == 0
    assert (
        small.extract(warehouse, T, "sweep")["orders"].changed == 1
    )  # a snapshot of the whole table is right
    assert_in_step(small, warehouse, T)


def test_many_vanished_rows_are_withheld_until_a_person_says_so(
    small: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    small.execute(
        "insert into order_items (order_id, product_id, quantity, unit_price) "
        "select 1, 1, 1, 1 from generate_series(1, 85)"
    )
    small.extract(warehouse, T)
    small.execute("delete from order_items where id > 79")
    result = small.extract(warehouse, T, "sweep")["order_items"]
    assert (result.tombstoned, result.withheld) == (0, 21)
    assert len(landed(warehouse, T, "order_items")) == 100
    with warehouse.tenant(T) as conn:
        assert Ledger(T, "raw.order_items").watermark(conn).withheld_deletes == 21
    small.execute("delete from order_items")
    small.execute("delete from orders")
    empty = small.extract(warehouse, T, "sweep")
    assert (empty["order_items"].withheld, empty["orders"].withheld) == (100, 7)
    allowed = replace(PROMPT, allow_mass_delete=True)
    assert small.extract(warehouse, T, "sweep", options=allowed)["order_items"].tombstoned == 100
    assert_in_step(small, warehouse, T)


def test_every_optional_table_and_column_lands(postgres: Server, warehouse: Warehouse, acme: Tenant) -> None:
    with shop_database(postgres, FULL, ROWS) as shop:
        shop.execute("update products set sku = 'SKU-' || id, currency = 'VND', category_id = 1, brand = 'B'")
        shop.execute(
            "update orders set order_number = 'N' || id, channel = 'web', currency = 'VND', promotion_id = 1"
        )
        shop.execute("update customers set crm_id = 'crm-' || id")
        shop.execute("insert into categories (name, parent_id) values ('all', null), ('things', 1)")
        shop.execute(
            "insert into promotions (code, name, discount_percent, starts_at) values ('TET', 'Tet', 12.5, now())"
        )
        shop.execute(
            "insert into reviews (product_id, customer_id, rating, title, comment) values (1, 1, 5, 'a', 'b')"
        )
        shop.execute(
            "insert into events (customer_id, visitor_id, event_type, event_time) values (1, 'v', 'view', now())"
        )
        results = shop.extract(warehouse, T)
        assert_in_step(shop, warehouse, T, tuple(SPECS))
        assert all(result.added and not result.drift for result in results.values())
        assert not [note for result in results.values() for note in result.notes if "no " in note]
        assert written(shop.extract(warehouse, T, "sweep")) == 0


def test_another_tenants_rows_stay_as_they_are(
    small: TestShop, postgres: Server, warehouse: Warehouse, acme: Tenant
) -> None:
    small.extract(warehouse, T)
    with shop_database(postgres, rows=ROWS) as other:
        other.execute("update customers set name = 'other'")
        other.extract(warehouse, "globex")
        small.execute("delete from order_items")
        small.execute("delete from orders")
        small.execute("delete from customers")
        small.extract(warehouse, T, "sweep", options=replace(PROMPT, allow_mass_delete=True))
        assert_in_step(other, warehouse, "globex")
        assert_in_step(small, warehouse, T)


def test_a_table_that_another_run_loads_is_left_to_it(
    small: TestShop, warehouse: Warehouse, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdp_assets.landing.shop.extract.LOCK_PATIENCE_S", 1)
    with warehouse.session(T) as session:
        locks.take(session.connection, T, "raw.orders")
        results = extract(warehouse, T, small.source(), mode="window", options=PROMPT)
    assert results["orders"].error is None
    assert results["orders"].mode == "skipped"
    (note,) = results["orders"].notes
    assert note.startswith(f"skipped: another run is at work on raw.orders of tenant {T}: ")
    assert results["customers"].added == 5
    assert results["order_items"].added > 0


def test_a_load_stops_at_the_page_after_its_tenant_was_suspended(
    small: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    def suspend(_: str) -> None:
        set_status(warehouse, T, "suspended")

    options = replace(PROMPT, page_rows=2, max_workers=1)
    with pytest.raises(TenantError, match="was suspended: the run stops here"):
        extract(warehouse, T, small.source(), mode="full", options=options, progress=suspend)
    assert sum(len(landed(warehouse, T, table)) for table in SPECS) == 2
    set_status(warehouse, T, "active")
    small.extract(warehouse, T)
    assert_in_step(small, warehouse, T)


def test_only_tables_that_are_asked_for_are_read(small: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    assert list(small.extract(warehouse, T, tables=["orders"])) == ["orders"]
    assert landed(warehouse, T, "customers") == []
    with pytest.raises(ValueError, match="orderz"):
        extract(warehouse, T, small.source(), mode="window", tables=["orderz"])


def test_the_landing_tables_have_the_columns_of_the_specs(warehouse: Warehouse, acme: Tenant) -> None:
    for table, spec in SPECS.items():
        columns = ask(
            warehouse, T,
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            f"where attrelid = 'raw.{table}'::regclass and attnum > 0 and attname !~ '^_' and attname <> 'tenant_id'",
        )  # fmt: skip
        types = {"timestamp with time zone": "timestamptz"}
        found = {name: types.get(kind, kind) for name, kind in columns}
        assert found == {column.name: column.kind.value for column in spec.columns}
