"""Dagster assets of the landing stage: one per table of `cdp`, partitioned by tenant.

Belongs here: keys, lineage, run configuration, metadata. What a sync does is in `sync`, `derived` and below; this
module only calls it, records the run and shows the result. Annotations are not postponed: Dagster reads them, and
one is chosen per asset.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from cdp_assets import policies
from cdp_assets.asset_gates import GatedConfig
from cdp_assets.asset_runs import recorded, table_metadata, tenant_table
from cdp_assets.landing import derived
from cdp_assets.landing.contract import Contract
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.report import fill_summary, said, sync_metadata
from cdp_assets.landing.sync import CollectionSync, SyncOptions, SyncResult
from cdp_assets.opening import Sources
from cdp_assets.settings import get_settings
from cdp_assets.sources.model import (
    CONVERSION,
    FEEDBACK,
    PRODUCT_ITEM,
    PROFILE,
    SEGMENT,
    TRACKING_EVENT,
    SourceRejected,
)
from cdp_assets.warehouse.connection import Connection, TenantSession, Warehouse, WarehouseError
from cdp_assets.warehouse.locks import Busy
from cdp_assets.warehouse.tables import table_report
from cdp_assets.warehouse.tenants import Tenant, TenantError, active_tenant, instant

GROUP = "landing"

PERMANENT = (SourceRejected, TenantError, WarehouseError)
"""Faults that a retry meets again."""


class SyncMode(Enum):
    """How changes are found: SWEEP compares every key and finds all of them, WINDOW reads by time and is cheap."""

    SWEEP = "sweep"
    WINDOW = "window"


class SyncConfig(GatedConfig):
    """How one collection is synced."""

    mode: SyncMode = Field(
        SyncMode.SWEEP, description="SWEEP finds every change and delete; WINDOW only new times"
    )
    allow_mass_delete: bool = Field(
        False,
        description="Tombstone vanished keys whatever their share: after a person has checked the source",
    )


class SegmentSyncConfig(SyncConfig):
    """How one collection is synced, or one segment's part of it."""

    segment_id: str | None = Field(
        None, description="Restrict to this LEO segment's profiles; blank processes nothing, unset takes all"
    )


class MetricsConfig(GatedConfig):
    """As of when customer metrics are computed."""

    as_of: str | None = Field(None, description="ISO time; unset takes the tenant's option as_of, else now")


def _source_spec(collection: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        ["leo_cdp", collection],
        description=f"One document per entity in the tenant's ArangoDB collection or dump `{collection}`.",
        group_name="leo_cdp",
        kinds={"arangodb"},
        owners=policies.OWNERS,
    )


def _landing_asset(
    collection: str,
    description: str,
    *,
    shows: Sequence[str],
    deps: Sequence[str] = (),
    by_segment: bool = False,
) -> dg.AssetsDefinition:
    contract = CONTRACTS[collection]
    config_type = SegmentSyncConfig if by_segment else SyncConfig

    @tenant_table(
        "cdp",
        contract.table,
        group=GROUP,
        kinds={"arangodb"},
        description=description,
        deps=[["leo_cdp", collection], *(["cdp", table] for table in deps)],
        pool=policies.SOURCE_POOL,
        freshness_policy=policies.LANDING_FRESHNESS,
    )
    def land(
        context: dg.AssetExecutionContext,
        config: config_type,  # type: ignore[valid-type]
        warehouse: dg.ResourceParam[Warehouse],
        sources: dg.ResourceParam[Sources],
    ) -> dg.MaterializeResult[None]:
        return _land(context, config, warehouse, sources, contract, shows)

    return land


def _land(
    context: dg.AssetExecutionContext,
    config: SyncConfig,
    warehouse: Warehouse,
    sources: Sources,
    contract: Contract,
    shows: Sequence[str],
) -> dg.MaterializeResult[None]:
    tenant_id = context.partition_key
    try:
        with (
            recorded(context, warehouse, f"cdp.{contract.table}") as summary,
            sources.of(warehouse, tenant_id) as (tenant, source),
            warehouse.session(tenant_id) as session,
        ):
            try:
                sync = CollectionSync(
                    session,
                    source,
                    contract,
                    tenant_options=tenant.options,
                    options=_sync_options(tenant, config),
                    run_id=context.run.run_id,
                    progress=context.log.info,
                )
                segment_id = getattr(config, "segment_id", None)
                result = sync.run(config.mode.value) if segment_id is None else sync.run_segment(segment_id)
            except Busy as busy:
                result = SyncResult(contract.collection, config.mode.value, note=f"skipped: {busy}")
                summary.status = "skipped"
            context.log.info(said(tenant_id, result))
            fill_summary(summary, result)
            with session.transaction() as conn:
                metadata = {
                    **sync_metadata(result, source.name),
                    **_table_metadata(conn, tenant_id, contract.table, shows, has_tombstones=True),
                }
        return dg.MaterializeResult(metadata=metadata)
    except PERMANENT as error:
        raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error


def _sync_options(tenant: Tenant, config: SyncConfig) -> SyncOptions:
    settings, own = get_settings(), tenant.options.max_delete_share
    return SyncOptions(
        overlap=timedelta(seconds=settings.window_overlap_s),
        max_delete_share=settings.max_delete_share if own is None else own,
        allow_mass_delete=config.allow_mass_delete,
    )


NEWEST_BY = {"profile_segment": "joined_at", "customer_metrics": "updated_at"}
"""What orders the preview of a table; `changed_at` where it is landed as it is."""


def _table_metadata(
    conn: Connection, tenant_id: str, table: str, shows: Sequence[str], *, has_tombstones: bool
) -> dict[str, Any]:
    report = table_report(
        conn,
        tenant_id,
        "cdp",
        table,
        shows=shows,
        newest_by=NEWEST_BY.get(table, "changed_at"),
        tombstone="deleted_at" if has_tombstones else None,
    )
    return table_metadata(report)


leo_cdp_collections = [_source_spec(collection) for collection in CONTRACTS]

segment = _landing_asset(
    SEGMENT,
    "One row per LEO segment definition. Members are in `cdp.profile_segment`; `reported_size` is what LEO counted.",
    shows=("segment_id", "name", "segment_type", "status", "reported_size", "deleted_at"),
)

customer_profile = _landing_asset(
    PROFILE,
    "One row per LEO profile; merged profiles are kept with status `merged` and point to the profile that speaks for "
    "them (`root_profile_id`). Contact data is normalised (e-mail in lower case, phone as E.164), codes are mapped, "
    "secrets and government ids never arrive.",
    shows=("cdp_profile_id", "status", "profile_type", "full_name", "email", "phone", "gender", "age", "country",
           "funnel_stage", "deleted_at"),
    by_segment=True,
)  # fmt: skip

product_item = _landing_asset(
    PRODUCT_ITEM,
    "One row per product item. LEO's counters and `updatedAt` are left out: they move at every purchase of the item.",
    shows=("product_key", "item_id", "title", "category", "brand", "sale_price", "currency", "status"),
)

tracking_event = _landing_asset(
    TRACKING_EVENT,
    "One row per tracking event. `cdp_profile_id` is its owner today (events follow merges), `order_status` the free "
    "text `transaction_status` in our words.",
    shows=("event_id", "event_name", "event_at", "cdp_profile_id", "device_type", "transaction_value", "currency",
           "order_status"),
    deps=("customer_profile",),
)  # fmt: skip

transactional_context = _landing_asset(
    CONVERSION,
    "One row per purchased line (LEO conversion edge). `transaction_id` names the order, null when LEO has none; "
    "`amount` is the line in `currency`; the owner follows merges, the status follows the order's events.",
    shows=("txn_id", "transaction_id", "cdp_profile_id", "txn_type", "txn_status", "txn_timestamp", "amount",
           "currency", "quantity"),
    deps=("customer_profile", "tracking_event", "product_item"),
    by_segment=True,
)  # fmt: skip

feedback = _landing_asset(
    FEEDBACK,
    "One row per review, rating, survey or contact form.",
    shows=("feedback_id", "feedback_type", "status", "score", "comment", "language", "created_at"),
    deps=("customer_profile",),
)


def _derived_asset(
    table: str,
    description: str,
    *,
    shows: Sequence[str],
    deps: Sequence[str],
    refresh: Callable[[TenantSession, datetime | None], derived.Derived],
    has_as_of: bool = False,
) -> dg.AssetsDefinition:
    decorate = tenant_table(
        "cdp",
        table,
        group=GROUP,
        kinds={"sql"},
        description=description,
        deps=[["cdp", upstream] for upstream in deps],
        freshness_policy=policies.LANDING_FRESHNESS,
    )

    def run(
        context: dg.AssetExecutionContext, warehouse: Warehouse, as_of: str | None
    ) -> dg.MaterializeResult[None]:
        tenant_id = context.partition_key
        try:
            name, time = f"cdp.{table}", _as_of(as_of, active_tenant(warehouse, tenant_id))
            with (
                recorded(context, warehouse, name, time, alone=name) as summary,
                warehouse.session(tenant_id) as session,
            ):
                done = refresh(session, time)
                summary.rows_out = done.written + done.removed
                summary.metrics = {"written": done.written, "removed": done.removed}
                with session.transaction() as conn:
                    metadata = _table_metadata(conn, tenant_id, table, shows, has_tombstones=False)
        except PERMANENT as error:
            raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
        context.log.info(
            "%s cdp.%s: %d rows written, %d removed", tenant_id, table, done.written, done.removed
        )
        counts = {"rows_written": done.written + done.removed, "rows_removed": done.removed}
        return dg.MaterializeResult(metadata={**counts, **metadata})

    if has_as_of:

        @decorate
        def derive_as_of(
            context: dg.AssetExecutionContext, config: MetricsConfig, warehouse: dg.ResourceParam[Warehouse]
        ) -> dg.MaterializeResult[None]:
            return run(context, warehouse, config.as_of)

        return derive_as_of

    @decorate
    def derive(
        context: dg.AssetExecutionContext, config: GatedConfig, warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.MaterializeResult[None]:
        return run(context, warehouse, None)

    return derive


def _as_of(configured: str | None, tenant: Tenant) -> datetime | None:
    return instant(configured) if configured else tenant.options.as_of


profile_segment = _derived_asset(
    "profile_segment",
    "One row per stay of an active profile in a segment, with the times at which it was seen to join and leave.",
    shows=("cdp_profile_id", "segment_id", "joined_at", "left_at"),
    deps=("customer_profile", "segment"),
    refresh=lambda session, _: derived.refresh_profile_segment(session),
)

consent = _derived_asset(
    "consent",
    "One row per active profile and channel. A refusal by the profile, or by any profile merged into it, denies; "
    "only an explicit agreement allows; unset does not.",
    shows=("cdp_profile_id", "channel", "decision", "is_allowed", "changed_at"),
    deps=("customer_profile",),
    refresh=lambda session, _: derived.refresh_consent(session),
)

customer_metrics = _derived_asset(
    "customer_metrics",
    "One row per active profile: recency, frequency, money, estimated lifetime value, experience score and segment "
    "(formulas in `cdp.refresh_customer_metrics`), as of now or of the time that the run or the tenant fixes.",
    shows=(
        "cdp_profile_id",
        "segment",
        "orders",
        "freq_90d",
        "avg_order_value",
        "clv_est",
        "currency",
        "experience_score",
        "last_purchase",
    ),
    deps=("customer_profile", "transactional_context"),
    refresh=derived.refresh_customer_metrics,
    has_as_of=True,
)


assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
    *leo_cdp_collections,
    segment,
    customer_profile,
    profile_segment,
    consent,
    product_item,
    tracking_event,
    transactional_context,
    feedback,
    customer_metrics,
]
"""The landing stage in the order of the flow."""
