"""What people are told of runs: real runs fail and recover in an ephemeral instance, a recorder takes the alerts.

Annotations are not postponed: Dagster reads them.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from cdp_assets.automation import alerts, run_status
from cdp_assets.automation.alerts import Outcome
from cdp_assets.notify import Alert, Notifier
from cdp_assets.partitions import TENANT_DIMENSION, tenants
from cdp_assets.sources.model import SourceRejected
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant


class UniqueViolation(Exception):
    """Stands for a database's error that quotes a row."""


@dg.asset(partitions_def=tenants)
def upper() -> None: ...


@dg.asset(partitions_def=tenants, retry_policy=dg.RetryPolicy(max_retries=1, delay=0), deps=[upper])
def lower(context: dg.AssetExecutionContext) -> None:
    why = context.run.tags.get("test/why")
    if why == "rejected":
        try:
            raise SourceRejected("the secret ACME_PASSWORD is not set")
        except SourceRejected as error:
            raise dg.Failure(f"acme: {error}", allow_retries=False) from error
    if why == "database":
        raise UniqueViolation('duplicate key "an@example.vn"\nDETAIL: Key (email)=(an@example.vn) exists.')


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # partitioned checks are in preview

    @dg.asset_check(asset=lower, blocking=True, partitions_def=tenants)
    def sound(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=context.run.tags.get("test/why") != "check")


DEFINITIONS = dg.Definitions(
    assets=[upper, lower],
    asset_checks=[sound],
    jobs=[dg.define_asset_job("work", executor_def=dg.in_process_executor)],
)


class Recorder(Notifier):
    """Keeps what it is asked to send."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Alert] = []

    def send(self, alert: Alert) -> None:
        self.sent.append(alert)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        opened.add_dynamic_partitions(TENANT_DIMENSION, ["acme", "globex"])
        yield opened


def work(
    instance: dg.DagsterInstance,
    why: str = "",
    tenant_id: str = "acme",
    only: dg.AssetsDefinition | None = None,
) -> dg.ExecuteInProcessResult:
    return DEFINITIONS.resolve_job_def("work").execute_in_process(
        instance=instance,
        partition_key=tenant_id,
        asset_selection=[only.key] if only else None,
        tags={"test/why": why},
        raise_on_error=False,
    )


def report(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult, **resources: Any) -> list[Any]:
    """Call every run status sensor that the run's end concerns; the skip messages."""
    event = next(
        each
        for each in result.all_events
        if each.event_type_value in {"PIPELINE_SUCCESS", "PIPELINE_FAILURE"}
    )
    context = dg.build_run_status_sensor_context(
        "sensor", event, instance, instance.get_run_by_id(result.run_id), resources=resources
    )
    if result.success:
        said = [run_status.alert_on_recovery(context)]
    else:
        said = [run_status.alert_on_failure(context.for_run_failure())]
        if "warehouse" in resources:
            said.append(run_status.close_failed_runs(context.for_run_failure()))
    return [skip.skip_message for skip in said if skip]


def told(instance: dg.DagsterInstance, recorder: Recorder, *args: Any, **kwargs: Any) -> list[Alert]:
    recorder.sent.clear()
    report(instance, work(instance, *args, **kwargs), notifier=recorder)
    return list(recorder.sent)


# -- failures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "step", "error", "next_step"),
    [
        pytest.param(
            "rejected",
            "lower",
            "Failure: acme: the secret ACME_PASSWORD is not set",
            "Mend what the message names",
            id="a permanent fault of the source",
        ),
        pytest.param(
            "database",
            "lower",
            "UniqueViolation: duplicate key '...'",
            "re-execute the run from failure",
            id="an error that quotes a row, after its retries",
        ),
        pytest.param(
            "check",
            "lower_sound",
            "DagsterAssetCheckFailedError: 1 blocking asset check failed with ERROR severity:",
            "The check's metadata shows",
            id="a blocking check",
        ),
    ],
)
def test_an_alert_names_tenant_step_error_and_next_step(
    instance: dg.DagsterInstance, recorder: Recorder, why: str, step: str, error: str, next_step: str
) -> None:
    (alert,) = told(instance, recorder, why)
    assert alert.title == "work failed for tenant acme"
    assert alert.is_problem
    lines = dict(line.split(": ", 1) for line in alert.details.splitlines())
    assert (lines["Step"], lines["Error"]) == (step, error)
    assert next_step in lines["Next"]
    assert "an@example.vn" not in alert.details


def test_a_row_of_failures_is_told_ever_more_rarely(instance: dg.DagsterInstance, recorder: Recorder) -> None:
    titles = [alert.title for _ in range(5) for alert in told(instance, recorder, "rejected")]
    assert titles == [
        "work failed for tenant acme",
        "work failed for tenant acme (2 times in a row)",
        "work failed for tenant acme (4 times in a row)",
    ]


@pytest.mark.parametrize("before", [127, 255, 511])
def test_failures_are_counted_whole(instance: dg.DagsterInstance, recorder: Recorder, before: int) -> None:
    """A source that is gone for good is told of again and again, ever more rarely."""
    for _ in range(before):
        create_run_for_test(
            instance, job_name="work", status=dg.DagsterRunStatus.FAILURE, tags={"dagster/partition": "acme"}
        )
    (alert,) = told(instance, recorder, "rejected")
    assert alert.title == f"work failed for tenant acme ({before + 1} times in a row)"
    assert told(instance, recorder, "rejected") == []
    (alert,) = told(instance, recorder)
    assert alert.title == "work works again for tenant acme"


def test_runs_are_read_as_far_as_their_answer_needs() -> None:
    def history() -> Iterator[Outcome]:
        yield Outcome(False, frozenset("a"))
        yield Outcome(True, frozenset("ab"))
        raise AssertionError("read on")

    assert alerts.failures_in_a_row(frozenset("a"), history()) == 2
    assert alerts.is_recovery(frozenset("a"), history())
    assert not alerts.is_recovery(frozenset("b"), history())


def test_another_tenants_failures_are_counted_apart(instance: dg.DagsterInstance, recorder: Recorder) -> None:
    told(instance, recorder, "rejected", tenant_id="globex")
    (alert,) = told(instance, recorder, "rejected")
    assert alert.title == "work failed for tenant acme"


def test_a_run_that_died_outside_of_any_step_is_told_too(
    instance: dg.DagsterInstance, recorder: Recorder
) -> None:
    run = create_run_for_test(
        instance, job_name="work", tags={"cdp/tenant": "acme", "dagster/will_retry": "true"}
    )
    instance.report_run_failed(run, "the worker was evicted")
    (record,) = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.PIPELINE_FAILURE).records
    event = record.event_log_entry.dagster_event
    assert event is not None
    context = dg.build_run_status_sensor_context(
        "sensor", event, instance, run, resources={"notifier": recorder}
    )
    run_status.alert_on_failure(context.for_run_failure())
    (alert,) = recorder.sent
    assert alert.details.splitlines()[1:] == [
        "Step: none, the run itself",
        "Error: RunFailure: the worker was evicted",
        "Next: Dagster starts the run again by itself.",
    ]


# -- recovery ------------------------------------------------------------------------------------------------------


def test_only_the_first_success_after_a_failure_is_told(
    instance: dg.DagsterInstance, recorder: Recorder
) -> None:
    assert told(instance, recorder) == []
    assert told(instance, recorder, "rejected")
    (alert,) = told(instance, recorder)
    assert alert.title == "work works again for tenant acme"
    assert not alert.is_problem
    assert told(instance, recorder) == []


def test_another_tenants_success_is_no_recovery(instance: dg.DagsterInstance, recorder: Recorder) -> None:
    told(instance, recorder, "rejected")
    assert told(instance, recorder, tenant_id="globex") == []


def test_a_run_of_other_assets_that_succeeds_is_no_recovery(
    instance: dg.DagsterInstance, recorder: Recorder
) -> None:
    """A sweep of the products that works says nothing of the sweep of the profiles that failed."""
    told(instance, recorder, "rejected", only=lower)
    assert told(instance, recorder, only=upper) == []
    assert [alert.title for alert in told(instance, recorder)] == ["work works again for tenant acme"]


# -- the registry --------------------------------------------------------------------------------------------------


def test_entries_that_a_failed_run_left_open_are_closed_with_its_error(
    instance: dg.DagsterInstance, recorder: Recorder, warehouse: Warehouse, acme: Tenant
) -> None:
    result = work(instance, "database")
    with warehouse.tenant("acme") as conn:
        for run_id, orchestrator_run_id in (("1", result.run_id), ("2", "another")):
            conn.execute(
                "insert into ops.etl_runs (tenant_id, run_id, dataset, status, trigger, orchestrator_run_id, "
                "code_version) values ('acme', %s, 'cdp.segment', 'running', 'manual', %s, '1')",
                (run_id, orchestrator_run_id),
            )
    report(instance, result, notifier=recorder, warehouse=warehouse)
    with warehouse.tenant("acme") as conn:
        rows = conn.execute("select status, error from ops.etl_runs order by run_id").fetchall()
    assert rows == [("failed", "UniqueViolation: duplicate key '...'"), ("running", None)]


def test_a_run_of_no_tenant_closes_nothing(instance: dg.DagsterInstance, recorder: Recorder) -> None:
    @dg.op
    def broken() -> None:
        raise RuntimeError

    @dg.job
    def upkeep() -> None:
        broken()

    result = upkeep.execute_in_process(instance=instance, raise_on_error=False)
    skipped = report(instance, result, notifier=recorder, warehouse=None)
    assert skipped == ["the run belongs to no tenant"]
    assert recorder.sent[0].title == "upkeep failed"


def test_alerts_need_no_warehouse() -> None:
    """When the warehouse is down every run fails, and that is what people must be told."""
    for sensor in (run_status.alert_on_failure, run_status.alert_on_recovery):
        assert sensor.required_resource_keys == {"notifier"}


def test_alerts_are_on_from_the_start() -> None:
    assert {sensor.default_status for sensor in run_status.run_status_sensors} == {
        dg.DefaultSensorStatus.RUNNING
    }
