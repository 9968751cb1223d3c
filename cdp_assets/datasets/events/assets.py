"""The assets of dataset F: five tables that one step brings up to date, with their checks.

Belongs here: Dagster's side. Run every 15 minutes the step reads what was written since; with `full` it builds all,
moves the windows to the last whole day, and keeps versions of the tables. Annotations are not postponed: Dagster reads
them.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from cdp_assets import pictures, policies
from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.asset_checks import Measured, check_specs, report
from cdp_assets.asset_gates import GatedConfig
from cdp_assets.asset_runs import recorded, table_metadata
from cdp_assets.datasets.assets import scope_of
from cdp_assets.datasets.current import EVENTS, events_recipe
from cdp_assets.datasets.events.checks import CHECKS
from cdp_assets.datasets.events.contract import CONTRACTS
from cdp_assets.datasets.events.pictures import DAYS, funnel_charts, sessions_per_day
from cdp_assets.datasets.events.run import Outcome, refresh
from cdp_assets.datasets.events.store import WarehouseStore
from cdp_assets.datasets.events.versions import publish_versions
from cdp_assets.datasets.model import Scope
from cdp_assets.datasets.publish import InputMissing
from cdp_assets.partitions import tenants
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.registry import Summary
from cdp_assets.warehouse.tables import table_report
from cdp_assets.warehouse.tenants import TenantError, active_tenant

DESCRIPTIONS = {
    "events_enriched": "One row per event of either source, with its session, customer, and whether it counts.",
    "session_funnel": "One row per session: what was done in it, how far it got, what it was worth.",
    "customer_behavior": "One row per customer seen on the pages: counts, rates, windows of 1 to 30 days, open cart.",
    "funnel_member": "One row per funnel and session, or funnel, visitor and day of entry: how far they got.",
    "funnel_daily": "One row per funnel, day of entry and step: how many reached it, and how soon.",
}  # fmt: skip

DEPS = (
    "intermediate.int_events",
    "intermediate.int_event_links",
    "intermediate.int_event_references",
    "intermediate.int_purchases",
    "staging.stg_leo__transactions",
)

SHOWS = {
    "events_enriched": (
        "event_id",
        "event_type",
        "event_at",
        "visitor_key",
        "session_id",
        "event_index",
        "is_bot",
    ),
    "session_funnel": ("session_id", "first_event", "events", "funnel_stage", "converted", "revenue"),
    "customer_behavior": ("customer_id", "total_sessions", "conversion_rate", "events_30d", "cart_abandoned"),
    "funnel_member": ("funnel_id", "day", "reached", "state"),
    "funnel_daily": ("funnel_id", "day", "step", "event_type", "entered", "completed", "rate_prev"),
}

KEYS = {table: dg.AssetKey(["datasets", table]) for table in CONTRACTS}


class EventsConfig(GatedConfig):
    """Run configuration of dataset F."""

    full: bool = Field(
        False, description="Build all from all events, move the windows to the last whole day, keep versions"
    )


@dg.multi_asset(
    name="events",
    specs=[
        dg.AssetSpec(
            KEYS[table],
            description=DESCRIPTIONS[table],
            deps=[dg.AssetKey(name.split(".")) for name in DEPS],
            group_name="datasets",
            kinds={"postgres", "polars", "parquet"},
            owners=policies.OWNERS,
            tags={"cdp/stage": "datasets"},
            metadata={"dagster/table_name": f"datasets.{table}"},
        )
        for table in CONTRACTS
    ],
    partitions_def=tenants,
    retry_policy=policies.RETRY,
    check_specs=[
        spec for table, check in CHECKS for spec in check_specs(KEYS[table], (check,), {"table": table})
    ],
)  # fmt: skip
def events(
    context: dg.AssetExecutionContext,
    config: EventsConfig,
    warehouse: dg.ResourceParam[Warehouse],
    artifacts: dg.ResourceParam[ArtifactStore],
) -> Iterator[Any]:
    """Bring the tables of one tenant up to date; a failed blocking check leaves all of them as they were."""
    tenant_id = context.partition_key
    try:
        tenant = active_tenant(warehouse, tenant_id)
        now, made_of = tenant.now(), events_recipe(tenant)
    except (TenantError, WarehouseError) as error:
        raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
    with recorded(context, warehouse, EVENTS, now, recipe=made_of, alone=EVENTS) as summary:
        try:
            # reads rows, and so comes after the counters of the recipe
            scope = scope_of(warehouse, tenant, None)
        except InputMissing as error:
            raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
        outcome = refresh(warehouse, scope, now, full=config.full)
        of = Measured(tenant_id, context.run.run_id, "build" if outcome.is_full else "window")
        for table, key in KEYS.items():
            found = [(check, measure) for name, check, measure in outcome.measures if name == table]
            yield from report(warehouse, key, of, found, {"table": table})
        _tell(summary, outcome)
        if outcome.blocked_by:
            raise dg.Failure(
                f"{tenant_id}: dataset F stays as it was, since {', '.join(outcome.blocked_by)} failed",
                allow_retries=False,
            )
        versions = {}
        if outcome.is_full:
            versions = publish_versions(warehouse, artifacts, outcome.audit, summary.run_id)
    for table in CONTRACTS:
        yield dg.MaterializeResult(
            asset_key=KEYS[table],
            metadata=_metadata(warehouse, scope, table, outcome, versions.get(table)),
        )


def _tell(summary: Summary, outcome: Outcome) -> None:
    times = outcome.audit.tables.events_enriched["event_at"]
    summary.rows_in = outcome.changed
    summary.rows_out = sum(written.rows for written in outcome.written.values())
    summary.min_event_ts, summary.max_event_ts = times.min(), times.max()  # type: ignore[assignment]
    summary.metrics = {
        "full": outcome.is_full,
        "changed_events": outcome.changed,
        "superseded_sessions": outcome.superseded,
        "rows": {table: written.rows for table, written in outcome.written.items()},
    }


def _metadata(
    warehouse: Warehouse, scope: Scope, table: str, outcome: Outcome, version: str | None
) -> dict[str, Any]:
    """What changed, and the table as it is now: after a run of 15 minutes as after a full one."""
    written = outcome.written.get(table)
    with warehouse.tenant(scope.tenant_id) as conn:
        seen = table_metadata(table_report(conn, scope.tenant_id, "datasets", table, shows=SHOWS[table]))
        shown = _charts(WarehouseStore(conn, scope.tenant_id), table, scope.as_of + timedelta(days=1))
    return {
        **seen,
        "rows_written": written.rows if written else 0,
        "changed_events": outcome.changed,
        "superseded_sessions": outcome.superseded,
        "full": outcome.is_full,
        **({} if version is None else {"version": version}),
        **{title: dg.MetadataValue.md(pictures.markdown(each, title)) for title, each in shown.items()},
    }


def _charts(store: WarehouseStore, table: str, today: date) -> dict[str, Any]:
    """Title -> picture of a table's newest days."""
    first = today - timedelta(days=DAYS - 1)
    if table == "funnel_daily":
        return funnel_charts(
            store.of_days(table, "day", CONTRACTS[table].column_names(), first, today).sort(
                "funnel_id", "day", "step"
            )
        )
    if table == "session_funnel":
        found = store.of_days(table, "started_on", ("started_on", "is_bot", "converted"), first, today)
        figure = sessions_per_day(found)
        return {"Sessions per day": figure} if figure else {}
    return {}


assets = [events]
