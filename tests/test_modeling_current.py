"""Whether a tenant's marts are what a build would make of the rows, the settings and the models of today."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from cdp_assets.modeling import current
from cdp_assets.modeling.current import PART, WHOLE, is_current, recipe
from cdp_assets.warehouse import freshness
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.registry import record_run
from cdp_assets.warehouse.tenants import Tenant, get_tenant, put_tenant
from tests.conftest import Server

PROMOTION = "insert into raw.promotions (tenant_id, id, updated_at) values ('acme', %s, now())"


def land(warehouse: Warehouse, number: int = 1) -> None:
    """A row of the shop, as any writer may write it."""
    with warehouse.tenant("acme") as conn:
        conn.execute(PROMOTION, (number,))


def build(warehouse: Warehouse, tenant: Tenant, dataset: str = WHOLE) -> None:
    """A run of dbt, as the registry sees it."""
    with record_run(warehouse, "acme", dataset, recipe=recipe(tenant) if dataset == WHOLE else None):
        pass


def answer(warehouse: Warehouse) -> bool:
    with warehouse.tenant("acme") as conn:
        return is_current(conn, get_tenant(warehouse, "acme"))


@pytest.fixture
def mart(postgres: Server, database: str) -> None:
    """A table of marts with a row of the tenant."""
    with psycopg.connect(postgres.dsn(database, user="cdp_transform")) as dbt:
        dbt.execute("set app.tenant_id = 'acme'")
        dbt.execute("create table marts.sales as select 'acme'::text as tenant_id, 1 as id")
        dbt.execute("call ops.adopt('acme', 'sales')")


@pytest.fixture
def built(warehouse: Warehouse, acme: Tenant, mart: None) -> Warehouse:
    """The warehouse of a tenant that landed something and built every model of today."""
    land(warehouse, 0)
    build(warehouse, acme)
    assert answer(warehouse)
    return warehouse


def test_before_the_first_build_nothing_is_current(warehouse: Warehouse, acme: Tenant) -> None:
    assert not answer(warehouse)
    build(warehouse, acme, PART)
    assert not answer(warehouse), "some models are not all"


def a_sync_that_failed_after_its_last_commit(warehouse: Warehouse) -> None:
    with suppress(ZeroDivisionError), record_run(warehouse, "acme", "raw"):
        land(warehouse)
        _ = 1 / 0
    with record_run(warehouse, "acme", "raw") as again:
        again.rows_out = 0


def a_sync_that_was_killed_after_its_last_commit(warehouse: Warehouse) -> None:
    opened = record_run(warehouse, "acme", "raw")
    opened.__enter__()
    land(warehouse)


def a_replay_which_the_registry_does_not_see(warehouse: Warehouse) -> None:
    land(warehouse)


def a_tombstone(warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as conn:
        conn.execute("update raw.promotions set _deleted_at = now()")


def a_deletion_by_hand(warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as conn:
        conn.execute("delete from raw.promotions")


def rows_of_leo(warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as conn:
        conn.execute(
            "insert into cdp.profile_segment (tenant_id, cdp_profile_id, segment_id, joined_at) "
            "values ('acme', 'p', 's', now())"
        )


def another_option(warehouse: Warehouse) -> None:
    tenant = get_tenant(warehouse, "acme")
    put_tenant(warehouse, replace(tenant, given={"default_currency": "GBP"}), replace=True)


def another_zone(warehouse: Warehouse) -> None:
    tenant = get_tenant(warehouse, "acme")
    shop = {"dsn": "host=shop", "timezone": "Asia/Tokyo"}
    put_tenant(warehouse, replace(tenant, shop=shop), replace=True)


def a_build_that_failed(warehouse: Warehouse) -> None:
    tenant = get_tenant(warehouse, "acme")
    with (
        pytest.raises(ZeroDivisionError),
        record_run(warehouse, "acme", WHOLE, recipe=recipe(tenant)),
    ):
        _ = 1 / 0


def a_build_that_was_killed(warehouse: Warehouse) -> None:
    record_run(warehouse, "acme", WHOLE, recipe=recipe(get_tenant(warehouse, "acme"))).__enter__()


def rows_taken_from_a_mart(warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as conn:
        conn.execute("delete from marts.sales")


def rows_that_came_while_it_was_built(warehouse: Warehouse) -> None:
    tenant = get_tenant(warehouse, "acme")
    with record_run(warehouse, "acme", WHOLE, recipe=recipe(tenant)):
        land(warehouse)


@pytest.mark.parametrize(
    "event",
    [
        a_sync_that_failed_after_its_last_commit,
        a_sync_that_was_killed_after_its_last_commit,
        a_replay_which_the_registry_does_not_see,
        a_tombstone,
        a_deletion_by_hand,
        rows_of_leo,
        another_option,
        another_zone,
        a_build_that_failed,
        a_build_that_was_killed,
        rows_taken_from_a_mart,
        rows_that_came_while_it_was_built,
    ],
)
def test_what_would_change_the_marts_makes_them_old(
    built: Warehouse, event: Callable[[Warehouse], None]
) -> None:
    event(built)
    assert not answer(built)
    build(built, get_tenant(built, "acme"))
    assert answer(built)


@pytest.mark.parametrize(
    ("module", "name"), [(current, "digest_of_files"), (freshness, "code_digest")], ids=["models", "code"]
)
def test_other_models_or_code_make_them_old(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    monkeypatch.setattr(module, name, lambda: "of another day")
    assert not answer(built)


@pytest.mark.parametrize(
    ("now", "day"), [("2026-06-30T16:59:59Z", "2026-06-30"), ("2026-06-30T17:00:00Z", "2026-07-01")]
)
def test_they_are_of_a_day_by_the_clock_and_zone_of_the_tenant(acme: Tenant, now: str, day: str) -> None:
    shop = {"dsn": "host=shop", "timezone": "Asia/Ho_Chi_Minh"}
    assert recipe(replace(acme, given={"as_of": now}, shop=shop)).facts["day"] == day


def test_a_run_that_wrote_nothing_here_changes_nothing(built: Warehouse) -> None:
    with record_run(built, "acme", "raw") as summary:
        summary.rows_out = 0
    with built.tenant("acme") as conn:
        conn.execute("update raw.promotions set name = 'x' where id = 99")
    with built.tenant("lotus") as conn:
        conn.execute("insert into raw.promotions (tenant_id, id, updated_at) values ('lotus', 1, now())")
    with record_run(built, "acme", "datasets.customer_features"):
        pass
    assert answer(built)
