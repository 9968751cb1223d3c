"""The sensor that starts embedding runs within seconds of a change.

Belongs here: waiting for the queue's NOTIFY and asking for one run per tenant with ready jobs. What a run does is the
job `embedding_refresh`; long-lived workers (`cdp embedding worker`) take the same jobs without Dagster.
"""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

import dagster as dg

from cdp_assets.automation import decisions, runs, starts_by_itself, state
from cdp_assets.automation.gates import held, is_measured
from cdp_assets.automation.jobs import VECTOR_CHECKS, embedding_refresh, run_request
from cdp_assets.embedding import models, queue
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.partitions import TENANT_DIMENSION
from cdp_assets.warehouse.connection import Warehouse

MAX_REQUESTS = 10
"""Runs requested per tick; the other tenants have their turn in the next one."""

LISTEN_S = 20.0
"""A tick that finds nothing waits so long for a NOTIFY. With 30 s between two ticks a change is seen within 10 s at
most, and a NOTIFY that nobody heard within 30 s; a third of the 60 s after which Dagster gives a tick up."""

NOTHING = "no text waits for a vector"

_QUEUED_ONLY = {
    "ops": {f"embedding__{entity.table}": {"config": {"compares": False}} for entity in ENTITIES.values()}
}


@dg.sensor(
    job=embedding_refresh,
    minimum_interval_seconds=30,
    default_status=(dg.DefaultSensorStatus.RUNNING if starts_by_itself() else dg.DefaultSensorStatus.STOPPED),
    description="Embeds what changed: one run per tenant with ready jobs, seconds after the change, without comparing "
    "every text again.",
)
def embedding_jobs(
    context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> dg.SensorResult:
    """Looks, and if there is nothing to do listens and looks again."""
    return evaluate(context, warehouse, listen_s=LISTEN_S)


def evaluate(
    context: dg.SensorEvaluationContext, warehouse: Warehouse, *, listen_s: float
) -> dg.SensorResult:
    """One tick that lasts up to `listen_s` seconds."""
    until = monotonic() + listen_s
    with warehouse.listen(queue.CHANNEL) as notified:  # before looking: a NOTIFY in between is not missed
        while True:
            result = _tick(context, warehouse)
            left = until - monotonic()
            if result.run_requests or left <= 0 or not notified(left):
                return result


def _is_unmeasured(warehouse: Warehouse, tenant_id: str) -> bool:
    """Whether the tenant has vectors that no run has checked, as after an upgrade."""
    with warehouse.tenant(tenant_id) as conn:
        has_model = models.active(conn, tenant_id) is not None
    return has_model and not is_measured(warehouse, tenant_id, VECTOR_CHECKS)


def _tick(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult:
    due = decisions.due_tenants(
        decisions.in_turn([tenant.tenant_id for tenant in state.active_tenants(warehouse)], context.cursor),
        context.instance.get_dynamic_partitions(TENANT_DIMENSION),
        busy=runs.busy_tenants(context.instance, "embedding"),
    )
    ready: list[str] = []
    waiting: list[str] = []
    for tenant_id in due.tenants:
        if len(ready) == MAX_REQUESTS or not (
            queue.is_ready(warehouse, tenant_id) or _is_unmeasured(warehouse, tenant_id)
        ):
            continue
        # a wrong key or a model that is not there fails every run until someone mends it
        failed = runs.failures_in_a_row(context.instance, embedding_refresh.name, tenant_id)
        until = decisions.waits_until(failed)
        if until is not None and until > datetime.now(UTC):
            waiting.append(f"{tenant_id}: waits until {until:%H:%M:%S} UTC, its last run failed")
        elif reason := held(warehouse, embedding_refresh, tenant_id):
            waiting.append(reason)
        else:
            ready.append(tenant_id)
    return dg.SensorResult(
        run_requests=[
            run_request(embedding_refresh, tenant_id, run_config=_QUEUED_ONLY) for tenant_id in ready
        ],
        cursor=ready[-1] if ready else context.cursor,
        skip_reason=None if ready else "; ".join([*due.notes, *waiting, *([] if waiting else [NOTHING])]),
    )
