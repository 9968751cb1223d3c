"""The modeling assets as Dagster runs them: dbt in a process of its own, against the test's warehouse."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from cdp_assets.environment import dbt_environment
from cdp_assets.modeling.assets import assets
from cdp_assets.modeling.outcome import BuildFailed, failure_of
from cdp_assets.modeling.project import PROJECT, prepared_manifest
from cdp_assets.partitions import TENANT_DIMENSION
from cdp_assets.resources import Transform
from cdp_assets.settings import Settings, get_settings
from cdp_assets.warehouse import locks
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, TenantError, put_tenant
from tests.conftest import Server
from tests.databases import shared_database
from tests.dbt_support import write

DATABASE = "test_modeling"


class Stage:
    """The modeling assets over one tenant."""

    def __init__(self, warehouse: Warehouse, tenant: str, instance: dg.DagsterInstance, dsn: str) -> None:
        self.warehouse, self.tenant, self.instance, self.dsn = warehouse, tenant, instance, dsn

    def run(self) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            assets,
            instance=self.instance,
            partition_key=self.tenant,
            resources={"warehouse": self.warehouse, "transform": Transform(self.dsn)},
            raise_on_error=False,
        )

    def write(self, table: str, *rows: dict[str, Any]) -> None:
        write(self.dsn, self.tenant, table, *rows)

    def one(self, statement: str) -> Any:
        with self.warehouse.tenant(self.tenant) as conn:
            row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None


@pytest.fixture(scope="module")
def modeled(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A warehouse for all tests: dbt parses for each database anew, which takes 6 s."""
    with (
        pytest.MonkeyPatch.context() as patch,
        shared_database(postgres, DATABASE),
        Warehouse(postgres.dsn(DATABASE, user="cdp_pipeline")) as opened,
    ):
        patch.setenv("CDP_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        get_settings.cache_clear()
        yield opened
    get_settings.cache_clear()


@pytest.fixture(params=["acme"])
def stage(modeled: Warehouse, postgres: Server, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A tenant with one customer, one product and one order of one line."""
    tenant, dsn = request.param, postgres.dsn(DATABASE, user="cdp_pipeline")
    put_tenant(modeled, Tenant(tenant, tenant, "active", "dump", {"folder": "unused"}, {}))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(TENANT_DIMENSION, [tenant])
        found = Stage(modeled, tenant, instance, dsn)
        moment = "2026-06-01T10:00:00Z"
        found.write("raw.customers", {"id": 1, "name": "An", "email": "an@shop.test", "created_at": moment})
        found.write("raw.products", {"id": 1, "name": "Giày", "price": 10, "currency": "VND"})
        found.write(
            "raw.orders",
            {"id": 1, "customer_id": 1, "order_date": moment, "status": "completed", "total_amount": 20,
             "currency": "VND"},
        )  # fmt: skip
        found.write(
            "raw.order_items", {"id": 1, "order_id": 1, "product_id": 1, "quantity": 2, "unit_price": 10}
        )
        yield found


def failed(result: dg.ExecuteInProcessResult) -> set[tuple[str, str]]:
    return {
        (check.check_name, check.severity.value)
        for check in result.get_asset_check_evaluations()
        if not check.passed
    }


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["waits"], indirect=True)
def test_a_build_waits_for_another_of_the_same_tenant(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(locks.writing.__wrapped__.__kwdefaults__, "wait_s", 0.2)  # type: ignore[attr-defined]
    with locks.writing(stage.warehouse, stage.tenant, "cdp dbt", thing="dbt"):
        result = stage.run()
    (failure,) = result.get_step_failure_events()
    assert f"another run is at work on dbt of tenant {stage.tenant}: cdp dbt" in str(
        failure.step_failure_data.error
    )


def test_views_and_marts_are_built_tested_and_told_of_and_a_wrong_total_is_named(stage: Stage) -> None:
    result = stage.run()
    assert result.success
    made = {
        ".".join(event.asset_key.path): event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    assert {
        "staging.stg_orders",
        "intermediate.int_customers",
        "marts.fct_sales",
        "marts.snp_products",
    } <= set(made)
    sales = made["marts.fct_sales"]
    assert sales["dagster/row_count"].value == 1
    columns = sales["dagster/column_schema"].value
    assert isinstance(columns, dg.TableSchema)
    assert "purchase_key" in [column.name for column in columns.columns]
    assert "shop:1" in str(sales["preview"].value)
    assert "an@shop.test" not in str(made["marts.dim_customers"]["preview"].value), "personal data is masked"
    assert all(severity == "WARN" for _, severity in failed(result))
    assert stage.one("select status from ops.etl_runs where dataset = 'dbt'") == "success"
    assert not list((get_settings().data_dir / "dbt").glob("dbt_*")), "what dbt leaves is removed"

    with stage.warehouse.tenant(stage.tenant) as conn:
        conn.execute("update raw.orders set total_amount = 25")
    again = stage.run()
    assert again.success, "a shop's wrong total warns"
    assert ("order_total_matches_lines", "WARN") in failed(again)
    assert stage.one("select reconciliation_diff from marts.fct_orders") == 5


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["lotus"], indirect=True)
def test_a_test_of_severity_error_fails_the_step_by_name_and_is_not_tried_again(stage: Stage) -> None:
    stage.write("cdp.customer_profile", {"cdp_profile_id": "p1", "root_profile_id": "gone"})
    result = stage.run()
    assert not result.success
    (failure,) = [event for event in result.get_step_failure_events() if event.step_key == "dbt"]
    message = failure.step_failure_data.error.message  # type: ignore[union-attr]
    assert "dbt nodes failed" in message
    assert "relationships_stg_leo__profiles_root_profile_id" in message
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    # the table is there if another test has built it
    is_there = stage.one("select to_regclass('marts.fct_sales')") is not None
    assert not is_there or stage.one("select count(*) from marts.fct_sales") == 0, "nothing was built on it"


def test_dbt_sees_one_tenant_and_the_environment_is_as_before(tmp_path: Path) -> None:
    before = dict(os.environ)
    settings = Settings(data_dir=tmp_path, transform_password=SecretStr("ours"))
    dsn = "host=db port=6000 dbname=w user=cdp_pipeline password=theirs"
    shop = {"timezone": "Asia/Ho_Chi_Minh"}
    tenant = Tenant("acme", "Acme", "active", "dump", {}, {"as_of": "2026-06-29T18:00:00+00:00"}, shop)
    with dbt_environment(settings, dsn, tenant):
        assert os.environ["CDP_DBT_USER"] == "cdp_transform"
        assert os.environ["CDP_DBT_PASSWORD"] == "ours"
        assert os.environ["CDP_DBT_PORT"] == "6000"
        assert "-c app.tenant_id=acme " in os.environ["PGOPTIONS"]
        assert "-c app.timezone=Asia/Ho_Chi_Minh " in os.environ["PGOPTIONS"]
        assert "-c app.today=2026-06-30 " in os.environ["PGOPTIONS"]
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("tenant", "timezone"), [("acme -c app.tenant_id=lotus", "UTC"), ("acme", "UTC -c app.tenant_id=lotus")]
)
def test_nothing_slips_into_the_options_of_a_session(tmp_path: Path, tenant: str, timezone: str) -> None:
    with (
        pytest.raises((ValueError, TenantError), match=r"cannot name a tenant|not the name of a time zone"),
        dbt_environment(
            Settings(data_dir=tmp_path),
            "",
            Tenant(tenant, "Acme", "active", "dump", {}, {}, {"timezone": timezone}),
        ),
    ):
        pass


def test_every_model_has_a_group_an_owner_and_a_description_that_begins_with_its_grain() -> None:
    for definition in assets:
        for spec in definition.specs:
            assert spec.group_name == spec.key.path[0]
            assert spec.owners
            assert spec.description
            assert spec.description.startswith("One row per"), spec.key


def test_every_test_of_the_project_is_a_check_of_one_tenant() -> None:
    for definition in assets:
        for spec in definition.check_specs:
            assert spec.partitions_def is not None


def test_the_manifest_is_parsed_once() -> None:
    first = prepared_manifest().stat().st_mtime_ns
    assert prepared_manifest().stat().st_mtime_ns == first
    assert prepared_manifest().is_relative_to(PROJECT)


@pytest.mark.parametrize(
    ("said", "is_transient"),
    [
        ("deadlock detected", True),
        ('relation "fct_sales" already exists', True),
        ("Got 3 results, configured to fail if != 0", False),
    ],
)
def test_what_failed_is_read_from_dbts_results(tmp_path: Path, said: str, is_transient: bool) -> None:
    results = [
        {"unique_id": "test.cdp.keys.1f", "status": "fail", "message": said},
        {"unique_id": "model.cdp.fct_sales", "status": "success", "message": "MERGE 1"},
    ]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))
    failure = failure_of(tmp_path)
    assert isinstance(failure, BuildFailed)
    assert str(failure) == f"1 dbt nodes failed\ntest keys: {said}"
    assert failure.is_transient is is_transient


def test_a_dbt_that_died_says_nothing(tmp_path: Path) -> None:
    assert failure_of(tmp_path) is None
