"""What happens when a run of this code location ends: alerts, and entries of the registry that its death left open.

Belongs here: reading the event and handing it on. Does not belong here: the rules and the words (`alerts`).
Alerts need no warehouse, so that its own outage is told too; that is why closing entries is a sensor of its own.
"""

from __future__ import annotations

import dagster as dg

from cdp_assets.automation import alerts, runs
from cdp_assets.notify import Notifier
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.registry import close_abandoned

WRAPPERS = ("DagsterExecutionStepExecutionError", "RetryRequestedFromPolicy")
"""Dagster's own errors around the one that a step raised."""


def run_error(context: dg.RunFailureSensorContext) -> alerts.RunError:
    """The error of the first step that failed, or that of the run when it died outside of any step."""
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        while error is not None and error.cause is not None and error.cls_name in WRAPPERS:
            error = error.cause
        if error is not None:
            name = error.cls_name or "Error"
            message = error.message.partition(f"{name}:")[2] or error.message
            return alerts.RunError(event.step_key or "", name, message)
    return alerts.RunError(
        "", "RunFailure", context.failure_event.message or "the run ended without a reason"
    )


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Alerts when a run of this code location fails: at the 1st, 2nd, 4th, 8th ... failure in a row.",
)
def alert_on_failure(
    context: dg.RunFailureSensorContext, notifier: dg.ResourceParam[Notifier]
) -> dg.SkipReason | None:
    """What failed, for whom, where, why, and what to do next."""
    run = context.dagster_run
    earlier = runs.outcomes_before(context.instance, run)
    failures = alerts.failures_in_a_row(runs.assets_of(run), earlier)
    if not alerts.is_alert_due(failures):
        return dg.SkipReason(f"failed {failures} times in a row, people have been told")
    notifier.send(
        alerts.failure_alert(
            run.job_name,
            runs.tenant_of(run.tags),
            run.run_id,
            run_error(context),
            failures_in_a_row=failures,
            is_retried=run.tags.get(runs.WILL_RETRY_TAG) == "true",
        )
    )
    return None


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Closes the entries of `ops.etl_runs` that a failed run left as `running`.",
)
def close_failed_runs(
    context: dg.RunFailureSensorContext, warehouse: dg.ResourceParam[Warehouse]
) -> dg.SkipReason | None:
    """A step that raises closes its entry itself; one whose process was killed cannot."""
    run = context.dagster_run
    tenant_id = runs.tenant_of(run.tags)
    if tenant_id is None:
        return dg.SkipReason("the run belongs to no tenant")
    with warehouse.tenant(tenant_id) as conn:
        close_abandoned(conn, tenant_id, run.run_id, alerts.safe_line(run_error(context)))
    return None


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people that a run works again whose last one failed.",
)
def alert_on_recovery(
    context: dg.RunStatusSensorContext, notifier: dg.ResourceParam[Notifier]
) -> dg.SkipReason | None:
    """Only the first success after a failure is worth a message."""
    run = context.dagster_run
    if not alerts.is_recovery(runs.assets_of(run), runs.outcomes_before(context.instance, run)):
        return dg.SkipReason("nothing that it did had failed before")
    notifier.send(alerts.recovery_alert(run.job_name, runs.tenant_of(run.tags), run.run_id))
    return None


run_status_sensors = [alert_on_failure, alert_on_recovery, close_failed_runs]
