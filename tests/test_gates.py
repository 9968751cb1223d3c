"""Gates between stages: what failed in one run lets nothing be built in another, whatever started it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from cdp_assets.asset_gates import VIEWS, asked_for, inputs_of, reason
from cdp_assets.automation.jobs import LOADED_CHECKS
from cdp_assets.definitions import build_definitions
from cdp_assets.partitions import SEGMENT_DIMENSION, TENANT_DIMENSION
from cdp_assets.resources import ArtifactsResource, TransformResource, WarehouseResource
from cdp_assets.sources.model import PROFILE
from cdp_assets.warehouse.connection import Warehouse
from tests.checked import TENANTS, clean_documents, copied, dump, landed_world
from tests.conftest import Server
from tests.gates_support import all_passed, graph

_numbers = count(1)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class World:
    """Two landed tenants and the whole graph over them."""

    def __init__(self, warehouse: Warehouse, dsn: str, folder: Path, instance: dg.DagsterInstance) -> None:
        self.warehouse, self.folder, self.instance = warehouse, folder, instance
        self.definitions = build_definitions(
            resources={
                "warehouse": WarehouseResource(dsn=dsn),
                "transform": TransformResource(dsn=dsn),
                "artifacts": ArtifactsResource(root=str(folder / "artifacts")),
            }
        )
        instance.add_dynamic_partitions(TENANT_DIMENSION, list(TENANTS))
        instance.add_dynamic_partitions(SEGMENT_DIMENSION, ["vip"])

    def run(
        self,
        job: str,
        tenant_id: str = "acme",
        *,
        assets: list[str] | None = None,
        config: dict[str, Any] | None = None,
        tags: dict[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """A run of a job for a tenant, of all its assets or of some."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=f"vip|{tenant_id}" if job == "audience_refresh" else tenant_id,
            asset_selection=None if assets is None else [dg.AssetKey(name.split(".")) for name in assets],
            run_config={**QUIET, "ops": config or {}},
            tags=tags,
            raise_on_error=False,
        )

    def cut_profiles(self) -> None:
        """Half of acme's profiles are gone from the source."""
        documents = clean_documents("acme")
        del documents[PROFILE][len(documents[PROFILE]) // 2 :]
        dump(self.folder / "acme", documents)

    def restore_profiles(self) -> None:
        dump(self.folder / "acme", clean_documents("acme"))

    def sweep(self, tenant_id: str = "acme", mode: str = "SWEEP") -> dg.ExecuteInProcessResult:
        """A run that loads and checks profiles alone."""
        config = {"cdp__customer_profile": {"config": {"mode": mode}}}
        return self.run("leo_cdp_sweep", tenant_id, assets=["cdp.customer_profile"], config=config)

    def one(self, statement: str, tenant_id: str = "acme") -> Any:
        with self.warehouse.tenant(tenant_id) as conn:
            row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None


@pytest.fixture
def world(postgres: Server, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[World]:
    """A copy of the landed world for one test, of which every check has passed."""
    template, _ = landed_world(postgres, tmp_path_factory)
    with (
        copied(postgres, template, f"gated_{next(_numbers)}") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        for tenant_id in TENANTS:
            dump(tmp_path / tenant_id, clean_documents(tenant_id))
            with warehouse.tenant(tenant_id) as conn:
                conn.execute(
                    'update ops.tenant set options = \'{"default_currency": "VND"}\', '
                    "source = jsonb_build_object('folder', %s::text)",
                    (str(tmp_path / tenant_id),),
                )
        all_passed(warehouse, *TENANTS)
        yield World(warehouse, postgres.dsn(name, user="cdp_pipeline"), tmp_path, instance)


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Step -> what it said."""
    return {
        event.step_key or "": event.step_failure_data.user_failure_data.description or ""
        for event in result.get_step_failure_events()
        if event.step_failure_data.user_failure_data is not None
    }


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        ".".join(event.asset_key.path)
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


STAGES = {
    "marts_refresh": None,
    "embedding_refresh": ["embedding.profile_embedding"],
    "leo_cdp_sync": ["cdp.tracking_event", "cdp.consent", "cdp.customer_metrics", "cdp.feedback"],
    "customer_features": None,
    "events_and_funnels": None,
}
"""Job -> the assets of it that read profiles, all of them where None."""


def test_what_a_sweep_found_holds_every_stage_in_every_other_run(world: World) -> None:
    world.cut_profiles()
    assert not world.sweep().success
    for job, assets in STAGES.items():
        result = world.run(job, assets=assets)
        assert not result.success, job
        assert materialized(result) == set(), job
        found = failures(result)
        assert found, job
        for step, said in found.items():
            assert "cdp.customer_profile: mass_delete_guard failed (" in said, step
            assert "cdp.customer_profile: row_count failed (" in said, step
            assert "allow_mass_delete" in said, "the remedy"
            assert "cdp.customer_profile (mass_delete_guard, row_count)" in said.splitlines()[0], (
                "all of an alert"
            )
        assert "STEP_UP_FOR_RETRY" not in {event.event_type_value for event in result.all_events}, job
    assert world.run("leo_cdp_sync", "nova", assets=["cdp.consent"]).success, (
        "another tenant's is nobody's concern"
    )
    failed = world.one("select error from ops.etl_runs where dataset = 'dbt' and status = 'failed'")
    assert "mass_delete_guard" in failed


@pytest.mark.parametrize(
    "tags",
    [{}, {"dagster/schedule_name": "any"}, {"dagster/sensor_name": "any"}, {"dagster/backfill": "any"}],
    ids=["manual", "schedule", "sensor", "backfill"],
)
def test_a_gate_holds_whatever_started_the_run(world: World, tags: dict[str, str]) -> None:
    fail(world, "cdp.customer_profile", "row_count")
    assert not world.run("leo_cdp_sync", assets=["cdp.consent"], tags=tags).success
    assert (
        world.one("select count(*) from ops.etl_runs where dataset = 'cdp.consent' and status = 'success'")
        == 0
    )


def fail(world: World, asset: str, check: str, segment_id: str = "") -> None:
    """A run has found a check to fail."""
    with world.warehouse.tenant("acme") as conn:
        conn.execute(
            "insert into ops.check_result as r values ('acme', %s, %s, %s, true, false, 'error', 3, 'three are wrong', "
            "'build', null, 'run') on conflict (tenant_id, asset, check_name, segment_id) do update "
            "set passed = false, failing = 3, says = 'three are wrong'",
            (asset, check, segment_id),
        )


@pytest.mark.parametrize(
    ("asset", "check", "job", "made"),
    [
        ("raw.orders", "row_count", "marts_refresh", None),
        ("raw.orders", "row_count", "timeseries", None),
        ("intermediate.int_customers", "", "customer_features", None),
        ("staging.stg_leo__profiles", "", "customer_features", None),
        ("datasets.events_enriched", "", "customer_features", None),
        ("datasets.articles_content", "", "articles_embeddings", ["datasets.articles_tfidf"]),
        ("datasets.customer_features", "", "audience_refresh", ["audience.segment_features"]),
        ("embedding.profile_embedding", "", "audience_refresh", ["audience.segment_lookalike"]),
        ("cdp.profile_segment", "", "audience_refresh", ["audience.segment_member"]),
    ],
)
def test_each_stage_asks_the_ones_before_it(
    world: World, asset: str, check: str, job: str, made: list[str] | None
) -> None:
    name = check or min(
        key.name
        for key in graph().get(dg.AssetKey(asset.split("."))).check_keys
        if graph().get_check_spec(key).blocking
    )
    with world.warehouse.tenant("acme") as conn:
        conn.execute('update ops.tenant set shop = \'{"dsn": "host=none dbname=none"}\'')
        conn.execute(
            "insert into cdp.segment (tenant_id, segment_id, name, segment_type, status, query_rules, metadata, "
            "content_hash) values ('acme', 'vip', 'VIP', 'dynamic', 'active', '', '{}', '')"
        )
    all_passed(world.warehouse, "acme")
    with world.warehouse.tenant("acme") as conn:
        conn.execute(
            "insert into ops.check_result select 'acme', 'audience.segment_member', name, 'vip', true, true, 'error', "
            "0, 'passed', 'build', null, 'run' from unnest(array['members_match_leo', 'snapshots_unchanged']) as name"
        )
    fail(world, asset, name)
    found = failures(world.run(job, assets=made))
    assert found
    assert all(f"{asset}: {name} failed (3)" in said for said in found.values()), found


def test_a_window_does_not_lift_what_a_sweep_found_a_sweep_does(world: World) -> None:
    world.cut_profiles()
    world.sweep()
    assert (
        world.sweep(mode="WINDOW").success is False
        or not world.run("leo_cdp_sync", assets=["cdp.consent"]).success
    )
    assert not world.run("leo_cdp_sync", assets=["cdp.consent"]).success
    world.restore_profiles()
    assert not world.run("leo_cdp_sync", assets=["cdp.consent"]).success, "nobody has measured yet"
    assert world.sweep().success
    assert world.run("leo_cdp_sync", assets=["cdp.consent"]).success


def test_rows_that_were_written_after_they_were_measured_hold_until_the_checks_alone_have_run(
    world: World,
) -> None:
    with world.warehouse.tenant("acme") as conn:
        conn.execute("update cdp.customer_profile set city = 'Huế'")
    said = failures(world.run("leo_cdp_sync", assets=["cdp.consent"], tags={"dagster/max_retries": "0"}))
    (text,) = said.values()
    assert "cdp.customer_profile has other rows than were measured" in text
    assert "cdp checks run --tenant acme --asset cdp.customer_profile" in text


def test_a_person_may_go_on_for_one_run_which_is_recorded(world: World) -> None:
    fail(world, "cdp.customer_profile", "row_count")
    config = {"cdp__consent": {"config": {"ignore_gates": True}}}
    result = world.run("leo_cdp_sync", assets=["cdp.consent"], config=config)
    assert result.success
    ignored = ["cdp.customer_profile: row_count (failed)"]
    assert world.one("select ignored_gates from ops.etl_runs where dataset = 'cdp.consent'") == ignored
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["ignored_gates"].value == ignored
    assert not world.run("leo_cdp_sync", assets=["cdp.consent"]).success, "one run, not the next"


def test_a_stage_says_once_what_holds_it(world: World) -> None:
    """As `cdp pipeline` shows it: not once for each of fourteen datasets."""
    fail(world, "cdp.customer_profile", "row_count")
    fail(world, "cdp.tracking_event", "row_count")
    job = world.definitions.resolve_job_def("datasets_refresh")
    said = reason(graph(), world.warehouse, "acme", set(job.asset_layer.executable_asset_keys))
    assert [line.partition(" (3)")[0] for line in said.splitlines()[1:-1]] == [
        "- cdp.customer_profile: row_count failed",
        "- cdp.tracking_event: row_count failed",
    ]
    assert reason(graph(), world.warehouse, "nova", set(job.asset_layer.executable_asset_keys)) == ""


def test_checks_alone_lift_what_they_find_in_order(world: World) -> None:
    """As `cdp checks run` does: nothing is loaded."""
    with world.warehouse.tenant("acme") as conn:
        conn.execute("update cdp.customer_profile set city = city")
        conn.execute("delete from ops.check_result where asset = 'cdp.segment'")
    result = world.run("checks_refresh")
    assert {each.asset_check_key for each in result.get_asset_check_evaluations()} == LOADED_CHECKS
    assert materialized(result) == set()
    assert world.run("leo_cdp_sync", assets=["cdp.consent"]).success


def whole_graph() -> AssetGraph:
    return build_definitions().resolve_asset_graph()


def test_every_asset_that_reads_others_asks_and_can_be_told_to_go_on() -> None:
    found = whole_graph()
    for definition in found.assets_defs:
        if not definition.is_executable or not definition.keys:
            continue
        asked = asked_for(found, definition.keys)
        inputs = {".".join(key.path) for key in inputs_of(found, definition.keys)}
        measured = {
            name for name in inputs if name.partition(".")[0] not in {"leo_cdp", "shop", "activation"}
        }
        tables = {name for name in measured if name.partition(".")[0] not in VIEWS}
        assert tables <= {each.asset for each in asked}, "every table below has a check to ask for"
        if asked:
            config = definition.op.config_schema.as_field().config_type.fields  # type: ignore[attr-defined]
            assert "ignore_gates" in config, definition.op.name


def test_no_step_can_be_skipped_for_another_ones_sake() -> None:
    """Outputs that need not come are those of steps that fail when a selected one does not come."""
    found = whole_graph()
    optional = {
        definition.op.name
        for definition in found.assets_defs
        if definition.is_executable
        and any(not output.is_required for output in definition.op.output_defs)
        and definition.keys
    }
    assert optional == {"shop", "dbt"}


def test_every_table_that_is_loaded_or_built_has_a_blocking_check() -> None:
    found = whole_graph()
    without = {
        ".".join(key.path)
        for key in found.materializable_asset_keys
        if key.path[0] in {"cdp", "raw", "embedding", "datasets"}
        and not any(found.get_check_spec(check).blocking for check in found.get(key).check_keys)
    }
    assert without == set()
