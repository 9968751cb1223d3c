"""Sensors: partitions in step with tenants and segments, runs when a source has changed, entries of dead runs closed.

Belongs here: thin shells that read, ask `decisions`, and hand the outcome to Dagster. Does not belong here: alerts
(`run_status`), what runs by the clock (`schedules`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin

from cdp_assets import partitions
from cdp_assets.automation import decisions, runs, starts_by_itself, state
from cdp_assets.automation.jobs import leo_cdp_sweep, run_request
from cdp_assets.opening import Sources
from cdp_assets.sources.model import SourceUnavailable
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.registry import close_abandoned

CHANGES = "leo_cdp_changes"

MAX_REQUESTS = 10
"""Runs requested per tick; the other tenants have their turn in the next one."""

READ_BUDGET_S = 30.0
"""Half of the 60 s after which Dagster gives a tick up, and with it every tenant's answer."""


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the tenant partitions in step with `ops.tenant`. A suspended tenant keeps its partition.",
)
def tenant_partitions(
    context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> dg.SensorResult | dg.SkipReason:
    """Adds before anything can be requested for a tenant, removes once its runs have ended. Starts no work."""
    in_use = {run.tenant_id for run in runs.runs_in_flight(context.instance) if run.tenant_id}
    existing = context.instance.get_dynamic_partitions(partitions.TENANT_DIMENSION)
    wanted = [tenant.tenant_id for tenant in state.registered_tenants(warehouse)]
    return _partition_result(partitions.tenants, decisions.partition_changes(wanted, existing, in_use))


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the segment partitions in step with `cdp.segment`, over all tenants.",
)
def segment_partitions(
    context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> dg.SensorResult | dg.SkipReason:
    """A segment that is deleted in LEO goes once its runs have ended. Starts no work."""
    in_use = {run.segment_id for run in runs.runs_in_flight(context.instance) if run.segment_id}
    existing = context.instance.get_dynamic_partitions(partitions.SEGMENT_DIMENSION)
    wanted, unfit = state.segment_ids(warehouse, state.registered_tenants(warehouse))
    if unfit:
        context.log.warning(
            "%d segment ids cannot be partition keys and are left out, for example %r", len(unfit), unfit[0]
        )
    return _partition_result(partitions.segments, decisions.partition_changes(wanted, existing, in_use))


def _partition_result(
    definition: dg.DynamicPartitionsDefinition, changes: decisions.PartitionChanges
) -> dg.SensorResult | dg.SkipReason:
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if changes.add:
        requests.append(definition.build_add_request(changes.add))
    if changes.remove:
        requests.append(definition.build_delete_request(changes.remove))
    kept = f"kept while runs use them: {', '.join(changes.deferred)}" if changes.deferred else ""
    if not requests:
        return dg.SkipReason(kept or "in step")
    return dg.SensorResult(dynamic_partitions_requests=requests, skip_reason=kept or None)


@dg.sensor(
    name=CHANGES,
    job=leo_cdp_sweep,
    minimum_interval_seconds=60,
    default_status=(dg.DefaultSensorStatus.RUNNING if starts_by_itself() else dg.DefaultSensorStatus.STOPPED),
    description="Sweeps the collections of LEO CDP whose count or revision differs from what the last sweep stored.",
)
def leo_cdp_changes(
    context: dg.SensorEvaluationContext,
    warehouse: dg.ResourceParam[Warehouse],
    sources: dg.ResourceParam[Sources],
) -> dg.SensorResult:
    """Sweeps what changed, for one tenant after the other.

    Runs have no run key: Dagster would never launch a key again, not even after its run failed. What keeps a change
    from being requested twice is the guard on runs in flight, and what ends it is the signature that only a successful
    sweep stores. Repeated failures are spaced by the back-off.
    """
    now = datetime.now(UTC)
    active = {tenant.tenant_id: tenant for tenant in state.active_tenants(warehouse)}
    due = decisions.due_tenants(
        decisions.in_turn(active, context.cursor),
        context.instance.get_dynamic_partitions(partitions.TENANT_DIMENSION),
        busy=runs.busy_tenants(context.instance),
    )
    notes = list(due.notes)
    states = {}
    for tenant_id in due.tenants:
        known = state.tenant_state(warehouse, tenant_id)
        left = decisions.pause_left(known, now)
        if left:
            notes.append(f"{tenant_id}: pauses {left.total_seconds():.0f} s more after its last sweep")
        else:
            states[tenant_id] = known

    answers = state.read_signatures(
        sources, [active[tenant_id] for tenant_id in states], budget_s=READ_BUDGET_S
    )
    plans = {}
    unread = []
    for tenant_id, answer in answers.items():
        if isinstance(answer, state.Unread):
            unread.append(f"{tenant_id}: {answer.reason}")
            plans[tenant_id] = decisions.Plan()
        else:
            plans[tenant_id] = _plan(context.instance, states[tenant_id], answer, now)
    for reason in unread:
        context.log.warning("cannot be read, no run is requested: %s", reason)
    if unread and len(unread) == len(active):
        raise SourceUnavailable("no tenant's source can be read: " + "; ".join(unread))

    served = decisions.serve(list(states), plans, cap=MAX_REQUESTS, cursor=context.cursor)
    notes += unread + [each.note for each in plans.values() if each.note]
    requests = [
        run_request(leo_cdp_sweep, tenant_id, tables=plans[tenant_id].tables) for tenant_id in served.tenants
    ]
    why_none = "; ".join(notes) or "no tenant is active: `cdp tenants add` registers one"
    return dg.SensorResult(
        run_requests=requests, cursor=served.cursor, skip_reason=None if requests else why_none
    )


def _plan(
    instance: dg.DagsterInstance, known: decisions.TenantState, signatures: state.Signatures, now: datetime
) -> decisions.Plan:
    changed = decisions.changed_collections(known, signatures)
    collections = dict(known.collections)
    for collection in changed:
        before, table = collections[collection], decisions.TABLES[collection]
        unreported = runs.failed_since(
            instance, leo_cdp_sweep.name, CHANGES, known.tenant_id, table, before.sweep_at
        )
        collections[collection] = replace(before, failed={**unreported, **before.failed})
    return decisions.plan(replace(known, collections=collections), changed, now)


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process is gone: they would hold their tenant's next runs and places in the queue.",
)
def gone_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """For runs that a crash of the machine, the container or the process cut off. Needs no warehouse."""
    server = context.code_location_origin
    ended, unknown = runs.end_gone_runs(
        context.instance, server if isinstance(server, GrpcServerCodeLocationOrigin) else None
    )
    for run_id in ended:
        context.log.warning("run %s was ended: %s", run_id, runs.GONE)
    beyond = f"; {len(unknown)} run where this host cannot see them" if unknown else ""
    return dg.SkipReason((f"ended {len(ended)} runs" if ended else "no process is gone") + beyond)


@dg.sensor(
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Closes entries of `ops.etl_runs` that say `running` though their run has ended or is unknown.",
)
def abandoned_runs(
    context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
) -> dg.SkipReason:
    """For processes that were killed and runs that were cancelled, of which no step could close its entry."""
    now = datetime.now(UTC)
    closed = 0
    for tenant in state.registered_tenants(warehouse):
        for entry in state.open_entries(warehouse, tenant.tenant_id):
            is_finished = runs.is_finished(context.instance, entry.orchestrator_run_id)
            if decisions.is_abandoned(is_finished=is_finished, started_at=entry.started_at, now=now):
                with warehouse.tenant(tenant.tenant_id) as conn:
                    closed += close_abandoned(
                        conn,
                        tenant.tenant_id,
                        entry.orchestrator_run_id,
                        "the run ended without closing this entry",
                    )
    return dg.SkipReason(f"closed {closed} entries" if closed else "no entry is left over")


sensors = [tenant_partitions, segment_partitions, leo_cdp_changes, gone_runs, abandoned_runs]
