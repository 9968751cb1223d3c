"""The assets of audiences: tables of schema `audience`, made for one segment of one tenant at a time.

Belongs here: Dagster's side. A partition whose tenant has no such segment is materialized as absent: nothing is made.
Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl
from psycopg import sql

from cdp_assets import pictures
from cdp_assets.asset_checks import Measured, check_specs, report
from cdp_assets.asset_gates import GatedConfig
from cdp_assets.asset_runs import recorded, table_metadata, tenant_of, tenant_table
from cdp_assets.audience import comparison, funnel, lookalike, snapshot
from cdp_assets.audience.checks import (
    FEATURE_CHECKS,
    FUNNEL_CHECKS,
    LOOKALIKE_CHECKS,
    MEMBER_CHECKS,
    Audience,
)
from cdp_assets.audience.current import recipe
from cdp_assets.audience.pictures import most_different
from cdp_assets.datasets.model import last_whole_day
from cdp_assets.partitions import SEGMENT_DIMENSION, segments_of_tenants
from cdp_assets.quality import Check, Measure, Severity
from cdp_assets.warehouse.connection import Connection, Warehouse, WarehouseError
from cdp_assets.warehouse.frames import replace_rows
from cdp_assets.warehouse.registry import Summary
from cdp_assets.warehouse.tables import table_report
from cdp_assets.warehouse.tenants import TenantError, active_tenant

Work = Callable[[Connection, Audience, Summary], dict[str, Any]]
"""Makes a segment's rows inside a transaction of the tenant; tells what the asset's page shows beside the table."""

NO_SEGMENT = Measure(0, "the tenant has no such segment: nothing was made")


def _asset(
    table: str,
    description: str,
    checks: Sequence[Check[Audience]],
    deps: Sequence[str],
    shows: Sequence[str],
    work: Work,
) -> dg.AssetsDefinition:
    key, name = dg.AssetKey(["audience", table]), f"audience.{table}"

    @tenant_table(
        "audience",
        table,
        group="audience",
        kinds={"sql"},
        partitions_def=segments_of_tenants,
        description=description,
        deps=[dg.AssetKey(name.split(".")) for name in deps],
        check_specs=check_specs(key, checks, {"table": table}, segments_of_tenants),
    )
    def materialize(
        context: dg.AssetExecutionContext, config: GatedConfig, warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[Any]:
        tenant_id, segment_id = tenant_of(context), _segment_of(context)
        of = Measured(tenant_id, context.run.run_id, segment_id=segment_id)
        try:
            tenant = active_tenant(warehouse, tenant_id)
        except (TenantError, WarehouseError) as error:
            raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
        with warehouse.tenant(tenant_id) as conn:
            if snapshot.find_segment(conn, tenant_id, segment_id) is None:
                # Absent and not skipped: Dagster would skip every step that depends on this one without a word.
                nothing = [(check, NO_SEGMENT) for check in checks]
                yield from report(warehouse, key, of, nothing, {"table": table}, is_kept=False)
                yield dg.MaterializeResult(
                    metadata={"absent": True, "dagster/row_count": 0, "rows_written": 0}
                )
                return
            made_of = recipe(conn, tenant, segment_id, table)
        as_of = last_whole_day(tenant.now(), tenant.timezone)
        with recorded(context, warehouse, name, recipe=made_of, alone=f"{name} {segment_id}") as summary:
            with warehouse.tenant(tenant_id) as conn:
                shown = work(conn, Audience(conn, tenant_id, segment_id, as_of), summary)
            with warehouse.tenant(tenant_id) as conn:
                audience = Audience(conn, tenant_id, segment_id)
                measured = [(check, check.measure(audience)) for check in checks]
                shows_table = table_report(conn, tenant_id, "audience", table, shows=shows)
            yield from report(warehouse, key, of, measured, {"table": table})
            yield dg.MaterializeResult(
                metadata={
                    **table_metadata(shows_table),
                    "absent": False,
                    "rows_written": summary.rows_out or 0,
                    **shown,
                }
            )
            failed = [
                check.name
                for check, found in measured
                if check.blocking and not found.passed and found.severity is Severity.ERROR
            ]
            if failed:
                raise dg.Failure(f"{context.partition_key}: {', '.join(failed)} failed", allow_retries=False)

    return materialize


def _segment_of(context: dg.AssetExecutionContext) -> str:
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)
    return key.keys_by_dimension[SEGMENT_DIMENSION]


def _members(conn: Connection, audience: Audience, summary: Summary) -> dict[str, Any]:
    found = snapshot.find_segment(conn, audience.tenant_id, audience.segment_id)
    name, definition = found or (None, "")
    taken, is_new = snapshot.take(
        conn, audience.tenant_id, audience.segment_id, summary.run_id, name, definition
    )
    summary.rows_out = taken.added + taken.removed if is_new else 0
    summary.metrics = {"rows": taken.members, "snapshot": taken.snapshot}
    return {**asdict(taken), "is_new": is_new}


def _replace(
    conn: Connection,
    audience: Audience,
    summary: Summary,
    table: str,
    key: Sequence[str],
    frame: pl.DataFrame,
) -> None:
    written = replace_rows(
        conn,
        audience.tenant_id,
        sql.Identifier("audience", table),
        ["segment_id", *key],
        frame,
        within={"segment_id": audience.segment_id},
    )
    summary.rows_out = written.rows
    summary.metrics = {"rows": frame.height}


def _features(conn: Connection, audience: Audience, summary: Summary) -> dict[str, Any]:
    frame = comparison.compare(conn, audience.tenant_id, audience.segment_id)
    _replace(conn, audience, summary, "segment_features", ("feature", "level"), frame)
    figure = most_different(frame)
    title = "What tells members apart"
    return {} if figure is None else {title: dg.MetadataValue.md(pictures.markdown(figure, title))}


def _funnels(conn: Connection, audience: Audience, summary: Summary) -> dict[str, Any]:
    frame = funnel.of_members(conn, audience.tenant_id, audience.segment_id, audience.as_of)
    _replace(conn, audience, summary, "segment_funnel", ("funnel_id", "step"), frame)
    return {}


def _lookalikes(conn: Connection, audience: Audience, summary: Summary) -> dict[str, Any]:
    frame = lookalike.nearest(conn, audience.segment_id)
    _replace(conn, audience, summary, "segment_lookalike", ("place",), frame)
    scores = frame["score"]
    return {} if frame.is_empty() else {"best_score": scores[0], "last_score": scores[-1]}


segment_member = _asset(
    "segment_member",
    "One row per stay of a customer in a segment of LEO, from one numbered snapshot to another. A snapshot never "
    "changes; it has a count, a hash, and who came and went since the one before (`audience.segment_snapshot`).",
    MEMBER_CHECKS,
    ("staging.stg_leo__segments", "intermediate.int_customer_links"),
    ("segment_id", "customer_id", "from_snapshot", "until_snapshot", "joined_at"),
    _members,
)

segment_features = _asset(
    "segment_features",
    "One row per segment and feature: mean (or share) over the members beside that of all customers, and how many "
    "standard deviations lie between.",
    FEATURE_CHECKS,
    ("audience.segment_member", "datasets.customer_features"),
    ("segment_id", "feature", "level", "value", "customers_value", "difference"),
    _features,
)

segment_funnel = _asset(
    "segment_funnel",
    "One row per segment, funnel and step: how many entries of members in the last 30 days got there, beside those of "
    "everybody.",
    FUNNEL_CHECKS,
    ("audience.segment_member", "datasets.funnel_member", "datasets.funnel_daily"),
    ("segment_id", "funnel_id", "step", "event_type", "entries", "rate_first", "customers_rate_first"),
    _funnels,
)

segment_lookalike = _asset(
    "segment_lookalike",
    "One row per segment and place: the hundred customers nearest to the centre of the members' vectors, members left "
    "out.",
    LOOKALIKE_CHECKS,
    ("audience.segment_member", "embedding.profile_embedding"),
    ("segment_id", "place", "customer_id", "score"),
    _lookalikes,
)

assets = [segment_member, segment_features, segment_funnel, segment_lookalike]
