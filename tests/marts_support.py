"""Marts in a test: one database per process in which dbt has made every relation, and a tenant of its own per test.

Belongs here: making that database, short words for landing rows, building marts and looking at them. Does not
belong here: what the marts should hold.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import Server
from tests.dbt_support import Dbt, statuses, tenant_rows, write

TABLES = (
    "dim_customers", "dim_products", "fct_orders", "fct_sales", "mart_cohort_retention", "mart_customer_360",
    "mart_daily_sales", "mart_product_performance", "mart_reconciliation", "snp_products",
)  # fmt: skip
"""Tables of schema marts; dim_date and dim_order_status are views."""

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When everything that says no time was made."""

_tenants = itertools.count(1)


@dataclass(frozen=True)
class Marts:
    """One tenant of a warehouse with the relations of dbt. Methods open what they need and leave nothing open."""

    dbt: Dbt
    pipeline_dsn: str
    owner_dsn: str
    tenant: str

    def other(self) -> Marts:
        """Another tenant, without rows, in the same warehouse."""
        return replace(self, tenant=f"tenant{next(_tenants)}")

    def land(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows into `raw.<table>`, made and changed at `T0` unless they say otherwise."""
        filled = ({"created_at": T0, "updated_at": T0, **row} for row in rows)
        write(self.pipeline_dsn, self.tenant, f"raw.{table}", *filled)

    def land_leo(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows into `cdp.<table>`."""
        write(self.pipeline_dsn, self.tenant, f"cdp.{table}", *rows)

    def change(self, statement: str, *values: Any) -> None:
        """A statement of the pipeline on what was landed."""
        with tenant_rows(self.pipeline_dsn, self.tenant) as conn:
            conn.execute(statement, values)

    def build(self) -> None:
        """Snapshot and marts of the tenant, without tests."""
        self.dbt(
            "build", "--select", "marts", "snp_products", "--exclude", "config.materialized:view",
            "--exclude-resource-type", "test", "unit_test", tenant=self.tenant,
        )  # fmt: skip

    def test(self, *selected: str) -> dict[str, str]:
        """Node name -> what dbt said of it, for these tests; a failed one raises."""
        return statuses(self.dbt("test", "--select", *selected, tenant=self.tenant))

    def read(self, statement: str) -> list[dict[str, Any]]:
        """Rows as a reader of the tenant sees them."""
        return self.dbt.read(statement, tenant=self.tenant, user="cdp_reader")

    def places(self) -> dict[str, list[str]]:
        """Where each row lies and which transaction wrote it, by table: equal when nothing was written."""
        statement = "select ctid::text || ' ' || xmin as place from marts.{} order by 1"
        return {table: [row["place"] for row in self.read(statement.format(table))] for table in TABLES}

    def contents(self) -> dict[str, list[str]]:
        """Every row of the tenant as text, by table."""
        statement = "select t::text as content from marts.{} as t order by 1"
        return {table: [row["content"] for row in self.read(statement.format(table))] for table in TABLES}


@cache
def _warehouse(postgres: Server) -> Dbt:
    """A database in which dbt has made every relation, for the process: making them takes ten seconds."""
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute("create database marts template template_cdp")
    dbt = Dbt(postgres, "marts", Path(tempfile.mkdtemp(prefix="cdp-marts-")))
    dbt("build", "--exclude-resource-type", "test", "unit_test", tenant="nobody")
    return dbt


def fresh_tenant(postgres: Server) -> Marts:
    """A tenant without rows."""
    dbt = _warehouse(postgres)
    owner, pipeline = (postgres.dsn(dbt.database, user=user) for user in ("postgres", "cdp_pipeline"))
    return Marts(dbt, pipeline, owner, f"tenant{next(_tenants)}")


def small_shop(marts: Marts) -> None:
    """Two customers, two products, two orders with three lines; LEO knows the second order, and one more."""
    marts.land(
        "customers",
        {"id": 1, "name": "Lan", "email": "lan@shop.vn"},
        {"id": 2, "name": "Minh", "email": "minh@shop.vn"},
    )
    marts.land(
        "products",
        {
            "id": 1,
            "sku": "S1",
            "name": "Lamp",
            "price": 10,
            "currency": "USD",
            "category": "Light",
            "stock_quantity": 5,
        },
        {
            "id": 2,
            "sku": "S2",
            "name": "Desk",
            "price": 30,
            "currency": "USD",
            "category": "Wood",
            "stock_quantity": 9,
        },
    )
    marts.land(
        "orders",
        order(1, customer_id=1, total_amount=50),
        order(2, customer_id=2, total_amount=30, order_date=T0 + timedelta(days=1)),
    )
    marts.land(
        "order_items",
        {"id": 1, "order_id": 1, "product_id": 1, "quantity": 2, "unit_price": 10},
        {"id": 2, "order_id": 1, "product_id": 2, "quantity": 1, "unit_price": 30},
        {"id": 3, "order_id": 2, "product_id": 2, "quantity": 1, "unit_price": 30},
    )
    marts.land_leo("customer_profile", {"cdp_profile_id": "p1", "email": "lan@shop.vn", "full_name": "Lan"})
    marts.land_leo("product_item", {"product_key": "k1", "item_id": "S1", "title": "Lamp", "currency": "USD"})
    marts.land_leo(
        "transactional_context",
        leo_line("t2", transaction_id="N2", amount=30),
        leo_line("t9", transaction_id="N9", amount=12),
    )


def order(number: int, **values: Any) -> dict[str, Any]:
    """A completed order `N<number>` of the web shop at `T0`."""
    return {
        "id": number, "order_number": f"N{number}", "order_date": T0, "status": "completed", "channel": "web",
        "currency": "USD", **values,
    }  # fmt: skip


def leo_line(key: str, **values: Any) -> dict[str, Any]:
    """A line that profile p1 bought of product k1 at `T0`."""
    return {
        "txn_id": key, "cdp_profile_id": "p1", "product_key": "k1", "currency": "USD", "quantity": 1,
        "txn_timestamp": T0, "txn_type": "purchase", **values,
    }  # fmt: skip
