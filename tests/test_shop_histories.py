"""Random histories of a shop, with extracts at any point: after a last sweep both sides hold the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_assets.landing.shop.model import Mode
from cdp_assets.warehouse.connection import Warehouse
from tests.conftest import Server
from tests.databases import shared_database
from tests.shop_support import PROMPT, TestShop, assert_in_step, shop_database, written

BOTH = ("orders", "order_items")
OPTIONS = replace(PROMPT, page_rows=3, overlap=timedelta(seconds=1), allow_mass_delete=True)

_tenants = count(1)


class History:
    """A shop and what happens to it; numbers choose among what is there. Transactions `a` and `b` may stay open."""

    def __init__(self, shop: TestShop, warehouse: Warehouse, tenant: str) -> None:
        self._shop, self._warehouse, self._tenant = shop, warehouse, tenant
        self._open = {name: shop.other() for name in ("a", "b")}
        for connection in self._open.values():
            connection.execute("set lock_timeout = '50ms'")
            connection.commit()
        shop.execute("truncate orders, order_items restart identity")
        shop.execute("insert into orders (status) select 'first' from generate_series(1, 5)")
        self._minutes = count()

    def insert(self, who: str, number: int) -> None:
        self._write(who, "insert into orders (status, total_amount) values ('new', %s)", number)
        self._write(who, "insert into order_items (quantity, unit_price) values (%s, 1)", number)

    def insert_of_long_ago(self, who: str, number: int) -> None:
        self._write(who, "insert into orders (status, updated_at) values ('old', %s)", self._moment())

    def update(self, who: str, number: int) -> None:
        self._write(who, "update orders set status = 's' || %s where id %% 3 = %s", number, number % 3)

    def turn_back(self, who: str, number: int) -> None:
        """To a time that no version had: what keeps its `updated_at` is found by a full load alone."""
        self._write(who, "update orders set total_amount = %s, updated_at = %s where id = %s",
                    number, self._moment(), 1 + number % 5)  # fmt: skip

    def delete(self, who: str, number: int) -> None:
        self._write(who, "delete from orders where id %% 4 = %s", number % 4)

    def bring_back(self, who: str, number: int) -> None:
        self._write(
            who,
            "insert into orders (id, status, updated_at) values (%s, 'back', %s) on conflict do nothing",
            1 + number % 5,
            self._moment(),
        )

    def commit(self, who: str, number: int) -> None:
        self._open[who].commit()

    def extract(self, who: str, number: int) -> None:
        modes: tuple[Mode, ...] = ("window", "window", "sweep", "full")
        self.load(modes[number % 4])

    def load(self, mode: Mode) -> int:
        return written(
            self._shop.extract(self._warehouse, self._tenant, mode, options=OPTIONS, tables=list(BOTH))
        )

    def end(self) -> None:
        for connection in self._open.values():
            connection.commit()
            connection.close()

    def _moment(self) -> datetime:
        return datetime(2020, 1, 1) + timedelta(minutes=next(self._minutes))  # noqa: DTZ001 - as the shop has it

    def _write(self, who: str, query: str, *parameters: Any) -> None:
        """In a transaction that stays open; what another one holds locked is passed over."""
        with suppress(psycopg.errors.LockNotAvailable), self._open[who].transaction():
            self._open[who].execute(query, parameters)  # type: ignore[call-overload]


STEPS = ("insert", "insert_of_long_ago", "update", "turn_back", "delete", "bring_back", "commit",
         "commit", "extract", "extract")  # fmt: skip


@pytest.fixture(scope="module")
def shop(postgres: Server) -> Iterator[TestShop]:
    with shop_database(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def shared(postgres: Server) -> Iterator[Warehouse]:
    with (
        shared_database(postgres, "shop_histories") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as opened,
    ):
        yield opened


@pytest.mark.slow
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS), st.sampled_from("ab"), st.integers(0, 11)), min_size=4, max_size=25
    ),
)
def test_after_any_history_both_sides_are_the_same(
    shop: TestShop, shared: Warehouse, steps: list[tuple[str, str, int]]
) -> None:
    tenant = f"t{next(_tenants)}"  # of its own: rows of another history may have the same ids and times
    history = History(shop, shared, tenant)
    try:
        for name, who, choice in steps:
            getattr(history, name)(who, choice)
    finally:
        history.end()
    history.load("sweep")
    assert_in_step(shop, shared, tenant, BOTH)
    assert history.load("window") == history.load("sweep") == 0
    assert_in_step(shop, shared, tenant, BOTH)
