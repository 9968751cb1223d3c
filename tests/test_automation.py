"""Jobs, schedules and sensors through Dagster: real run records, a real warehouse, sources that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test

from cdp_assets import automation, partitions
from cdp_assets.automation import jobs, schedules, sensors, state
from cdp_assets.automation.decisions import TABLES
from cdp_assets.definitions import build_definitions
from cdp_assets.resources import Sources
from cdp_assets.settings import get_settings
from cdp_assets.sources.model import PRODUCT_ITEM, PROFILE, SEGMENT, Signature, SourceUnavailable
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.ledger import Ledger
from cdp_assets.warehouse.registry import record_run
from cdp_assets.warehouse.tenants import Tenant, put_tenant, remove_tenant, set_status

STARTED, SUCCESS, FAILURE = (
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
)
ORIGIN = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("cdp_assets"), "__repository__").get_job_origin(
    "job"
)
MIDNIGHT = datetime(2026, 8, 1, 17, 30, tzinfo=UTC)


@dataclass
class FakeSources:
    """Sources by tenant: a revision, an error to raise, or an event to wait for."""

    answers: dict[str, Any] = field(default_factory=dict)
    revisions: dict[tuple[str, str], str] = field(default_factory=dict)

    @contextmanager
    def open(self, tenant: Tenant) -> Iterator[Any]:
        yield FakeSource(self, tenant.tenant_id)


@dataclass
class FakeSource:
    world: FakeSources
    tenant_id: str

    def signature(self, collection: str) -> Signature:
        answer = self.world.answers.get(self.tenant_id, "1")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, threading.Event):
            answer.wait(20)
        return Signature(10, self.world.revisions.get((self.tenant_id, collection), str(answer)))


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


@pytest.fixture
def sources() -> FakeSources:
    return FakeSources()


def register(warehouse: Warehouse, instance: dg.DagsterInstance, *tenant_ids: str, **options: Any) -> None:
    for tenant_id in tenant_ids:
        put_tenant(warehouse, Tenant(tenant_id, tenant_id, "active", "dump", {"folder": "x"}, options))
    instance.add_dynamic_partitions(partitions.TENANT_DIMENSION, list(tenant_ids))


def swept(warehouse: Warehouse, tenant_id: str, revision: str = "1", seconds_ago: int = 3600) -> None:
    """As after a successful sweep of every collection that took a tenth of a second."""
    with warehouse.session(tenant_id) as session:
        for collection, table in TABLES.items():
            with record_run(warehouse, tenant_id, f"cdp.{table}", orchestrator_run_id="sweep") as summary:
                summary.metrics = {"mode": "sweep"}
            with session.transaction() as conn:
                Ledger(tenant_id, collection).finish(
                    conn, is_sweep=True, contract_version="1", count=10, revision=revision, withheld_deletes=0
                )
    rewind(warehouse, tenant_id, seconds_ago)


def rewind(warehouse: Warehouse, tenant_id: str, seconds: float) -> None:
    """Let so much time pass for what is recorded."""
    with warehouse.tenant(tenant_id) as conn:
        conn.execute(
            "update ops.etl_runs set started_at = started_at - %(by)s, finished_at = finished_at - %(by)s",
            {"by": timedelta(seconds=seconds)},
        )
        conn.execute("update ops.watermark set sweep_at = sweep_at - %s", (timedelta(seconds=seconds),))


def fail_run(warehouse: Warehouse, tenant_id: str, table: str, run_id: str) -> None:
    with (
        pytest.raises(RuntimeError),
        record_run(warehouse, tenant_id, f"cdp.{table}", orchestrator_run_id=run_id),
    ):
        raise RuntimeError("broken")


def in_flight(instance: dg.DagsterInstance, status: dg.DagsterRunStatus = STARTED, **tags: str) -> str:
    run = create_run_for_test(
        instance,
        job_name="leo_cdp_sweep",
        status=status,
        tags={key.replace("__", "/"): tags[key] for key in tags},
        remote_job_origin=ORIGIN,
    )
    return run.run_id


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


# -- changes -------------------------------------------------------------------------------------------------------


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
    instance: dg.DagsterInstance,
) -> None:
    @dg.asset(partitions_def=partitions.tenants)
    def table() -> None: ...

    instance.add_dynamic_partitions(partitions.TENANT_DIMENSION, ["acme", "asleep"])

    def materialize(tenant_id: str) -> str:
        return dg.materialize([table], instance=instance, partition_key=tenant_id).run_id

    long_ago = [materialize("asleep"), materialize("acme"), in_flight(instance, STARTED)]
    last = materialize("acme")
    definitions = dg.Definitions(jobs=[jobs.purge_old_runs])

    def purge(keep_days: int) -> set[str]:
        result = definitions.resolve_job_def("purge_old_runs").execute_in_process(
            instance=instance, run_config={"ops": {"delete_old_runs": {"config": {"keep_days": keep_days}}}}
        )
        return {run.run_id for run in instance.get_runs()} - {result.run_id}

    assert purge(keep_days=1) == {*long_ago, last}, "nothing is old yet"
    age(instance, long_ago)
    kept = purge(keep_days=1)
    assert long_ago[0] in kept, "the newest materialization of a suspended tenant's partition"
    assert long_ago[1] not in kept
    assert long_ago[2] in kept, "a run that has not ended"
    assert last in kept


def age(instance: dg.DagsterInstance, run_ids: list[str]) -> None:
    """Let the runs have ended two days ago."""
    from dagster._core.storage.runs.schema import RunsTable

    with instance.run_storage.connect() as connection:
        connection.execute(
            RunsTable.update()
            .where(RunsTable.c.run_id.in_(run_ids))
            .values(update_timestamp=datetime.now(UTC).replace(tzinfo=None) - timedelta(days=2))
        )
