"""Shop databases for tests: tables in the full or the original small form, the warehouse's rows beside the shop's.

Belongs here: making such a database on the test server, writing to it, extracting it, comparing both sides. Does not
belong here: what an extract should do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
from psycopg import sql

from cdp_assets.landing.shop.extract import extract
from cdp_assets.landing.shop.model import Mode, ShopOptions, TableResult
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.sources.shop import ShopDatabase
from cdp_assets.warehouse.connection import Warehouse
from tests.conftest import Server

STAMPS = "created_at timestamp not null default now(), updated_at timestamp not null default now()"
SMALL = f"""
create table customers (
    id serial primary key, name varchar(255) not null, email varchar(255), phone varchar(50), address text, {STAMPS});
create table products (
    id serial primary key, name varchar(255) not null, description text, price numeric(12, 2),
    category varchar(100), stock_quantity int default 0, {STAMPS});
create table orders (
    id serial primary key, customer_id int references customers, order_date timestamp default now(),
    status varchar(50) default 'pending', total_amount numeric(14, 2), shipping_address text, {STAMPS});
create table order_items (
    id serial primary key, order_id int references orders on delete cascade, product_id int references products,
    quantity int, unit_price numeric(12, 2), {STAMPS});
create index on customers (updated_at);
create index on products (updated_at);
create index on orders (updated_at);
create function touch() returns trigger language plpgsql as $$
begin
    if new.updated_at is not distinct from old.updated_at then
        new.updated_at := now();
    end if;
    return new;
end $$;
create trigger touch before update on customers for each row execute function touch();
create trigger touch before update on products for each row execute function touch();
create trigger touch before update on orders for each row execute function touch();
create trigger touch before update on order_items for each row execute function touch();
"""
"""The original shop: only what a shop must have."""

FULL = f"""
{SMALL}
create index on order_items (updated_at);
alter table customers add crm_id varchar(64);
alter table products add sku varchar(64), add currency varchar(3), add category_id int, add brand varchar(100);
alter table orders add order_number varchar(100), add channel varchar(20), add currency varchar(3),
    add promotion_id int;
create table categories (id serial primary key, name varchar(100), parent_id int, {STAMPS});
create table promotions (id serial primary key, code varchar(50), name varchar(255),
    discount_percent numeric(5, 2), starts_at timestamp, ends_at timestamp, {STAMPS});
create table reviews (id serial primary key, product_id int, customer_id int, rating smallint, title varchar(255),
    comment text, {STAMPS});
create table events (id bigserial primary key, customer_id int, visitor_id varchar(64), session_id varchar(64),
    event_type varchar(50), product_id int, order_id int, event_time timestamp, url text, {STAMPS});
"""

ROWS = """
insert into customers (name, email, phone, address, updated_at)
    select 'Customer ' || n, 'c' || n || '@example.test', '09' || n, n || ' Street', now() - interval '3 days'
    from generate_series(1, 5) as n;
insert into products (name, description, price, category, stock_quantity, updated_at)
    select 'Product ' || n, 'good', n * 10.5, 'things', n, now() - interval '3 days' from generate_series(1, 4) as n;
insert into orders (customer_id, order_date, status, total_amount, shipping_address, updated_at)
    select 1 + n % 5, now() - interval '2 days', 'pending', 100 + n, n || ' Street', now() - n * interval '1 hour'
    from generate_series(1, 7) as n;
insert into order_items (order_id, product_id, quantity, unit_price, updated_at)
    select 1 + n % 7, 1 + n % 4, 1 + n % 3, 9.99, now() - n * interval '1 hour' from generate_series(1, 15) as n;
"""

PROMPT = ShopOptions(overlap=timedelta(0), safety_lag=timedelta(0), first_wait_s=0.01)
"""Options by which everything that is committed now lies before the watermark."""

_numbers = count(1)


class TestShop:
    """A shop database and the tenant whose it is."""

    __test__ = False

    def __init__(self, server: Server, database: str, timezone: str) -> None:
        self.server, self.database, self.timezone = server, database, timezone
        self.connection = psycopg.connect(server.dsn(database, user="postgres"), autocommit=True)
        self.connection.execute(sql.SQL("set timezone = {}").format(sql.Literal(timezone)))

    def source(self, **address: Any) -> ShopDatabase:
        given = {"dsn": self.server.dsn(self.database, user="postgres"), "timezone": self.timezone, **address}
        return ShopDatabase(given, secret=lambda _: None)

    def execute(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(query, parameters or None)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []

    def execute_bytes(self, query: bytes) -> None:
        """A statement as it stands, whatever its encoding."""
        self.connection.execute(query)

    def other(self) -> psycopg.Connection[Any]:
        """Another connection, for transactions of its own."""
        return psycopg.connect(self.server.dsn(self.database, user="postgres"))

    def extract(
        self,
        warehouse: Warehouse,
        tenant: str,
        mode: Mode = "window",
        *,
        options: ShopOptions = PROMPT,
        tables: list[str] | None = None,
        source: ShopDatabase | None = None,
    ) -> dict[str, TableResult]:
        """An extract in which nothing may fail."""
        results = extract(
            warehouse,
            tenant,
            source or self.source(),
            mode=mode,
            options=options,
            tables=tables,
            run_id="run",
        )
        for result in results.values():
            if result.error is not None:
                raise result.error
        return results

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Rows of the shop as they should lie in the landing table."""
        have = {
            row[0]
            for row in self.execute(
                "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
                f"public.{table}",
            )
        }
        values = []
        for column in SPECS[table].columns:
            kind = column.kind.value
            values.append(f"{column.name}::{kind}" if column.name in have else f"null::{kind}")
        return self.execute(f"select {', '.join(values)} from {table} order by id")


@contextmanager
def shop_database(
    server: Server, ddl: str = SMALL, rows: str = "", timezone: str = "UTC", encoding: str = ""
) -> Iterator[TestShop]:
    """A shop on the test server, dropped in the end; of an encoding of its own where one is named."""
    name = f"shop_{next(_numbers)}"
    of_its_own = f"template template0 encoding '{encoding}' lc_collate 'C' lc_ctype 'C' locale_provider libc"
    with psycopg.connect(server.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(f"create database {name} strategy file_copy {of_its_own if encoding else ''}")
        shop = TestShop(server, name, timezone)
        try:
            shop.connection.execute(ddl + rows)
            yield shop
        finally:
            shop.connection.close()
            conn.execute(f"drop database {name} with (force)")


def landed(warehouse: Warehouse, tenant: str, table: str) -> list[tuple[Any, ...]]:
    """Live rows of the landing table, in the order of `TestShop.rows`."""
    names = ", ".join(column.name for column in SPECS[table].columns)
    with warehouse.tenant(tenant) as conn:
        return conn.execute(  # type: ignore[no-any-return,call-overload]
            f"select {names} from raw.{table} where tenant_id = %s and _deleted_at is null order by id",
            (tenant,),
        ).fetchall()


def assert_in_step(
    shop: TestShop, warehouse: Warehouse, tenant: str, tables: tuple[str, ...] = tuple(SPECS)[:4]
) -> None:
    """The landing tables hold exactly the shop's rows."""
    for table in tables:
        assert landed(warehouse, tenant, table) == shop.rows(table), table


def written(results: dict[str, TableResult]) -> int:
    """Rows that an extract wrote."""
    return sum(result.rows for result in results.values())


def ask(warehouse: Warehouse, tenant: str, query: str) -> list[tuple[Any, ...]]:
    """A query within the tenant."""
    with warehouse.tenant(tenant) as conn:
        return conn.execute(query).fetchall()  # type: ignore[no-any-return,call-overload]
