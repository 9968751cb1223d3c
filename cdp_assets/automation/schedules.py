"""Schedules: what runs by the clock.

Belongs here: cron expressions with their reasons, and thin shells around `decisions`. Does not belong here: what a run
does (`jobs`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import dagster as dg

from cdp_assets import current
from cdp_assets.automation import starts_by_itself
from cdp_assets.automation.decisions import RunInFlight, due_tenants
from cdp_assets.automation.gates import held, is_measured
from cdp_assets.automation.jobs import (
    LOADED_CHECKS,
    articles_content,
    articles_embeddings,
    audience_refresh,
    checks_refresh,
    customer_features,
    events_and_funnels,
    events_and_funnels_close,
    leo_cdp_sweep,
    leo_cdp_sync,
    leo_segment_etl,
    marts_refresh,
    reviews_nlp,
    run_request,
    shop_sweep,
    shop_sync,
    timeseries,
    user_item_interactions,
)
from cdp_assets.automation.purge import purge
from cdp_assets.automation.runs import busy_tenants, runs_in_flight
from cdp_assets.automation.state import (
    active_tenants,
    segment_ids,
    tenants_to_model,
    tenants_with_events,
    tenants_with_shop,
)
from cdp_assets.partitions import SEGMENT_DIMENSION, TENANT_DIMENSION
from cdp_assets.policies import TENANT_TAG
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, TenantError

if TYPE_CHECKING:  # what `define_asset_job` returns has no public name
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

TIME_ZONE = "Asia/Ho_Chi_Minh"
"""The calendar of LEO CDP and its customers: night is night there. Has no daylight saving time."""

STATUS = dg.DefaultScheduleStatus.RUNNING if starts_by_itself() else dg.DefaultScheduleStatus.STOPPED

RunRequests = list[dg.RunRequest] | dg.SkipReason


def tenants_to_measure(warehouse: Warehouse) -> list[Tenant]:
    """Active registrations with rows that nobody has measured."""
    return [
        each
        for each in active_tenants(warehouse)
        if not is_measured(warehouse, each.tenant_id, LOADED_CHECKS)
    ]


def _run_key(context: dg.ScheduleEvaluationContext, *parts: str) -> str:
    """One run per tick and part.

    Dagster launches a key once, for ever: a daemon that died within a tick doubles nothing when it starts again. The
    next tick has keys of its own, whatever became of these runs.
    """
    return "/".join([f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M%z}", *parts])


NOBODY = "no tenant is active: `cdp tenants add` registers one"


def _requests(
    context: dg.ScheduleEvaluationContext,
    requests: list[dg.RunRequest],
    notes: list[str],
    nobody: str = NOBODY,
) -> RunRequests:
    for note in notes:
        context.log.info(note)
    if requests:
        return requests
    return dg.SkipReason("; ".join(notes) or nobody)


def _whole_tenants(
    context: dg.ScheduleEvaluationContext,
    job: UnresolvedAssetJobDefinition,
    tenants: list[Tenant],
    busy: Collection[str],
    nobody: str,
    warehouse: Warehouse,
) -> RunRequests:
    due = due_tenants(
        [tenant.tenant_id for tenant in tenants],
        context.instance.get_dynamic_partitions(TENANT_DIMENSION),
        busy,
    )
    free, notes = _not_held(warehouse, job, due.tenants)
    requests = [run_request(job, tenant_id, run_key=_run_key(context, tenant_id)) for tenant_id in free]
    return _requests(context, requests, due.notes + notes, nobody)


def _not_held(
    warehouse: Warehouse, job: UnresolvedAssetJobDefinition, tenants: list[str]
) -> tuple[list[str], list[str]]:
    """Tenants of whom a run would get past its gates, and why the others would not."""
    reasons = {tenant_id: held(warehouse, job, tenant_id) for tenant_id in tenants}
    return [each for each in tenants if not reasons[each]], [each for each in reasons.values() if each]


def _tenants(runs: list[RunInFlight]) -> set[str]:
    return {run.tenant_id for run in runs if run.tenant_id is not None}


def _per_tenant(
    name: str,
    job: UnresolvedAssetJobDefinition,
    cron: str,
    description: str,
    *,
    stage: str | None = None,
    tenants: Callable[[Warehouse], list[Tenant]] = active_tenants,
    nobody: str = NOBODY,
) -> dg.ScheduleDefinition:
    """A run of the job for every tenant that nothing holds up.

    With a `stage`, a tenant with any run of it in flight is left out: the next tick is near. Without, only this
    schedule's own last run holds it up: a nightly run that gave way to a short sync would be missing until tomorrow.
    """

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone=TIME_ZONE,
        default_status=STATUS,
        description=description,
    )
    def tick(context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]) -> RunRequests:
        if stage is None:
            busy = _tenants([run for run in runs_in_flight(context.instance) if run.schedule == name])
        else:
            busy = set(busy_tenants(context.instance, stage))
        return _whole_tenants(context, job, tenants(warehouse), busy, nobody, warehouse)

    return tick


# At 5, 20, 35 and 50 rather than on the quarter: two runs that want a collection at once wait for each other and then
# skip it. So the nightly sweep (0:30) and the segments (:12) begin while no sync does.
leo_cdp_sync_every_15_minutes = _per_tenant(
    "leo_cdp_sync_every_15_minutes",
    leo_cdp_sync,
    "5,20,35,50 * * * *",
    "Every 15 minutes: an incremental sync of every active tenant that has no run in flight.",
    stage="landing",
)

leo_cdp_sweep_nightly = _per_tenant(
    "leo_cdp_sweep_nightly",
    leo_cdp_sweep,
    "30 0 * * *",
    "Nightly at 0:30: a full sweep of every active tenant.",
)

NO_SHOP = "no active tenant has a shop: `cdp tenants add --shop-dsn` registers one"

# Five minutes after LEO's, so that an order is there when the event that it belongs to is.
shop_sync_every_15_minutes = _per_tenant(
    "shop_sync_every_15_minutes",
    shop_sync,
    "10,25,40,55 * * * *",
    "Every 15 minutes: an incremental load of the shop of every active tenant that has one.",
    stage="shop",
    tenants=tenants_with_shop,
    nobody=NO_SHOP,
)

shop_sweep_nightly = _per_tenant(
    "shop_sweep_nightly",
    shop_sweep,
    "30 1 * * *",
    "Nightly at 1:30: the shop of every active tenant that has one, with a comparison of every key.",
    tenants=tenants_with_shop,
    nobody=NO_SHOP,
)

# Between two syncs; at 2:00 it shows what the night's sweeps have found.
marts_refresh_hourly = _per_tenant(
    "marts_refresh_hourly",
    marts_refresh,
    "0 * * * *",
    "Hourly: views, marts and all tests of every active tenant whose rows, settings or models changed since the last "
    "build.",
    stage="modeling",
    tenants=tenants_to_model,
    nobody="the marts of every active tenant are what a build would make",
)

# Just before the hour's marts.
checks_refresh_hourly = _per_tenant(
    "checks_refresh_hourly",
    checks_refresh,
    "55 * * * *",
    "Hourly: checks of every active tenant with rows that nobody has measured: after an upgrade, after "
    "`cdp quarantine replay`, after SQL by hand.",
    stage="checks",
    tenants=tenants_to_measure,
    nobody="every row of every active tenant was measured after it was written",
)

# Three minutes after the shop's sync, eight after LEO's: events of both are there.
events_and_funnels_every_15_minutes = _per_tenant(
    "events_and_funnels_every_15_minutes",
    events_and_funnels,
    "13,28,43,58 * * * *",
    "Every 15 minutes: dataset F of every active tenant that has no run of it in flight, if rows or settings changed "
    "or the time of a funnel's entry is up.",
    stage="events",
    tenants=tenants_with_events,
    nobody="dataset F of every active tenant is what a run would make",
)

events_and_funnels_close_nightly = _per_tenant(
    "events_and_funnels_close_nightly",
    events_and_funnels_close,
    "50 1 * * *",
    "Nightly at 1:50, after both sweeps: dataset F of every active tenant from all of its events.",
)

# The hours of seed 001: each dataset is as of the day that has just ended.
reviews_nlp_nightly = _per_tenant(
    "reviews_nlp_nightly", reviews_nlp, "0 1 * * *", "Nightly at 1:00: dataset E."
)
user_item_interactions_nightly = _per_tenant(
    "user_item_interactions_nightly", user_item_interactions, "0 2 * * *", "Nightly at 2:00: dataset A."
)
articles_content_nightly = _per_tenant(
    "articles_content_nightly", articles_content, "0 3 * * *", "Nightly at 3:00: dataset B."
)
# Between two changes of texts as well: an image may change and its article not.
articles_embeddings_weekly = _per_tenant(
    "articles_embeddings_weekly",
    articles_embeddings,
    "30 3 * * 0",
    "Sundays at 3:30: vectors of dataset B. A changed catalogue does not wait for it (`articles_changed`).",
)
customer_features_nightly = _per_tenant(
    "customer_features_nightly", customer_features, "0 4 * * *", "Nightly at 4:00: dataset C."
)
timeseries_nightly = _per_tenant("timeseries_nightly", timeseries, "0 5 * * *", "Nightly at 5:00: dataset D.")


@dg.schedule(
    job=audience_refresh,
    cron_schedule="30 5 * * *",
    execution_timezone=TIME_ZONE,
    default_status=STATUS,
    description="Nightly at 5:30: every segment of every active tenant whose members, features, funnels or vectors "
    "changed.",
)
def audience_refresh_nightly(
    context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> RunRequests:
    """A segment whose last run is still in flight is left out; its snapshot would wait for that run."""
    busy = {
        (run.tenant_id, run.segment_id)
        for run in runs_in_flight(context.instance)
        if run.schedule == "audience_refresh_nightly"
    }
    known = set(context.instance.get_dynamic_partitions(SEGMENT_DIMENSION))
    tenants = {tenant.tenant_id: tenant for tenant in active_tenants(warehouse)}
    due = due_tenants(tenants, context.instance.get_dynamic_partitions(TENANT_DIMENSION), busy=())
    free, notes = _not_held(warehouse, audience_refresh, due.tenants)
    requests = []
    for tenant_id in free:
        of_tenant, _ = segment_ids(warehouse, [tenants[tenant_id]])
        requests += [
            dg.RunRequest(
                run_key=_run_key(context, tenant_id, segment_id),
                job_name=audience_refresh.name,
                partition_key=dg.MultiPartitionKey(
                    {SEGMENT_DIMENSION: segment_id, TENANT_DIMENSION: tenant_id}
                ),
                tags={TENANT_TAG: tenant_id},
            )
            for segment_id in sorted(of_tenant & known)
            if (tenant_id, segment_id) not in busy
            and not current.segment_is_current(warehouse, tenants[tenant_id], segment_id)
        ]
    return _requests(context, requests, due.notes + notes, "no active tenant has a segment that changed")


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
        try:
            segment_ids = tenants[tenant_id].options.segments
        except TenantError as error:
            notes.append(str(error))
            continue
        if not segment_ids:
            notes.append(f"{tenant_id}: the option segments names no segment")
        for segment_id in segment_ids:
            if (tenant_id, segment_id) in busy:
                notes.append(f"{tenant_id}: the last run of segment {segment_id} is still in flight")
            else:
                run_key = _run_key(context, tenant_id, segment_id)
                requests.append(
                    run_request(leo_segment_etl, tenant_id, run_key=run_key, segment_id=segment_id)
                )
    return _requests(context, requests, notes)


purge_weekly = dg.ScheduleDefinition(
    name="purge_weekly",
    job=purge,
    cron_schedule="0 3 * * 0",
    execution_timezone=TIME_ZONE,
    default_status=STATUS,
    description="Sundays at 3:00: deletes runs that ended more than 30 days ago, and versions of datasets but for the "
    "ten newest of each and the published ones.",
)

schedules = [
    leo_cdp_sync_every_15_minutes,
    leo_segment_etl_hourly,
    leo_cdp_sweep_nightly,
    shop_sync_every_15_minutes,
    shop_sweep_nightly,
    checks_refresh_hourly,
    marts_refresh_hourly,
    events_and_funnels_every_15_minutes,
    events_and_funnels_close_nightly,
    reviews_nlp_nightly,
    user_item_interactions_nightly,
    articles_content_nightly,
    articles_embeddings_weekly,
    customer_features_nightly,
    timeseries_nightly,
    audience_refresh_nightly,
    purge_weekly,
]
