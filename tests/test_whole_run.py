"""One run of all stages for a tenant: nothing is skipped because of what the tenant lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from cdp_assets.definitions import build_definitions
from cdp_assets.partitions import TENANT_DIMENSION, tenants
from cdp_assets.resources import ArtifactsResource, TransformResource, WarehouseResource
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.checked import clean_documents, dump
from tests.conftest import Server
from tests.databases import shared_database
from tests.shop_support import ROWS, SMALL, shop_database

DATABASE = "test_whole_run"


@pytest.fixture(scope="module")
def warehouse(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """One for both tenants: dbt parses for each database anew."""
    with (
        pytest.MonkeyPatch.context() as patch,
        shared_database(postgres, DATABASE),
        Warehouse(postgres.dsn(DATABASE, user="cdp_pipeline")) as opened,
    ):
        patch.setenv("CDP_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        patch.setenv("CDP_EMBEDDING_PROVIDER", "placeholder")
        get_settings.cache_clear()
        yield opened
    get_settings.cache_clear()


def run_of_everything(
    dsn: str, tenant_id: str, folder: Path
) -> tuple[dg.JobDefinition, dg.ExecuteInProcessResult]:
    definitions = build_definitions(
        resources={
            "warehouse": WarehouseResource(dsn=dsn),
            "transform": TransformResource(dsn=dsn),
            "artifacts": ArtifactsResource(root=str(folder / "artifacts")),
        }
    )
    graph = definitions.resolve_asset_graph()
    of_tenants = {key for key in graph.materializable_asset_keys if graph.get(key).partitions_def == tenants}
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=of_tenants)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(TENANT_DIMENSION, [tenant_id])
        result = job.execute_in_process(
            instance=instance,
            tags={"dagster/partition": tenant_id},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
    return job, result


@pytest.mark.slow
@pytest.mark.parametrize("tenant_id", ["four", "none"], ids=["the four needed tables", "no shop at all"])
def test_one_run_of_all_stages_builds_and_checks_everything_whatever_the_shop_lacks(
    warehouse: Warehouse, postgres: Server, tmp_path: Path, tenant_id: str
) -> None:
    dump(tmp_path / "leo", clean_documents("acme"))
    dsn = postgres.dsn(DATABASE, user="cdp_pipeline")
    with shop_database(postgres, SMALL, ROWS) as shop:
        address = {"dsn": postgres.dsn(shop.database, user="postgres"), "timezone": "UTC"}
        put_tenant(
            warehouse,
            Tenant(tenant_id, tenant_id, "active", "dump", {"folder": str(tmp_path / "leo")},
                   {"default_currency": "VND", "default_region": "VN"}, address if tenant_id == "four" else None),
        )  # fmt: skip
        job, result = run_of_everything(dsn, tenant_id, tmp_path)
    said = {event.step_key: event.step_failure_data.error for event in result.get_step_failure_events()}
    assert result.success, said
    assert not [event.step_key for event in result.all_events if event.event_type_value == "STEP_SKIPPED"]
    planned = job.asset_layer.asset_graph.asset_check_keys
    assert {each.asset_check_key for each in result.get_asset_check_evaluations()} == planned
    materialized = {event.asset_key: event for event in result.get_asset_materialization_events()}
    assert set(materialized) == set(job.asset_layer.executable_asset_keys)
    absent = {
        key.path[-1] for key, event in materialized.items() if key and key.path[0] == "raw"
        and event.materialization.metadata["absent"].value
    }  # fmt: skip
    optional = {"categories", "reviews", "promotions", "events"}
    needed = {"customers", "products", "orders", "order_items"}
    assert absent == (optional if tenant_id == "four" else optional | needed)
    with warehouse.tenant(tenant_id) as conn:
        for table in ("marts.fct_sales", "marts.dim_customers", "datasets.customer_features"):
            assert conn.execute(f"select count(*) > 0 from {table}").fetchone() == (True,), table
        kept = conn.execute("select count(distinct (asset, check_name)) from ops.check_result").fetchone()
    assert kept == (len(planned),), "every result is a row that later runs ask for"
