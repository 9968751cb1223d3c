"""Dagster assets of the modeling stage: the views and the marts of dbt, partitioned by tenant.

Belongs here: `@dbt_assets`, and what the UI shows of them. The SQL is in `dbt_project/`. Views are shared by all
tenants, yet partitioned as well: their tests look at the rows of one tenant, and so do their counts. Being partitioned
alike, views and marts are one step: dbt takes 7 s to start. Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets

from cdp_assets import policies
from cdp_assets.asset_checks import Measured, keep
from cdp_assets.asset_gates import GatedConfig
from cdp_assets.asset_runs import recorded, table_metadata
from cdp_assets.modeling.current import PART, WHOLE, recipe
from cdp_assets.modeling.outcome import BuildFailed
from cdp_assets.modeling.project import PROJECT, ProjectError, prepared_manifest
from cdp_assets.partitions import tenants
from cdp_assets.quality import Severity
from cdp_assets.resources import Transform
from cdp_assets.warehouse.check_results import Result
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tables import table_report
from cdp_assets.warehouse.tenants import Tenant, TenantError, active_tenant


class Translator(DagsterDbtTranslator):
    """dbt node -> asset: key `[schema, table]`, group by schema, tests as checks of one tenant."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The schema: staging, intermediate or marts."""
        return str(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The same for all."""
        return list(policies.OWNERS)

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """What the yml says, grain first; the SQL is in the repository."""
        return str(dbt_resource_props.get("description", ""))

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """By stage, as everywhere."""
        return {**super().get_tags(dbt_resource_props), "cdp/stage": "modeling"}

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """A test with its partitions: without, one tenant's failure would be hidden by the next tenant's success."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return None if spec is None else spec._replace(partitions_def=tenants)


translator = Translator(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))
manifest = prepared_manifest()
project = DbtProject(project_dir=PROJECT, profiles_dir=PROJECT)


def _built(
    context: dg.AssetExecutionContext, transform: Transform, warehouse: Warehouse, dataset: str
) -> Iterator[Any]:
    """`dbt build` of what was selected, each model's event with the rows and columns that it left."""
    tenant_id = context.partition_key
    try:
        tenant = active_tenant(warehouse, tenant_id)
        yield from _recorded_build(context, transform, warehouse, tenant, dataset)
    except TenantError as error:
        raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
    except BuildFailed as error:
        raise dg.Failure(f"{tenant_id}: {error}", allow_retries=error.is_transient) from error
    except ProjectError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _recorded_build(
    context: dg.AssetExecutionContext,
    transform: Transform,
    warehouse: Warehouse,
    tenant: Tenant,
    dataset: str,
) -> Iterator[Any]:
    made_of = recipe(tenant) if dataset == WHOLE else None
    with recorded(context, warehouse, dataset, recipe=made_of, alone=WHOLE) as summary:
        counts: dict[str, int] = {}
        tested: dict[dg.AssetCheckKey, Result] = {}
        try:
            for event in transform.build(context, tenant):
                if isinstance(event, dg.AssetCheckResult):
                    assert event.asset_key is not None
                    assert event.check_name is not None
                    key = dg.AssetCheckKey(event.asset_key, event.check_name)
                    tested[key] = _result(key, event)
                elif isinstance(event, dg.Output):
                    made = context.asset_key_for_output(event.output_name)
                    schema, table = made.path
                    with warehouse.tenant(tenant.tenant_id) as conn:
                        report = table_report(conn, tenant.tenant_id, schema, table)
                    counts[".".join(made.path)] = report.rows
                    context.add_asset_metadata(table_metadata(report), asset_key=made)
                yield event
        finally:
            # Without a version: views hold no rows that could change, and a mart's change by dbt alone, which tests.
            keep(warehouse, Measured(tenant.tenant_id, context.run.run_id), list(tested.values()))
        _require_all(context, counts, tested)
        summary.rows_out = sum(counts.values())
        summary.metrics = {"rows": counts}


def _result(key: dg.AssetCheckKey, event: dg.AssetCheckResult) -> Result:
    """A test's result as a row; the count of wrong rows is dbt's own."""
    rows = event.metadata.get("dagster_dbt/failed_row_count")
    failing = 0
    if not event.passed:
        failing = rows.value if isinstance(rows, dg.IntMetadataValue) and rows.value else 1
    return Result(
        ".".join(key.asset_key.path),
        key.name,
        BLOCKING[key],
        event.passed,
        Severity(event.severity.value.lower()),
        failing,
        f"{failing} rows fail the test of dbt",
    )


def _require_all(
    context: dg.AssetExecutionContext, made: Collection[str], tested: Collection[dg.AssetCheckKey]
) -> None:
    """Fail for what dbt left out: Dagster would skip what depends on it without a word."""
    missing = [
        *({".".join(key.path) for key in context.selected_asset_keys} - set(made)),
        *(f"test {key.name}" for key in context.selected_asset_check_keys - set(tested)),
    ]
    if missing:
        raise dg.Failure(f"dbt left out {', '.join(sorted(missing))}", allow_retries=False)


@dbt_assets(
    manifest=manifest,
    project=project,
    name="dbt",
    partitions_def=tenants,
    dagster_dbt_translator=translator,
    retry_policy=policies.RETRY,
)
def models(
    context: dg.AssetExecutionContext,
    config: GatedConfig,
    transform: dg.ResourceParam[Transform],
    warehouse: dg.ResourceParam[Warehouse],
) -> Iterator[Any]:
    """Views where they changed, marts of one tenant where rows differ, and the tests of both, in one process of dbt."""
    is_whole = context.selected_asset_keys >= set(models.keys)
    yield from _built(context, transform, warehouse, WHOLE if is_whole else PART)


BLOCKING = {spec.key: spec.blocking for spec in models.check_specs}
"""Test -> whether nothing may be built on what fails it: those of severity error."""

assets = [models]
