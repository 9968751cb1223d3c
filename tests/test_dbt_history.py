"""Whatever happened between two builds, the marts hold what one build of the last state would have made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.cleaning.contacts import email_key
from tests.conftest import Server
from tests.marts_support import T0, TABLES, Marts, fresh_tenant, leo_line, order, small_shop

SOURCES = (
    "raw.customers", "raw.products", "raw.orders", "raw.order_items", "raw.reviews", "cdp.customer_profile",
    "cdp.product_item", "cdp.transactional_context",
)  # fmt: skip

numbers = st.integers(1, 3)
fresh = st.integers(10, 14)
"""Ids that nothing has yet, few enough that two steps meet on one."""

steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), fresh, st.sampled_from(["pending", "completed", "Canceled", "odd"])),
        st.tuples(st.just("line"), fresh, st.one_of(numbers, fresh)),
        st.tuples(st.just("status"), numbers, st.sampled_from(["shipped", "cancelled", "completed"])),
        st.tuples(st.just("total"), numbers, st.integers(0, 60)),
        st.tuples(
            st.just("delete"), st.sampled_from(["customers", "products", "orders", "order_items"]), numbers
        ),
        st.tuples(
            st.just("return"), st.sampled_from(["customers", "products", "orders", "order_items"]), numbers
        ),
        st.tuples(st.just("price"), numbers, st.integers(1, 99)),
        st.tuples(
            st.just("email"), numbers, st.sampled_from(["lan@shop.vn", "minh@shop.vn", "other@shop.vn"])
        ),
        st.tuples(st.just("leo"), st.one_of(numbers, fresh), st.integers(1, 60)),
        st.tuples(st.just("review"), fresh, st.integers(1, 5)),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def marts(postgres: Server) -> Marts:
    """A warehouse for all examples; each has tenants of its own."""
    return fresh_tenant(postgres)


@settings(max_examples=4)
@given(histories=st.lists(steps, min_size=2, max_size=2))
def test_a_build_after_any_history_equals_one_from_nothing(marts: Marts, histories: list[Any]) -> None:
    lived, anew = marts.other(), marts.other()
    small_shop(lived)
    lived.build()
    for history in histories:
        for step in history:
            _take(lived, *step)
        lived.build()
    _copy(lived, anew)
    anew.build()
    for table in TABLES:
        assert _only_in(lived, anew, table) == [], table
        assert _only_in(anew, lived, table) == [], table


def _take(marts: Marts, kind: str, first: Any, second: Any) -> None:
    """One thing that happens in the shop or in LEO. What it names may not be there: then nothing happens."""
    if kind == "order":
        _replace(
            marts, "raw.orders", first, order(first, customer_id=first % 4, total_amount=10, status=second)
        )
    elif kind == "line":
        line = {"id": first, "order_id": second, "product_id": first % 3, "quantity": 1, "unit_price": first}
        _replace(marts, "raw.order_items", first, line)
    elif kind == "status":
        marts.change("update raw.orders set status = %s where id = %s", second, first)
    elif kind == "total":
        marts.change("update raw.orders set total_amount = %s where id = %s", second, first)
    elif kind == "delete":
        marts.change(f"update raw.{first} set _deleted_at = now() where id = %s", second)
    elif kind == "return":
        marts.change(f"update raw.{first} set _deleted_at = null where id = %s", second)
    elif kind == "price":
        marts.change("update raw.products set price = %s where id = %s", second, first)
    elif kind == "email":
        marts.change(
            "update raw.customers set email = %s, _email_key = %s where id = %s",
            second,
            email_key(second),
            first,
        )
    elif kind == "leo":
        marts.change("delete from cdp.transactional_context where txn_id = %s", f"t{first}")
        at = T0 + timedelta(days=first)
        line = leo_line(f"t{first}", transaction_id=f"N{first}", amount=second, txn_timestamp=at)
        marts.land_leo("transactional_context", line)
    else:
        review = {"id": first, "product_id": first % 3, "customer_id": first % 4, "rating": second}
        _replace(marts, "raw.reviews", first, review)


def _replace(marts: Marts, table: str, number: int, row: dict[str, Any]) -> None:
    marts.change(f"delete from {table} where id = %s", number)
    marts.land(table.removeprefix("raw."), row)


def _copy(source: Marts, target: Marts) -> None:
    """What was landed, and the history of products, which nothing but the history itself can tell."""
    with psycopg.connect(source.owner_dsn) as conn:
        for table in (*SOURCES, "marts.snp_products"):
            columns = _columns(conn, table)
            conn.execute(
                f"insert into {table} (tenant_id, {columns}) select %s, {columns} from {table} where tenant_id = %s",
                (target.tenant, source.tenant),
            )


def _only_in(one: Marts, other: Marts, table: str) -> list[Any]:
    """Rows of one tenant that the other has not, tenant_id aside: compared as values, 10.0 being 10.00."""
    with psycopg.connect(one.owner_dsn) as conn:
        rows = f"select {_columns(conn, f'marts.{table}')} from marts.{table} where tenant_id = %s"
        return conn.execute(f"{rows} except all {rows}", (one.tenant, other.tenant)).fetchall()


def _columns(conn: psycopg.Connection[Any], table: str) -> str:
    found = conn.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped "
        "and attname <> 'tenant_id'",
        (table,),
    )
    return ", ".join(row[0] for row in found)
