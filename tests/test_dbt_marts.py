"""The marts on landed rows: what reaches the facts, what stays untouched, what is reported, and who may write what."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.conftest import DATA, Server
from tests.marts_support import T0, TABLES, Marts, fresh_tenant, leo_line, order, small_shop


@pytest.fixture
def marts(postgres: Server) -> Marts:
    """A tenant of the test's own."""
    return fresh_tenant(postgres)


@pytest.fixture(scope="module")
def built(postgres: Server) -> Marts:
    """A small shop of which the marts were built; for looking at only."""
    marts = fresh_tenant(postgres)
    small_shop(marts)
    marts.build()
    return marts


def test_the_unit_tests_of_the_marts_pass(marts: Marts) -> None:
    found = marts.test("marts,test_type:unit")
    assert len(found) >= 13
    assert set(found.values()) == {"pass"}


def test_every_data_test_passes_on_a_shop_without_faults(built: Marts) -> None:
    found = built.test("marts,test_type:data")
    assert {name for name, status in found.items() if status != "pass"} == {
        "leo_order_in_shop",  # N9, which is LEO's alone
        "shop_order_in_leo",  # N1
    }


def test_a_second_build_writes_nothing(built: Marts) -> None:
    before = built.places()
    built.build()
    assert built.places() == before
    assert all(before.values())


def test_an_order_known_to_both_counts_once_with_the_shops_lines(built: Marts) -> None:
    assert built.read("select purchase_key, is_known_to_both from marts.fct_sales order by 1") == [
        {"purchase_key": "leo:t9", "is_known_to_both": False},
        {"purchase_key": "shop:1", "is_known_to_both": False},
        {"purchase_key": "shop:2", "is_known_to_both": False},
        {"purchase_key": "shop:3", "is_known_to_both": True},
    ]
    assert built.read(
        "select finding, order_number, found_amount from marts.mart_reconciliation order by 1"
    ) == [
        {"finding": "only_in_leo", "order_number": "N9", "found_amount": 12},
        {"finding": "only_in_shop", "order_number": "N1", "found_amount": 50},
    ]


def test_a_person_known_to_both_is_one_customer_of_the_360(built: Marts) -> None:
    assert built.read(
        "select customer_key, orders, revenue, recency_days from marts.mart_customer_360 order by 1"
    ) == [
        {"customer_key": "leo:p1", "orders": 2, "revenue": 62, "recency_days": 176},
        {"customer_key": "shop:2", "orders": 1, "revenue": 30, "recency_days": 175},
    ]


def test_an_order_status_change_reaches_every_line_and_what_is_counted_from_it(marts: Marts) -> None:
    small_shop(marts)
    marts.build()
    before = marts.places()["fct_sales"]
    marts.change(
        "update raw.orders set status = 'Canceled', updated_at = %s where id = 1",
        T0 + timedelta(days=3),
    )
    marts.build()
    assert marts.read(
        "select order_item_id, order_status, is_revenue from marts.fct_sales where order_id = 1 order by 1"
    ) == [
        {"order_item_id": 1, "order_status": "cancelled", "is_revenue": False},
        {"order_item_id": 2, "order_status": "cancelled", "is_revenue": False},
    ]
    assert marts.read("select sum(revenue) as revenue from marts.mart_daily_sales") == [{"revenue": 42}]
    assert len(set(before) & set(marts.places()["fct_sales"])) == 2  # the lines of the other orders stay


def test_a_deleted_line_leaves_and_a_resurrected_one_comes_back(marts: Marts) -> None:
    small_shop(marts)
    marts.build()
    whole = marts.contents()
    marts.change("update raw.order_items set _deleted_at = now() where id = 3")
    marts.build()
    assert marts.read("select total_items, calculated_total from marts.fct_orders where order_id = 2") == [
        {"total_items": 0, "calculated_total": 0}
    ]
    marts.change("update raw.order_items set _deleted_at = null where id = 3")
    marts.build()
    assert marts.contents() == whole


def test_an_emptied_fact_table_refills(marts: Marts) -> None:
    small_shop(marts)
    marts.build()
    whole = marts.contents()
    for table in ("fct_sales", "fct_orders", "dim_customers"):
        marts.change(f"delete from marts.{table}")
    marts.build()
    assert marts.contents() == whole


def test_what_has_no_known_customer_or_product_points_to_the_unknown_members(marts: Marts) -> None:
    small_shop(marts)
    marts.land("orders", order(3, customer_id=404, total_amount=7))
    marts.land("order_items", {"id": 4, "order_id": 3, "product_id": 404, "quantity": 1, "unit_price": 7})
    marts.build()
    assert marts.read(
        "select c.is_unknown as customer, p.is_unknown as product, o.order_seq from marts.fct_sales as s "
        "join marts.dim_customers as c using (customer_key) join marts.dim_products as p using (product_version_key) "
        "join marts.fct_orders as o using (order_key) where s.order_item_id = 4"
    ) == [{"customer": True, "product": True, "order_seq": None}]
    found = marts.test("fct_sales,test_type:generic")
    assert found["mostly_known_fct_sales_customer_key"] == "warn"
    assert "fail" not in found.values()


def test_a_line_that_comes_before_its_order_is_kept_and_repaired_when_the_order_comes(marts: Marts) -> None:
    small_shop(marts)
    marts.land("order_items", {"id": 4, "order_id": 3, "product_id": 1, "quantity": 1, "unit_price": 10})
    marts.build()
    statement = (
        "select order_status, customer_key, order_total, is_revenue from marts.fct_orders "
        "where order_key = 'shop:3'"
    )
    assert marts.read(statement) == [
        {"order_status": "unknown", "customer_key": "unknown", "order_total": None, "is_revenue": False}
    ]
    marts.land("orders", order(3, customer_id=2, total_amount=10))
    marts.build()
    assert marts.read(statement) == [
        {"order_status": "completed", "customer_key": "shop:2", "order_total": 10, "is_revenue": True}
    ]


def test_an_order_without_lines_has_no_items_and_a_total_that_is_reported(marts: Marts) -> None:
    marts.land("orders", order(1, total_amount=5))
    marts.build()
    assert marts.read("select total_items, calculated_total, avg_item_price from marts.fct_orders") == [
        {"total_items": 0, "calculated_total": 0, "avg_item_price": None}
    ]


def test_lines_are_allocated_the_total_of_their_order_to_the_cent(marts: Marts) -> None:
    marts.land("orders", order(1, total_amount=Decimal("100.00")))
    items = [{"id": n, "order_id": 1, "product_id": 1, "quantity": 1, "unit_price": 33} for n in (1, 2, 3)]
    marts.land("order_items", *items)
    marts.build()
    found = marts.read("select order_total_allocated as share from marts.fct_sales order by order_item_id")
    assert [row["share"] for row in found] == [Decimal("33.33"), Decimal("33.34"), Decimal("33.33")]


def test_the_seeds_sample_gives_exactly_its_three_mismatches(marts: Marts, postgres: Server) -> None:
    _land_sample(marts, postgres)
    marts.build()
    assert marts.read(
        "select order_id, difference from marts.mart_reconciliation "
        "where finding = 'total_differs_from_lines' order by 1"
    ) == [
        {"order_id": 3, "difference": Decimal("0.02")},
        {"order_id": 6, "difference": Decimal("-5.00")},
        {"order_id": 7, "difference": Decimal("0.01")},
    ]
    assert len(marts.read("select from marts.fct_sales")) == 15
    results = marts.dbt("test", "--select", "marts,test_type:singular", tenant=marts.tenant)
    assert {(r.node.name, str(r.status), r.failures) for r in results if r.status != "pass"} == {
        ("order_total_matches_lines", "warn", 3)
    }


def _land_sample(marts: Marts, postgres: Server) -> None:
    """The four tables of the sample into raw, as they are."""
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute("create database shop_sample")
    try:
        with psycopg.connect(postgres.dsn("shop_sample", user="postgres"), row_factory=dict_row) as shop:
            shop.execute((DATA / "shop_sample.sql").read_bytes())
            for table in ("customers", "products", "orders", "order_items"):
                marts.land(table, *shop.execute(f"select * from {table}").fetchall())
    finally:
        with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
            conn.execute("drop database shop_sample with (force)")


def test_a_changed_product_gets_a_version_and_old_sales_keep_theirs(marts: Marts) -> None:
    small_shop(marts)
    marts.build()
    marts.change("update raw.products set price = 12, updated_at = now() where id = 1")
    marts.build()
    later = datetime.now(UTC) + timedelta(hours=1)
    marts.land("orders", order(3, order_date=later, total_amount=12))
    marts.land("order_items", {"id": 4, "order_id": 3, "product_id": 1, "quantity": 1, "unit_price": 12})
    marts.build()
    assert marts.read(
        "select s.order_item_id, p.unit_price, p.is_current from marts.fct_sales as s "
        "join marts.dim_products as p using (product_version_key) where s.product_key = 'shop:1' and source = 'shop' "
        "order by 1"
    ) == [
        {"order_item_id": 1, "unit_price": 10, "is_current": False},
        {"order_item_id": 4, "unit_price": 12, "is_current": True},
    ]


def test_stock_moves_without_a_version(marts: Marts) -> None:
    small_shop(marts)
    marts.build()
    marts.change("update raw.products set stock_quantity = 3, updated_at = now() where id = 2")
    marts.build()
    assert marts.read(
        "select product_version_key, stock_quantity from marts.dim_products where product_id = 2"
    ) == [{"product_version_key": "shop:2@1", "stock_quantity": 3}]


def test_a_removed_product_keeps_its_last_version_and_one_that_returns_gets_another(marts: Marts) -> None:
    small_shop(marts)
    marts.build()
    marts.change("update raw.products set _deleted_at = now() where id = 2")
    marts.build()
    statement = (
        "select product_version_key, is_current, removed_at is not null as is_removed from marts.dim_products "
        "where product_key = 'shop:2' order by 1"
    )
    assert marts.read(statement) == [
        {"product_version_key": "shop:2@1", "is_current": True, "is_removed": True},
    ]
    marts.change("update raw.products set _deleted_at = null where id = 2")
    marts.build()
    assert marts.read(statement) == [
        {"product_version_key": "shop:2@1", "is_current": False, "is_removed": False},
        {"product_version_key": "shop:2@2", "is_current": True, "is_removed": False},
    ]
    assert marts.test("no_gap_between_versions_dim_products_") == {
        "no_gap_between_versions_dim_products_": "pass"
    }


def test_a_refund_in_leo_takes_the_order_out_of_revenue(marts: Marts) -> None:
    small_shop(marts)
    marts.change("update cdp.transactional_context set txn_status = 'refunded' where txn_id = 't9'")
    marts.build()
    assert marts.read("select is_revenue from marts.fct_orders where order_key = 'leo:N9'") == [
        {"is_revenue": False}
    ]


def test_one_tenants_build_leaves_the_rows_of_the_others_untouched(built: Marts) -> None:
    acme, before = built.other(), built.places()
    small_shop(acme)
    acme.build()
    acme.change("delete from raw.orders")
    acme.build()
    assert built.places() == before


def test_a_model_of_one_tenant_cannot_read_or_write_rows_of_another(built: Marts) -> None:
    before = built.places()
    dsn = built.dbt.server.dsn(built.dbt.database, user="cdp_transform")
    with psycopg.connect(dsn, options="-c app.tenant_id=acme", autocommit=True) as conn:
        for table in TABLES:
            assert conn.execute(f"select count(*) from marts.{table}").fetchone() == (0,)
            assert conn.execute(f"delete from marts.{table}").rowcount == 0
            assert conn.execute(f"update marts.{table} set tenant_id = 'acme'").rowcount == 0
            for refused in (
                f"insert into marts.{table} (tenant_id) values ('{built.tenant}')",
                f"truncate marts.{table}",
                f"drop table marts.{table}",
                f"alter table marts.{table} disable row level security",
                f"alter table marts.{table} no force row level security",
                f"alter table marts.{table} owner to cdp_transform",
                f"alter table marts.{table} rename to other",
                f"create policy mine on marts.{table} using (true)",
                f"create rule mine as on delete to marts.{table} do instead nothing",
                f"create trigger mine before update on marts.{table} "
                "for each row execute function suppress_redundant_updates_trigger()",
                "set role cdp_owner",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(refused)
    assert built.places() == before


def test_marts_are_not_built_without_a_tenant(marts: Marts) -> None:
    results, _ = marts.dbt.attempt("run", "--select", "dim_customers")
    assert "is built for one tenant, and the session has none" in results[0].message


def test_the_calendar_knows_weeks_holidays_and_sale_days(marts: Marts) -> None:
    days = {row["date_day"]: row for row in marts.read("select * from marts.dim_date")}
    assert (min(days), max(days), len(days)) == (date(2015, 1, 1), date(2035, 12, 31), 7670)
    assert (days[date(2021, 1, 3)]["iso_year"], days[date(2021, 1, 3)]["iso_week"]) == (2020, 53)
    assert [d for d, row in days.items() if row["holiday_name"] == "Tet" and d.year == 2026] == [
        date(2026, 2, 16) + timedelta(days=n) for n in range(5)
    ]
    assert days[date(2026, 4, 26)]["holiday_name"] == "Hung Kings' Commemoration Day"
    assert days[date(2026, 2, 10)]["days_from_tet"] == -7
    assert days[date(2035, 12, 31)]["days_from_tet"] == -28
    assert {d for d, row in days.items() if row["sale_name"] == "Black Friday"} >= {
        date(2024, 11, 29),
        date(2025, 11, 28),
    }
    assert days[date(2026, 11, 11)]["sale_name"] == "11.11"
    assert days[date(2026, 1, 3)]["is_weekend"]
    assert not days[date(2026, 1, 5)]["is_weekend"]


def test_a_date_far_ahead_moves_no_figure_of_anybody_else_and_a_test_names_it(marts: Marts) -> None:
    """Today is the tenant's clock (30 June 2026 here), never the largest date among the rows."""
    small_shop(marts)
    marts.build()
    figures = (
        "select customer_key, recency_days, frequency_365d from marts.mart_customer_360 where orders > 0"
    )
    before, cohorts = marts.read(figures), marts.read("select * from marts.mart_cohort_retention")
    assert {row["recency_days"] for row in before} <= {
        (date(2026, 6, 30) - T0.date()).days - n for n in (0, 1)
    }
    marts.land("customers", {"id": 9, "name": "Ahead", "email": "ahead@shop.vn"})
    marts.land("orders", order(9, customer_id=9, total_amount=30, order_date=T0.replace(year=2062)))
    marts.land("order_items", {"id": 9, "order_id": 9, "product_id": 2, "quantity": 1, "unit_price": 30})
    marts.build()
    assert marts.read(figures) == before
    assert marts.read("select * from marts.mart_cohort_retention") == cohorts
    assert {status for name, status in marts.test("fct_orders,test_name:not_in_future").items()} == {"warn"}


@pytest.mark.parametrize("year", [1997, 2011])
def test_the_calendar_begins_with_the_first_order(marts: Marts, year: int) -> None:
    small_shop(marts)
    marts.land("orders", order(8, customer_id=1, total_amount=0, order_date=T0.replace(year=year)))
    marts.build()
    assert marts.read("select min(date_day) as first from marts.dim_date") == [
        {"first": date(min(year, 2015), 1, 1)}
    ]
    assert marts.test("fct_orders,test_name:relationships")


def test_a_day_is_cut_where_the_tenant_trades(marts: Marts) -> None:
    past_midnight_in_vietnam = T0.replace(hour=20)
    marts.land_leo("transactional_context", leo_line("t1", amount=1, txn_timestamp=past_midnight_in_vietnam))
    marts.build()
    assert marts.read("select date_day from marts.fct_orders") == [{"date_day": date(2026, 1, 5)}]
    with psycopg.connect(marts.owner_dsn, autocommit=True) as conn:
        conn.execute("alter role cdp_transform set app.timezone = 'Asia/Ho_Chi_Minh'")
        try:
            marts.build()
        finally:
            conn.execute("alter role cdp_transform reset app.timezone")
    assert marts.read("select date_day from marts.fct_sales") == [{"date_day": date(2026, 1, 6)}]
    assert marts.read("select date_day from marts.mart_daily_sales") == [{"date_day": date(2026, 1, 6)}]
