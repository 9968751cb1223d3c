"""Dagster assets of the modeling stage: the views and the marts of dbt, partitioned by tenant.

Belongs here: `@dbt_assets`, and what the UI shows of them. The SQL is in `dbt_project/`. Views are shared by all
tenants, yet partitioned as well: their tests look at the rows of one tenant, and so do their counts. Being partitioned
alike, views and marts are one step: dbt takes 7 s to start. Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets

from cdp_assets import policies
from cdp_assets.asset_runs import recorded, table_metadata
from cdp_assets.modeling.current import PART, WHOLE, recipe
from cdp_assets.modeling.outcome import BuildFailed
from cdp_assets.modeling.project import PROJECT, ProjectError, prepared_manifest
from cdp_assets.partitions import tenants
from cdp_assets.resources import Transform
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
    with recorded(context, warehouse, dataset, recipe=made_of) as summary:
        counts: dict[str, int] = {}
        for event in transform.build(context, tenant):
            if isinstance(event, dg.Output | dg.AssetMaterialization):
                key = (
                    context.asset_key_for_output(event.output_name)
                    if isinstance(event, dg.Output)
                    else event.asset_key
                )
                schema, table = key.path
                with warehouse.tenant(tenant.tenant_id) as conn:
                    report = table_report(conn, tenant.tenant_id, schema, table)
                counts[".".join(key.path)] = report.rows
                context.add_asset_metadata(table_metadata(report), asset_key=key)
            yield event
        summary.rows_out = sum(counts.values())
        summary.metrics = {"rows": counts}


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
    transform: dg.ResourceParam[Transform],
    warehouse: dg.ResourceParam[Warehouse],
) -> Iterator[Any]:
    """Views where they changed, marts of one tenant where rows differ, and the tests of both, in one process of dbt."""
    is_whole = context.selected_asset_keys >= set(models.keys)
    yield from _built(context, transform, warehouse, WHOLE if is_whole else PART)


assets = [models]
