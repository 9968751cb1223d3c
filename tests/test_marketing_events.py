"""Marketing events: what is written, what is left alone, and the plan of the demo tenants."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from cdp_assets.activation.marketing_events import COLUMNS, put_marketing_events
from cdp_assets.demo.marketing import marketing_events
from cdp_assets.demo.sizes import TENANTS
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant

TENANT_IDS = [spec.id for spec in TENANTS]


def event(key: str, **changes: Any) -> dict[str, Any]:
    return {
        "marketing_event_id": key,
        "campaign_id": None,
        "name": "Sale hè",
        "description": "Giảm giá",
        "event_type": "sale",
        "channel": "email",
        "starts_at": datetime(2026, 7, 1, tzinfo=UTC),
        "ends_at": datetime(2026, 7, 2, tzinfo=UTC),
        "status": "planned",
        **changes,
    }


def rows(warehouse: Warehouse) -> dict[str, tuple[Any, ...]]:
    with warehouse.tenant("acme") as conn:
        found = conn.execute(
            "select marketing_event_id, name, deleted_at is null, changed_at from activation.marketing_event"
        ).fetchall()
    return {row[0]: row[1:] for row in found}


def test_only_new_and_changed_events_are_written(warehouse: Warehouse, acme: Tenant) -> None:
    assert put_marketing_events(warehouse, "acme", [event("a"), event("b")]) == 2
    before = rows(warehouse)
    assert put_marketing_events(warehouse, "acme", [event("a"), event("b")]) == 0
    assert rows(warehouse) == before
    assert put_marketing_events(warehouse, "acme", [event("a", name="Sale thu"), event("b")]) == 1
    assert rows(warehouse)["a"][0] == "Sale thu"
    assert rows(warehouse)["b"] == before["b"]


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "marketing_event_id"])
def test_a_change_of_any_column_is_written(warehouse: Warehouse, acme: Tenant, column: str) -> None:
    other = {
        "channel": "sms",
        "starts_at": datetime(2026, 6, 1, tzinfo=UTC),
        "ends_at": datetime(2026, 8, 1, tzinfo=UTC),
        "status": "done",
    }
    put_marketing_events(warehouse, "acme", [event("a")])
    changed = event("a", **{column: other.get(column, "other")})
    assert put_marketing_events(warehouse, "acme", [changed]) == 1
    assert put_marketing_events(warehouse, "acme", [changed]) == 0


def test_an_event_that_is_gone_is_marked_and_may_return(warehouse: Warehouse, acme: Tenant) -> None:
    put_marketing_events(warehouse, "acme", [event("a"), event("b")])
    assert put_marketing_events(warehouse, "acme", [], gone=["a", "never seen"]) == 1
    assert put_marketing_events(warehouse, "acme", [event("b")], gone=["a"]) == 0
    assert [rows(warehouse)[key][1] for key in "ab"] == [False, True]
    assert put_marketing_events(warehouse, "acme", [event("a")]) == 1
    assert rows(warehouse)["a"][1] is True


@pytest.mark.parametrize(
    ("events", "gone", "message"),
    [
        ([event("a", budget=5)], [], "a marketing event has no budget"),
        ([event("a"), event("a")], [], "more than once: a"),
        ([event("a")], ["a"], "more than once: a"),
    ],
)
def test_a_contradiction_is_refused_before_anything_is_written(
    warehouse: Warehouse, acme: Tenant, events: list[dict[str, Any]], gone: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        put_marketing_events(warehouse, "acme", events, gone)


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "pigeon"},
        {"status": "perhaps"},
        {"name": None},
        {"ends_at": datetime(2026, 6, 30, tzinfo=UTC)},
    ],
)
def test_one_wrong_event_keeps_the_others_out(
    warehouse: Warehouse, acme: Tenant, wrong: dict[str, Any]
) -> None:
    with pytest.raises(psycopg.errors.IntegrityError):
        put_marketing_events(warehouse, "acme", [event("a"), event("b", **wrong)])
    assert rows(warehouse) == {}


def test_values_are_bound_and_never_read_as_sql(warehouse: Warehouse, acme: Tenant) -> None:
    name = "'); drop table activation.marketing_event; -- %s {} \\"
    put_marketing_events(warehouse, "acme", [event(name, name=name, description=name)])
    assert rows(warehouse)[name][0] == name


# -- the demo's plan -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tenant_id", TENANT_IDS)
def test_the_demo_plan_is_the_same_every_time_and_fits_the_table(
    warehouse: Warehouse, tenant_id: str
) -> None:
    plan = marketing_events(tenant_id)
    assert plan == marketing_events(tenant_id)
    assert 12 <= len(plan) <= 20
    assert len({planned["name"] + planned["description"] for planned in plan}) == len(plan)
    assert not any(mark in planned["name"] + planned["description"] for planned in plan for mark in "{}")
    assert put_marketing_events(warehouse, tenant_id, plan) == len(plan)
    assert put_marketing_events(warehouse, tenant_id, marketing_events(tenant_id)) == 0


def test_vietnamese_shops_plan_in_both_languages_and_the_english_one_in_english() -> None:
    def vietnamese(tenant_id: str) -> int:
        return sum(
            any(letter in planned["description"].lower() for letter in "ạảãắằếềệộờớưịọậ")
            for planned in marketing_events(tenant_id)
        )

    for tenant_id in ("acme-demo", "lotus-demo"):
        assert 8 <= vietnamese(tenant_id) < len(marketing_events(tenant_id))
    assert vietnamese("nova-demo") == 0


def test_later_days_add_rewrite_and_cancel_an_event(warehouse: Warehouse, acme: Tenant) -> None:
    put_marketing_events(warehouse, "acme", marketing_events("acme-demo"))
    # a day adds a deal; the first rewrites a text, the second cancels an event and ends the first day's deal
    assert [
        put_marketing_events(warehouse, "acme", marketing_events("acme-demo", step=step)) for step in (1, 2)
    ] == [
        2,
        3,
    ]
    with warehouse.tenant("acme") as conn:
        states = dict(conn.execute("select status, count(*) from activation.marketing_event group by status"))
    assert states["cancelled"] == 1
    assert set(states) == {"planned", "running", "done", "cancelled"}


def test_the_plan_of_an_unknown_tenant_is_refused() -> None:
    with pytest.raises(ValueError, match="no tenant 'umbrella'"):
        marketing_events("umbrella")
