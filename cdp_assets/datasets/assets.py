"""The assets of datasets: one per table of schema `datasets`, with its checks, made for one tenant at a time.

Belongs here: Dagster's side. A dataset is checked before it is published, in the same step: results of all checks are
reported, and a failed blocking one fails the step with nothing changed for those who read the dataset. Annotations are
not postponed: Dagster reads them.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from cdp_assets import pictures
from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.asset_checks import Measured, check_specs, report
from cdp_assets.asset_gates import GatedConfig
from cdp_assets.asset_runs import recorded, table_metadata, tenant_table
from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.datasets.current import recipe
from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.limits import EARLIEST
from cdp_assets.datasets.model import Dataset, Scope, first_instant, last_whole_day
from cdp_assets.datasets.publish import InputMissing, Outcome, build, checks_of, main_currency, read_inputs
from cdp_assets.warehouse.connection import Warehouse, WarehouseError
from cdp_assets.warehouse.tables import table_report
from cdp_assets.warehouse.tenants import Tenant, TenantError, active_tenant


class DatasetConfig(GatedConfig):
    """Run configuration of a dataset."""

    as_of: str | None = Field(
        None,
        description="Last day that counts, YYYY-MM-DD; unset takes the last day that has ended. A day before that of "
        "the published version gives a version beside it: table and LATEST stay",
    )


def day_of(tenant: Tenant, as_of: str | None) -> date:
    """As of when a dataset is built: the run's day, else the last whole day of the tenant's clock.

    Raises:
        TenantError: `as_of` is no day, has not ended or is before 1980, or an option of the tenant cannot be used.
    """
    newest = last_whole_day(tenant.now(), tenant.timezone)
    try:
        day = date.fromisoformat(as_of) if as_of else newest
    except ValueError as error:
        raise TenantError(f"as_of {as_of!r} is not a day such as 2026-06-30") from error
    if day > newest:
        raise TenantError(
            f"as_of {day} has not ended: the last whole day of {tenant.tenant_id} ({tenant.timezone}) is {newest}; "
            "take that day or an earlier one, or leave as_of out"
        )
    if day < EARLIEST:
        raise TenantError(f"as_of {day} lies before {EARLIEST}: nothing that datasets read is so old")
    return day


def scope_of(warehouse: Warehouse, tenant: Tenant, as_of: str | None) -> Scope:
    """Whose dataset is built, and as of when.

    Raises:
        TenantError: as `day_of`.
        InputMissing: the models were never built.
    """
    day = day_of(tenant, as_of)
    is_said = "default_currency" in tenant.options.model_fields_set
    currency = tenant.options.default_currency if is_said else main_currency(warehouse, tenant.tenant_id)
    today = last_whole_day(tenant.now(), tenant.timezone) + timedelta(days=1)
    return Scope(tenant.tenant_id, day, tenant.timezone, currency, tenant.options, today)


def _deps(dataset: Dataset) -> list[dg.AssetKey]:
    names = {name for frame in dataset.reads for name in FRAMES[frame].deps} | set(dataset.deps)
    return [dg.AssetKey(name.split(".")) for name in sorted(names)]


def _asset(dataset: Dataset) -> dg.AssetsDefinition:
    key = dg.AssetKey(["datasets", dataset.name])
    names = {"table": dataset.name}

    @tenant_table(
        "datasets",
        dataset.name,
        group="datasets",
        kinds={"polars", "parquet"},
        description=dataset.description,
        deps=_deps(dataset),
        check_specs=check_specs(key, checks_of(dataset), names),
    )
    def materialize(
        context: dg.AssetExecutionContext,
        config: DatasetConfig,
        warehouse: dg.ResourceParam[Warehouse],
        artifacts: dg.ResourceParam[ArtifactStore],
    ) -> Iterator[Any]:
        tenant_id = context.partition_key
        try:
            tenant = active_tenant(warehouse, tenant_id)
            day = day_of(tenant, config.as_of)
        except (TenantError, WarehouseError) as error:
            raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
        until = first_instant(day + timedelta(days=1), tenant.timezone)
        name, made_of = f"datasets.{dataset.name}", recipe(dataset, tenant, day)
        with recorded(context, warehouse, name, until, recipe=made_of, alone=name) as summary:
            try:
                # reads rows, and so comes after the counters of the recipe
                scope = scope_of(warehouse, tenant, str(day))
                inputs = read_inputs(warehouse, scope, dataset.reads)
            except InputMissing as error:
                raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
            outcome = build(warehouse, artifacts, dataset, scope, inputs, summary.run_id)
            manifest = outcome.manifest
            of = Measured(tenant_id, context.run.run_id, data_version=manifest.version)
            yield from report(warehouse, key, of, outcome.measures, names, is_kept=not outcome.is_back)
            summary.rows_in = sum(frame.height for frame in inputs.values())
            summary.rows_rejected = outcome.audit.refused.height + outcome.audit.rows_set_aside
            summary.min_event_ts, summary.max_event_ts = manifest.min_time, manifest.max_time
            if outcome.blocked_by:
                raise dg.Failure(
                    f"{tenant_id}: datasets.{dataset.name} stays at the version before, since "
                    f"{', '.join(outcome.blocked_by)} failed; version {manifest.version} can be looked at",
                    allow_retries=False,
                )
            summary.metrics = {
                "rows": manifest.rows,
                "version": manifest.version,
                "is_published": outcome.is_published,
                **outcome.audit.built.numbers,
            }
            if outcome.written is not None:
                summary.rows_out = outcome.written.rows
                summary.artifact_uri = artifacts.uri(dataset.name, tenant_id, manifest.version)
                summary.artifact_sha256, summary.bytes = manifest.sha256, manifest.size
        yield _result(warehouse, artifacts, outcome)

    return materialize


def _result(warehouse: Warehouse, artifacts: ArtifactStore, outcome: Outcome) -> dg.MaterializeResult[Any]:
    """The table as it is now, and the version that was built: of an earlier day than the table's, it stands beside."""
    dataset, manifest, audit = outcome.dataset, outcome.manifest, outcome.audit
    with warehouse.tenant(manifest.tenant_id) as conn:
        report = table_report(conn, manifest.tenant_id, "datasets", dataset.name, shows=dataset.shows)
    shown = dataset.pictures(audit) if dataset.pictures else {}
    return dg.MaterializeResult(
        metadata={
            **table_metadata(report),
            "as_of": str(manifest.as_of),
            "version": manifest.version,
            "is_published": outcome.is_published,
            "published_version": outcome.latest,
            "artifact": artifacts.uri(dataset.name, manifest.tenant_id, manifest.version),
            "bytes": manifest.size,
            "rows_written": outcome.written.rows if outcome.written else 0,
            **audit.built.numbers,
            **{
                title: dg.MetadataValue.md(pictures.markdown(figure, title))
                for title, figure in shown.items()
            },
        },
        data_version=dg.DataVersion(outcome.latest),
    )


assets = [_asset(dataset) for dataset in DATASETS.values()]
