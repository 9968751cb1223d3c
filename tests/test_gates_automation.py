"""Schedules and sensors ask the gates before they ask for a run, and skip with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from cdp_assets.automation import catalogue, embedding, schedules
from cdp_assets.embedding import models
from cdp_assets.embedding.providers.model import ModelSpec
from cdp_assets.quality import Severity
from cdp_assets.warehouse.check_results import Result, keep
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.registry import record_run
from tests.automation_world import register
from tests.gates_support import all_passed
from tests.rows import insert

NIGHT = datetime(2026, 8, 1, 17, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    """A stored one: schedules open theirs by its reference. No test leaves a run behind."""
    with dg.instance_for_test() as opened:
        yield opened


@pytest.fixture
def two(warehouse: Warehouse, instance: dg.DagsterInstance) -> Warehouse:
    """Tenants with one segment, one product with a text to embed, and one article without a vector."""
    register(warehouse, instance, "acme", "lotus")
    instance.add_dynamic_partitions("leo_cdp_segment", ["vip"])
    for tenant_id in ("acme", "lotus"):
        models.ensure_active(warehouse, tenant_id, ModelSpec("placeholder", "gates", "", 8))
        with warehouse.tenant(tenant_id) as conn:
            insert(conn, "cdp.product_item", tenant_id=tenant_id, product_key="p1", title="Giày", status="published",
                   deleted_at=None)  # fmt: skip
            insert(
                conn, "cdp.segment", tenant_id=tenant_id, segment_id="vip", status="active", deleted_at=None
            )
            insert(conn, "datasets.articles_content", tenant_id=tenant_id, article_id="a", content_hash="red")
        with record_run(warehouse, tenant_id, "datasets.articles_content") as summary:
            summary.artifact_uri, summary.metrics = "x", {"version": "20260628-aaa"}
    return warehouse


def fail(warehouse: Warehouse, asset: str, check: str, tenant_id: str = "acme") -> None:
    failed = Result(asset, check, True, False, Severity.ERROR, 3, "three are wrong")
    with warehouse.tenant(tenant_id) as conn:
        keep(conn, tenant_id, [failed], scope="build", run_id="run")


def of_schedule(schedule: dg.ScheduleDefinition, warehouse: Warehouse, instance: dg.DagsterInstance) -> Any:
    with dg.build_schedule_context(
        instance=instance, scheduled_execution_time=NIGHT, resources={"warehouse": warehouse}
    ) as context:
        return schedule(context)


def of_sensor(name: str, warehouse: Warehouse, instance: dg.DagsterInstance) -> dg.SensorResult:
    if name == "embedding_jobs":
        with dg.build_sensor_context(instance=instance) as context:
            return embedding.evaluate(context, warehouse, listen_s=0)
    with dg.build_sensor_context(instance=instance, resources={"warehouse": warehouse}) as context:
        result = catalogue.articles_changed(context)
    assert isinstance(result, dg.SensorResult)
    return result


BUILDERS = [
    schedules.marts_refresh_hourly,
    schedules.events_and_funnels_close_nightly,
    schedules.reviews_nlp_nightly,
    schedules.user_item_interactions_nightly,
    schedules.articles_content_nightly,
    schedules.customer_features_nightly,
    schedules.timeseries_nightly,
    schedules.audience_refresh_nightly,
]


@pytest.mark.parametrize("schedule", BUILDERS, ids=lambda schedule: schedule.name)
def test_a_schedule_skips_a_tenant_whose_inputs_failed_and_says_why(
    two: Warehouse, instance: dg.DagsterInstance, schedule: dg.ScheduleDefinition
) -> None:
    all_passed(two, "acme", "lotus")
    fail(two, "cdp.customer_profile", "row_count")
    fail(two, "cdp.product_item", "row_count")
    requests = of_schedule(schedule, two, instance)
    assert [request.partition_key.rpartition("|")[2] for request in requests] == ["lotus"]
    fail(two, "cdp.customer_profile", "row_count", "lotus")
    fail(two, "cdp.product_item", "row_count", "lotus")
    skip = of_schedule(schedule, two, instance)
    assert isinstance(skip, dg.SkipReason)
    assert "row_count failed (3)" in str(skip.skip_message)
    assert "Remedy: Materialize cdp." in str(skip.skip_message)


@pytest.mark.parametrize(
    ("sensor", "asset", "check"),
    [
        ("embedding_jobs", "cdp.product_item", "row_count"),
        ("articles_changed", "datasets.articles_content", "contract_kept"),
    ],
)
def test_a_sensor_skips_a_tenant_whose_inputs_failed_and_says_why(
    two: Warehouse, instance: dg.DagsterInstance, sensor: str, asset: str, check: str
) -> None:
    all_passed(two, "acme", "lotus")
    fail(two, asset, check)
    requests = of_sensor(sensor, two, instance).run_requests or ()
    assert [request.partition_key for request in requests] == ["lotus"]
    fail(two, asset, check, "lotus")
    skip = of_sensor(sensor, two, instance).skip_reason
    assert f"{asset}: {check} failed (3)" in str(skip)


def test_landing_is_never_held_it_is_how_what_failed_is_mended(
    two: Warehouse, instance: dg.DagsterInstance
) -> None:
    fail(two, "cdp.customer_profile", "row_count")
    for schedule in (schedules.leo_cdp_sync_every_15_minutes, schedules.leo_cdp_sweep_nightly):
        assert len(of_schedule(schedule, two, instance)) == 2


def test_vectors_that_nobody_measured_get_a_run_once(two: Warehouse, instance: dg.DagsterInstance) -> None:
    """After an upgrade: nothing waits for a vector, yet what is built on them asks for a result."""
    for tenant_id in ("acme", "lotus"):
        with two.tenant(tenant_id) as conn:
            conn.execute("delete from embedding.job")
    all_passed(two, "acme", "lotus")
    assert not of_sensor("embedding_jobs", two, instance).run_requests
    with two.tenant("lotus") as conn:
        conn.execute("delete from ops.check_result where asset = 'embedding.profile_embedding'")
    (request,) = of_sensor("embedding_jobs", two, instance).run_requests or ()
    assert request.partition_key == "lotus"


def test_rows_that_nobody_measured_are_measured_within_the_hour(
    two: Warehouse, instance: dg.DagsterInstance
) -> None:
    """After an upgrade there is no result at all; after a replay the rows are newer than theirs."""
    all_passed(two, "lotus")
    (request,) = of_schedule(schedules.checks_refresh_hourly, two, instance)
    assert (request.partition_key, request.job_name) == ("acme", "checks_refresh")
    all_passed(two, "acme")
    fail(two, "cdp.customer_profile", "row_count")
    assert isinstance(of_schedule(schedules.checks_refresh_hourly, two, instance), dg.SkipReason)
    with two.tenant("lotus") as conn:
        conn.execute("update cdp.product_item set title = 'Dép'")
    (request,) = of_schedule(schedules.checks_refresh_hourly, two, instance)
    assert request.partition_key == "lotus"
