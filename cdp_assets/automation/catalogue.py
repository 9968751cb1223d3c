"""The sensor that asks for vectors of articles when the catalogue has changed.

Belongs here: one tick. Whether there is a reason is in `decisions`; what a run does is the job `articles_embeddings`,
which also runs weekly.
"""

from __future__ import annotations

import dagster as dg

from cdp_assets.automation import decisions, runs, starts_by_itself, state
from cdp_assets.automation.gates import held
from cdp_assets.automation.jobs import articles_embeddings, run_request
from cdp_assets.partitions import TENANT_DIMENSION
from cdp_assets.warehouse.connection import Warehouse

MAX_REQUESTS = 10
"""Runs requested per tick; the other tenants have their turn in the next one."""

NOTHING = "the vectors of every catalogue are those of its articles"


@dg.sensor(
    job=articles_embeddings,
    minimum_interval_seconds=600,  # articles change once a night
    default_status=(dg.DefaultSensorStatus.RUNNING if starts_by_itself() else dg.DefaultSensorStatus.STOPPED),
    description="Vectors of dataset B for each tenant of whom an article came, went or has another text.",
)
def articles_changed(
    context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> dg.SensorResult:
    """One run per publication of the articles.

    Dagster launches a run key once, for ever: a run that fails, or that cannot bring the two in step (a day was asked
    for by hand), is not repeated every tick. The next night's publication asks again.
    """
    due = decisions.due_tenants(
        decisions.in_turn([tenant.tenant_id for tenant in state.active_tenants(warehouse)], context.cursor),
        context.instance.get_dynamic_partitions(TENANT_DIMENSION),
        busy=runs.busy_tenants(context.instance, "datasets"),
    )
    requests: list[dg.RunRequest] = []
    waiting: list[str] = []
    for tenant_id in due.tenants:
        if len(requests) == MAX_REQUESTS:
            break
        version = decisions.version_to_embed(state.catalogue(warehouse, tenant_id))
        if version is None:
            continue
        reason = held(warehouse, articles_embeddings, tenant_id)
        if reason:
            waiting.append(reason)
        else:
            requests.append(run_request(articles_embeddings, tenant_id, run_key=f"{tenant_id}/{version}"))
    return dg.SensorResult(
        run_requests=requests,
        cursor=requests[-1].partition_key if requests else context.cursor,
        skip_reason=None if requests else "; ".join([*due.notes, *(waiting or [NOTHING])]),
    )
