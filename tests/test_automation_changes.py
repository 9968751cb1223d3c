"""The sensor on changes of LEO CDP: who is swept, who waits, and what a failed read does not do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_assets import partitions
from cdp_assets.automation import sensors, state
from cdp_assets.automation.decisions import TABLES
from cdp_assets.definitions import build_definitions
from cdp_assets.opening import Sources
from cdp_assets.sources.model import PRODUCT_ITEM, PROFILE, SEGMENT, SourceUnavailable
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant, set_status
from tests.automation_world import FakeSources, fail_run, in_flight, register, rewind, swept

STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def sources() -> FakeSources:
    return FakeSources()


def change_tick(
    warehouse: Warehouse, sources: Any, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult:
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"warehouse": warehouse, "sources": sources}
    ) as context:
        result = sensors.leo_cdp_changes(context)
    assert isinstance(result, dg.SensorResult)
    return result


def requested(result: dg.SensorResult) -> list[str | None]:
    return [request.partition_key for request in result.run_requests or []]


def test_a_changed_collection_is_swept_with_what_follows_and_nothing_else(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    register(warehouse, instance, "acme")
    swept(warehouse, "acme")
    sources.revisions["acme", PRODUCT_ITEM] = "2"
    (request,) = change_tick(warehouse, sources, instance).run_requests or []
    assert request.asset_selection == [dg.AssetKey(["cdp", "product_item"])]
    assert request.run_config == {"ops": {"cdp__product_item": {"config": {"mode": "SWEEP"}}}}
    assert request.tags == {"cdp/tenant": "acme"}
    assert request.run_key is None, "a run key would keep a failed sweep from ever being repeated"


def test_nothing_changed_requests_nothing_and_says_so(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    register(warehouse, instance, "acme")
    swept(warehouse, "acme")
    result = change_tick(warehouse, sources, instance)
    assert not result.run_requests
    assert result.skip_reason
    assert result.skip_reason.skip_message == "acme: nothing changed"


def test_requests_fit_the_job(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    """What Dagster does with a request before it launches it: partition, tags and run config are resolved."""
    register(warehouse, instance, "acme")
    swept(warehouse, "acme")
    sources.revisions["acme", PROFILE] = "2"
    (request,) = change_tick(warehouse, sources, instance).run_requests or []
    job = build_definitions().resolve_job_def("leo_cdp_sweep")
    resolved = request.with_resolved_tags_and_config(job, [], instance)
    assert resolved.tags["dagster/partition"] == resolved.tags["cdp/tenant"] == "acme"
    subset = job.get_subset(asset_selection=set(request.asset_selection or []))
    dg.validate_run_config(subset, dict(resolved.run_config or {}))


def test_a_tenant_that_cannot_be_read_gets_no_run_and_the_others_do(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    register(warehouse, instance, "acme", "broken", "globex")
    sources.answers["broken"] = SourceUnavailable("ArangoDB does not answer")
    assert requested(change_tick(warehouse, sources, instance)) == ["acme", "globex"]


def test_a_registration_that_makes_us_stumble_is_told_like_a_failed_read(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    register(warehouse, instance, "acme", "odd")
    swept(warehouse, "acme")
    sources.answers["odd"] = TypeError("hosts is a number")
    result = change_tick(warehouse, sources, instance)
    assert result.skip_reason
    assert "odd: TypeError: hosts is a number" in str(result.skip_reason.skip_message)


def test_the_tick_fails_when_no_tenant_can_be_read(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    register(warehouse, instance, "acme")
    sources.answers["acme"] = SourceUnavailable("ArangoDB does not answer")
    with pytest.raises(SourceUnavailable, match="acme: ArangoDB does not answer"):
        change_tick(warehouse, sources, instance)


def test_a_source_that_hangs_costs_its_own_tenant_the_answer_and_nobody_else(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "READ_BUDGET_S", 0.5)
    register(warehouse, instance, "acme", "hangs")
    sources.answers["hangs"] = released = threading.Event()
    try:
        result = change_tick(warehouse, sources, instance)
    finally:
        released.set()
    assert requested(result) == ["acme"]


def test_tenants_that_were_not_reached_come_first_in_the_next_tick(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a few hanging sources at the head of the queue would starve everybody behind them."""
    monkeypatch.setattr(sensors, "READ_BUDGET_S", 0.5)
    monkeypatch.setattr(state, "READERS", 1)
    register(warehouse, instance, "a-hangs", "b-waits")
    sources.answers["a-hangs"] = released = threading.Event()
    try:
        first = change_tick(warehouse, sources, instance)
        second = change_tick(warehouse, sources, instance, cursor=first.cursor)
    finally:
        released.set()
    assert (requested(first), first.cursor) == ([], "a-hangs")
    assert requested(second) == ["b-waits"]


def test_the_cap_is_kept_and_the_rest_has_its_turn_next(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "MAX_REQUESTS", 2)
    register(warehouse, instance, "a", "b", "c")
    first = change_tick(warehouse, sources, instance)
    second = change_tick(warehouse, sources, instance, cursor=first.cursor)
    assert (requested(first), first.cursor) == (["a", "b"], "b")
    assert requested(second) == ["c", "a"]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, STARTED])
@pytest.mark.parametrize("tag", ["cdp__tenant", "dagster__partition"])
def test_a_tenant_with_a_run_in_flight_is_not_swept_again(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources, tag: str, status: Any
) -> None:
    register(warehouse, instance, "acme", "globex")
    in_flight(instance, status, **{tag: "acme"})
    assert requested(change_tick(warehouse, sources, instance)) == ["globex"]


def test_suspended_and_unregistered_tenants_get_no_run(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    register(warehouse, instance, "acme", "asleep")
    set_status(warehouse, "asleep", "suspended")
    put_tenant(warehouse, Tenant("new", "New", "active", "dump", {"folder": "x"}))
    assert requested(change_tick(warehouse, sources, instance)) == ["acme"]


def test_a_sweep_is_followed_by_a_pause(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    register(warehouse, instance, "acme")
    swept(warehouse, "acme", seconds_ago=5)
    sources.answers["acme"] = "2"
    result = change_tick(warehouse, sources, instance)
    assert not result.run_requests
    assert result.skip_reason
    assert "pauses 5" in str(result.skip_reason.skip_message)
    with warehouse.tenant("acme") as conn:
        conn.execute("update ops.etl_runs set duration_s = 100")
    rewind(warehouse, "acme", 2000)
    assert not requested(change_tick(warehouse, sources, instance)), "600 s of reading, 2400 s of rest"
    rewind(warehouse, "acme", 500)
    assert requested(change_tick(warehouse, sources, instance)) == ["acme"]


def test_failed_runs_are_repeated_after_a_pause_that_doubles(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    register(warehouse, instance, "acme")
    swept(warehouse, "acme")
    sources.revisions["acme", PRODUCT_ITEM] = "2"
    for run_id in ("one", "two", "two", "three"):  # the second run was tried twice: still one failure
        fail_run(warehouse, "acme", "product_item", run_id)
    result = change_tick(warehouse, sources, instance)
    assert not result.run_requests
    assert result.skip_reason
    assert "cdp_productitem waits until" in str(result.skip_reason.skip_message)
    rewind(warehouse, "acme", 3 * 60)
    assert not requested(change_tick(warehouse, sources, instance))
    rewind(warehouse, "acme", 61)
    assert requested(change_tick(warehouse, sources, instance)) == ["acme"]


def test_failures_before_the_last_successful_sweep_are_forgotten(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    register(warehouse, instance, "acme")
    fail_run(warehouse, "acme", "product_item", "one")
    swept(warehouse, "acme", seconds_ago=70)
    sources.revisions["acme", PRODUCT_ITEM] = "2"
    assert requested(change_tick(warehouse, sources, instance)) == ["acme"]


def test_runs_that_died_before_their_first_step_count_as_failures(
    warehouse: Warehouse, instance: dg.DagsterInstance, sources: FakeSources
) -> None:
    """They leave nothing in ops.etl_runs; unseen, a broken image would fail a run per tenant and minute."""
    register(warehouse, instance, "acme")
    swept(warehouse, "acme")
    sources.revisions["acme", PRODUCT_ITEM] = "2"
    in_flight(instance, FAILURE, cdp__tenant="acme", dagster__sensor_name="leo_cdp_changes")
    assert not requested(change_tick(warehouse, sources, instance))


def test_requested_sweeps_end_the_request(
    warehouse: Warehouse, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """From end to end: the first tick asks for a sweep, the sweep runs, the next tick finds nothing to do."""
    put_tenant(warehouse, Tenant("acme", "Acme", "active", "dump", {"folder": str(tmp_path)}))
    for collection in TABLES:
        (tmp_path / f"{collection}.jsonl").write_text(
            '{"_key": "vip", "_rev": "1"}\n' * (collection == SEGMENT)
        )
    instance.add_dynamic_partitions(partitions.TENANT_DIMENSION, ["acme"])
    sources = Sources()
    (request,) = change_tick(warehouse, sources, instance).run_requests or []
    definitions = build_definitions(resources={"warehouse": warehouse, "sources": sources})
    result = definitions.resolve_job_def("leo_cdp_sweep").execute_in_process(
        instance=instance,
        partition_key="acme",
        run_config=request.run_config,
        asset_selection=request.asset_selection,
        tags=dict(request.tags),
    )
    assert result.success
    rewind(warehouse, "acme", 300)
    again = change_tick(warehouse, sources, instance)
    assert not again.run_requests
    assert again.skip_reason
    assert again.skip_reason.skip_message == "acme: nothing changed"
