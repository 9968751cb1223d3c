"""Partitions, schedules and jobs through Dagster: real run records, a real warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_assets import automation, partitions
from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.automation import purge, schedules, sensors
from cdp_assets.definitions import build_definitions
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.tenants import Tenant, put_tenant, remove_tenant, set_status
from tests.artifact_support import DATASET, TENANT, put
from tests.automation_world import in_flight, register

STARTED, SUCCESS = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS
MIDNIGHT = datetime(2026, 8, 1, 17, 30, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """Schedules want an instance that another process could open; making one takes two seconds."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("home"))) as opened:
        yield opened


@pytest.fixture
def stored(home: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    yield home
    home.wipe()
    for tenant_id in home.get_dynamic_partitions(partitions.TENANT_DIMENSION):
        home.delete_dynamic_partition(partitions.TENANT_DIMENSION, tenant_id)


# -- partitions ----------------------------------------------------------------------------------------------------


def partition_tick(
    sensor: Any, warehouse: Warehouse, instance: dg.DagsterInstance
) -> tuple[set[str], set[str], str | None]:
    """Keys that the sensor adds and deletes, and its skip reason."""
    with dg.build_sensor_context(instance=instance, resources={"warehouse": warehouse}) as context:
        result = sensor(context)
    if isinstance(result, dg.SkipReason):
        return set(), set(), result.skip_message
    added, deleted = set(), set()
    for request in result.dynamic_partitions_requests:
        (added if isinstance(request, dg.AddDynamicPartitionsRequest) else deleted).update(
            request.partition_keys
        )
    return added, deleted, result.skip_reason and result.skip_reason.skip_message


def test_partitions_of_tenants_follow_the_registry(
    warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    put_tenant(warehouse, Tenant("acme", "Acme", "active", "dump", {"folder": "x"}))
    assert partition_tick(sensors.tenant_partitions, warehouse, instance) == ({"acme"}, set(), None)
    instance.add_dynamic_partitions(partitions.TENANT_DIMENSION, ["acme"])
    assert partition_tick(sensors.tenant_partitions, warehouse, instance) == (set(), set(), "in step")
    set_status(warehouse, "acme", "suspended")
    assert partition_tick(sensors.tenant_partitions, warehouse, instance) == (set(), set(), "in step")
    remove_tenant(warehouse, "acme")
    assert partition_tick(sensors.tenant_partitions, warehouse, instance) == (set(), {"acme"}, None)


@pytest.mark.parametrize("tag", ["cdp__tenant", "dagster__partition", "dagster__partition__leo_cdp_tenant"])
@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, STARTED, dg.DagsterRunStatus.CANCELING])
def test_a_partition_with_a_run_in_flight_is_not_deleted(
    warehouse: Warehouse, instance: dg.DagsterInstance, tag: str, status: dg.DagsterRunStatus
) -> None:
    """Dagster throws the finished work of such a run away when it reports it."""
    instance.add_dynamic_partitions(partitions.TENANT_DIMENSION, ["gone"])
    in_flight(instance, status, **{tag: "gone"})
    added, deleted, why = partition_tick(sensors.tenant_partitions, warehouse, instance)
    assert (added, deleted, why) == (set(), set(), "kept while runs use them: gone")


def test_a_partition_whose_runs_have_ended_is_deleted(
    warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(partitions.TENANT_DIMENSION, ["gone"])
    in_flight(instance, SUCCESS, cdp__tenant="gone")
    assert partition_tick(sensors.tenant_partitions, warehouse, instance) == (set(), {"gone"}, None)


def test_a_role_that_sees_an_empty_registry_removes_nothing(
    postgres: Any, database: str, instance: dg.DagsterInstance
) -> None:
    """Row level security shows cdp_reader no tenant, without an error: that is no reason to remove all."""
    instance.add_dynamic_partitions(partitions.TENANT_DIMENSION, ["acme"])
    with (
        Warehouse(postgres.dsn(database, user="cdp_reader")) as reader,
        pytest.raises(WarehouseError, match="cdp_pipe"),
    ):
        partition_tick(sensors.tenant_partitions, reader, instance)


def add_segment(warehouse: Warehouse, tenant_id: str, segment_id: str, status: str = "active") -> None:
    with warehouse.tenant(tenant_id) as conn:
        conn.execute(
            "insert into cdp.segment (tenant_id, segment_id, segment_type, status, metadata, content_hash) "
            "values (%s, %s, 'dynamic', %s, '{}', 'x')",
            (tenant_id, segment_id, status),
        )


def test_partitions_of_segments_follow_every_tenants_segments(
    warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    register(warehouse, instance, "acme", "globex")
    for tenant_id, segment_id in (("acme", "vip"), ("globex", "vip"), ("globex", "new"), ("acme", "a|b")):
        add_segment(warehouse, tenant_id, segment_id)
    add_segment(warehouse, "acme", "soft", status="deleted")
    assert partition_tick(sensors.segment_partitions, warehouse, instance) == ({"vip", "new"}, set(), None)
    instance.add_dynamic_partitions(partitions.SEGMENT_DIMENSION, ["vip", "new"])
    in_flight(instance, dagster__partition__leo_cdp_segment="new")
    with warehouse.tenant("globex") as conn:
        conn.execute("update cdp.segment set deleted_at = now()")
    assert partition_tick(sensors.segment_partitions, warehouse, instance) == (
        set(), set(), "kept while runs use them: new",
    )  # fmt: skip


# -- abandoned entries ---------------------------------------------------------------------------------------------


def test_entries_of_runs_that_are_gone_are_closed_and_those_of_live_runs_are_not(
    warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    register(warehouse, instance, "acme")
    dead, alive = in_flight(instance, dg.DagsterRunStatus.CANCELED), in_flight(instance, STARTED)
    with warehouse.tenant("acme") as conn:
        for number, run_id in enumerate((dead, alive, "unknown", None)):
            conn.execute(
                "insert into ops.etl_runs (tenant_id, run_id, dataset, status, trigger, orchestrator_run_id, "
                "code_version) values ('acme', %s, 'cdp.segment', 'running', 'manual', %s, '1')",
                (str(number), run_id),
            )
    with dg.build_sensor_context(instance=instance, resources={"warehouse": warehouse}) as context:
        result = sensors.abandoned_runs(context)
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message == "closed 1 entries"
    with warehouse.tenant("acme") as conn:
        rows = conn.execute("select orchestrator_run_id, status from ops.etl_runs order by run_id").fetchall()
    assert rows == [(dead, "failed"), (alive, "running"), ("unknown", "running"), (None, "running")]


# -- schedules and jobs --------------------------------------------------------------------------------------------


def schedule_tick(schedule: Any, warehouse: Warehouse, stored: dg.DagsterInstance) -> Any:
    with dg.build_schedule_context(
        instance=stored, scheduled_execution_time=MIDNIGHT, resources={"warehouse": warehouse}
    ) as context:
        return schedule(context)


def test_the_sync_runs_once_per_tick_for_each_active_tenant_that_is_free(
    warehouse: Warehouse, stored: dg.DagsterInstance
) -> None:
    register(warehouse, stored, "acme", "asleep", "busy")
    set_status(warehouse, "asleep", "suspended")
    in_flight(stored, dagster__partition="busy")
    (request,) = schedule_tick(schedules.leo_cdp_sync_every_15_minutes, warehouse, stored)
    assert (request.partition_key, request.run_key) == ("acme", "2026-08-01T17:30+0000/acme")
    job = build_definitions().resolve_job_def("leo_cdp_sync")
    resolved = request.with_resolved_tags_and_config(job, [], stored)
    assert {op["config"]["mode"] for op in resolved.run_config["ops"].values()} == {"WINDOW"}
    assert resolved.tags["cdp/tenant"] == "acme"


def test_without_active_tenants_schedules_say_so(warehouse: Warehouse, stored: dg.DagsterInstance) -> None:
    for schedule in (schedules.leo_cdp_sync_every_15_minutes, schedules.leo_segment_etl_hourly):
        result = schedule_tick(schedule, warehouse, stored)
        assert isinstance(result, dg.SkipReason)
        assert "no tenant is active" in str(result.skip_message)


def test_the_nightly_sweep_waits_for_last_nights_own_only(
    warehouse: Warehouse, stored: dg.DagsterInstance
) -> None:
    register(warehouse, stored, "acme", "globex")
    in_flight(stored, cdp__tenant="acme", dagster__schedule_name="leo_cdp_sync_every_15_minutes")
    in_flight(stored, cdp__tenant="globex", dagster__schedule_name="leo_cdp_sweep_nightly")
    requests = schedule_tick(schedules.leo_cdp_sweep_nightly, warehouse, stored)
    assert [request.partition_key for request in requests] == ["acme"]


def test_the_segment_etl_runs_the_segments_that_a_tenant_names(
    warehouse: Warehouse, stored: dg.DagsterInstance
) -> None:
    register(warehouse, stored, "acme", segments=["vip", "new"])
    register(warehouse, stored, "globex")
    in_flight(
        stored, cdp__tenant="acme", cdp__segment="new", dagster__schedule_name="leo_segment_etl_hourly"
    )  # fmt: skip
    (request,) = schedule_tick(schedules.leo_segment_etl_hourly, warehouse, stored)
    assert request.tags == {"cdp/tenant": "acme", "cdp/segment": "vip"}
    assert {op["config"]["segment_id"] for op in request.run_config["ops"].values()} == {"vip"}
    dg.validate_run_config(build_definitions().resolve_job_def("leo_segment_etl"), request.run_config)


def test_no_segment_named_skips_with_the_reason(warehouse: Warehouse, stored: dg.DagsterInstance) -> None:
    register(warehouse, stored, "acme")
    result = schedule_tick(schedules.leo_segment_etl_hourly, warehouse, stored)
    assert result.skip_message == "acme: the option segments names no segment"


def test_a_segment_etl_started_by_hand_takes_no_segment_by_itself() -> None:
    """Blank processes nothing: unset would load the whole collection under the name of a segment."""
    job = build_definitions().resolve_job_def("leo_segment_etl")
    config = job.get_run_config_for_partition_key("acme")
    assert {op["config"]["segment_id"] for op in config["ops"].values()} == {""}


def test_every_job_of_assets_tags_the_tenant_whoever_starts_it() -> None:
    definitions = build_definitions()
    for name in ("leo_cdp_sync", "leo_cdp_sweep", "leo_segment_etl"):
        job = definitions.resolve_job_def(name)
        assert job.get_tags_for_partition_key("acme", None)["cdp/tenant"] == "acme"
        assert job.executor_def.name == "in_process"
        assert job.description
        dg.validate_run_config(job, dict(job.get_run_config_for_partition_key("acme")))


def test_schedules_state_their_time_zone_and_purpose() -> None:
    for schedule in schedules.schedules:
        assert schedule.execution_timezone == "Asia/Ho_Chi_Minh"
        assert schedule.description


@pytest.mark.parametrize(("dsn", "starts"), [("", False), ("postgresql://cdp_pipeline@warehouse/cdp", True)])
def test_a_laptop_reads_no_source_by_itself_and_an_installation_does(
    monkeypatch: pytest.MonkeyPatch, dsn: str, starts: bool
) -> None:
    monkeypatch.delenv("CDP_WAREHOUSE_DSN", raising=False)
    if dsn:
        monkeypatch.setenv("CDP_WAREHOUSE_DSN", dsn)
    get_settings.cache_clear()
    try:
        assert automation.starts_by_itself() is starts
    finally:
        get_settings.cache_clear()


# -- purge ---------------------------------------------------------------------------------------------------------


def test_the_purge_deletes_old_finished_runs_and_keeps_what_shows_the_newest_state(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    @dg.asset(partitions_def=partitions.tenants)
    def table() -> None: ...

    instance.add_dynamic_partitions(partitions.TENANT_DIMENSION, ["acme", "asleep"])

    def materialize(tenant_id: str) -> str:
        return dg.materialize([table], instance=instance, partition_key=tenant_id).run_id

    long_ago = [materialize("asleep"), materialize("acme"), in_flight(instance, STARTED)]
    last = materialize("acme")
    definitions = dg.Definitions(jobs=[purge.purge], resources={"artifacts": ArtifactStore(tmp_path)})

    def purged(keep_days: int) -> set[str]:
        result = definitions.resolve_job_def("purge").execute_in_process(
            instance=instance, run_config={"ops": {"delete_old_runs": {"config": {"keep_days": keep_days}}}}
        )
        return {run.run_id for run in instance.get_runs()} - {result.run_id}

    assert purged(keep_days=1) == {*long_ago, last}, "nothing is old yet"
    age(instance, long_ago)
    kept = purged(keep_days=1)
    assert long_ago[0] in kept, "the newest materialization of a suspended tenant's partition"
    assert long_ago[1] not in kept
    assert long_ago[2] in kept, "a run that has not ended"
    assert last in kept


def test_the_purge_keeps_the_newest_versions_and_the_published_one(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path)
    kept = put(store, b"published, and the oldest").version
    old, newest = (
        put(store, word, publish=False, hours=hour).version for hour, word in ((1, b"a"), (2, b"b"))
    )
    job = dg.Definitions(jobs=[purge.purge], resources={"artifacts": store})
    result = job.resolve_job_def("purge").execute_in_process(
        instance=instance, run_config={"ops": {"delete_old_versions": {"config": {"keep": 1}}}}
    )
    assert result.success
    left = {manifest.version for manifest in store.versions(DATASET, TENANT)}
    assert left == {kept, newest}
    assert old not in left


def age(instance: dg.DagsterInstance, run_ids: list[str]) -> None:
    """Let the runs have ended two days ago."""
    from dagster._core.storage.runs.schema import RunsTable

    with instance.run_storage.connect() as connection:
        connection.execute(
            RunsTable.update()
            .where(RunsTable.c.run_id.in_(run_ids))
            .values(update_timestamp=datetime.now(UTC).replace(tzinfo=None) - timedelta(days=2))
        )
