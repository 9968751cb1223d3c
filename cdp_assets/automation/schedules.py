"""Schedules: what runs by the clock.

Belongs here: cron expressions with their reasons, and thin shells around `decisions`. Does not belong here: what a run
does (`jobs`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import dagster as dg

from cdp_assets.automation import starts_by_itself
from cdp_assets.automation.decisions import RunInFlight, due_tenants, segments_to_run
from cdp_assets.automation.jobs import (
    leo_cdp_sweep,
    leo_cdp_sync,
    leo_segment_etl,
    marts_refresh,
    purge_old_runs,
    run_request,
    shop_sweep,
    shop_sync,
)
from cdp_assets.automation.runs import busy_tenants, runs_in_flight
from cdp_assets.automation.state import active_tenants
from cdp_assets.partitions import TENANT_DIMENSION
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant

if TYPE_CHECKING:  # what `define_asset_job` returns has no public name
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

TIME_ZONE = "Asia/Ho_Chi_Minh"
"""The calendar of LEO CDP and its customers: night is night there. Has no daylight saving time."""

STATUS = dg.DefaultScheduleStatus.RUNNING if starts_by_itself() else dg.DefaultScheduleStatus.STOPPED

RunRequests = list[dg.RunRequest] | dg.SkipReason


def _run_key(context: dg.ScheduleEvaluationContext, *parts: str) -> str:
    """One run per tick and part.

    Dagster launches a key once, for ever: a daemon that died within a tick doubles nothing when it starts again. The
    next tick has keys of its own, whatever became of these runs.
    """
    return "/".join([f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M%z}", *parts])


def _requests(
    context: dg.ScheduleEvaluationContext, requests: list[dg.RunRequest], notes: list[str]
) -> RunRequests:
    for note in notes:
        context.log.info(note)
    if requests:
        return requests
    return dg.SkipReason("; ".join(notes) or "no tenant is active: `cdp tenants add` registers one")


def _whole_tenants(
    context: dg.ScheduleEvaluationContext,
    job: UnresolvedAssetJobDefinition,
    tenants: list[Tenant],
    busy: Collection[str],
) -> RunRequests:
    due = due_tenants(
        [tenant.tenant_id for tenant in tenants],
        context.instance.get_dynamic_partitions(TENANT_DIMENSION),
        busy,
    )
    requests = [
        run_request(job, tenant_id, run_key=_run_key(context, tenant_id)) for tenant_id in due.tenants
    ]
    return _requests(context, requests, due.notes)


def _tenants(runs: list[RunInFlight]) -> set[str]:
    return {run.tenant_id for run in runs if run.tenant_id is not None}


# At 5, 20, 35 and 50 rather than on the quarter: two runs that want a collection at once wait for each other and then
# skip it. So the nightly sweep (0:30) and the segments (:12) begin while no sync does.
@dg.schedule(
    job=leo_cdp_sync,
    cron_schedule="5,20,35,50 * * * *",
    execution_timezone=TIME_ZONE,
    default_status=STATUS,
    description="Every 15 minutes: an incremental sync of every active tenant that has no run in flight.",
)
def leo_cdp_sync_every_15_minutes(
    context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> RunRequests:
    """A tenant whose last run still goes on is left out: the next tick is near."""
    return _whole_tenants(context, leo_cdp_sync, active_tenants(warehouse), busy_tenants(context.instance))


@dg.schedule(
    job=leo_cdp_sweep,
    cron_schedule="30 0 * * *",
    execution_timezone=TIME_ZONE,
    default_status=STATUS,
    description="Nightly at 0:30: a full sweep of every active tenant.",
)
def leo_cdp_sweep_nightly(
    context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> RunRequests:
    """Only last night's own sweep holds it up: left out for a short sync, it would be missing until tomorrow."""
    mine = [run for run in runs_in_flight(context.instance) if run.schedule == "leo_cdp_sweep_nightly"]
    return _whole_tenants(context, leo_cdp_sweep, active_tenants(warehouse), _tenants(mine))


@dg.schedule(
    job=leo_segment_etl,
    cron_schedule="12 * * * *",
    execution_timezone=TIME_ZONE,
    default_status=STATUS,
    description="Hourly: profiles and transactions of the segments that a tenant's option `segments` names.",
)
def leo_segment_etl_hourly(
    context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> RunRequests:
    """Most tenants name no segment, since the sync brings all profiles; then there is nothing to run."""
    runs = runs_in_flight(context.instance)
    busy = {(run.tenant_id, run.segment_id) for run in runs if run.schedule == "leo_segment_etl_hourly"}
    tenants = {tenant.tenant_id: tenant for tenant in active_tenants(warehouse)}
    due = due_tenants(tenants, context.instance.get_dynamic_partitions(TENANT_DIMENSION), busy=())
    requests, notes = [], list(due.notes)
    for tenant_id in due.tenants:
        segment_ids, note = segments_to_run(tenant_id, tenants[tenant_id].options)
        if note:
            notes.append(note)
        for segment_id in segment_ids:
            if (tenant_id, segment_id) in busy:
                notes.append(f"{tenant_id}: the last run of segment {segment_id} is still in flight")
            else:
                run_key = _run_key(context, tenant_id, segment_id)
                requests.append(
                    run_request(leo_segment_etl, tenant_id, run_key=run_key, segment_id=segment_id)
                )
    return _requests(context, requests, notes)


@dg.schedule(
    job=shop_sync,
    cron_schedule="10,25,40,55 * * * *",
    execution_timezone=TIME_ZONE,
    default_status=STATUS,
    description="Every 15 minutes: an incremental load of the shop of every active tenant that has one.",
)
def shop_sync_every_15_minutes(
    context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> RunRequests:
    """Five minutes after LEO's, so that an order is there when the event that it belongs to is."""
    return _whole_tenants(
        context, shop_sync, _with_shop(active_tenants(warehouse)), busy_tenants(context.instance, "shop")
    )


@dg.schedule(
    job=shop_sweep,
    cron_schedule="30 1 * * *",
    execution_timezone=TIME_ZONE,
    default_status=STATUS,
    description="Nightly at 1:30: the shop of every active tenant that has one, with a comparison of every key.",
)
def shop_sweep_nightly(
    context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> RunRequests:
    """Only last night's own sweep holds it up."""
    mine = [run for run in runs_in_flight(context.instance) if run.schedule == "shop_sweep_nightly"]
    return _whole_tenants(context, shop_sweep, _with_shop(active_tenants(warehouse)), _tenants(mine))


def _with_shop(tenants: list[Tenant]) -> list[Tenant]:
    return [tenant for tenant in tenants if tenant.shop is not None]


@dg.schedule(
    job=marts_refresh,
    cron_schedule="0 * * * *",
    execution_timezone=TIME_ZONE,
    default_status=STATUS,
    description="Hourly: views and marts of every active tenant, with all tests.",
)
def marts_refresh_hourly(
    context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> RunRequests:
    """Between two syncs; at 2:00 it shows what the night's sweeps have found."""
    return _whole_tenants(
        context, marts_refresh, active_tenants(warehouse), busy_tenants(context.instance, "modeling")
    )


purge_old_runs_weekly = dg.ScheduleDefinition(
    name="purge_old_runs_weekly",
    job=purge_old_runs,
    cron_schedule="0 3 * * 0",
    execution_timezone=TIME_ZONE,
    default_status=STATUS,
    description="Sundays at 3:00: deletes the record of runs that ended more than 30 days ago.",
)

schedules = [
    leo_cdp_sync_every_15_minutes,
    leo_segment_etl_hourly,
    leo_cdp_sweep_nightly,
    shop_sync_every_15_minutes,
    shop_sweep_nightly,
    marts_refresh_hourly,
    purge_old_runs_weekly,
]
