"""A dataset as Dagster runs it: results of checks, metadata, registry, and what a failed gate leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import psycopg
import pytest

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets import frames
from cdp_assets.datasets.assets import _asset, scope_of
from cdp_assets.datasets.frames import Frame
from cdp_assets.partitions import TENANT_DIMENSION
from cdp_assets.warehouse import locks
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.registry import record_run
from cdp_assets.warehouse.tenants import Tenant, TenantError, put_tenant
from tests.dataset_support import TOY, create_table


class Stage:
    """The toy over what its source table holds."""

    def __init__(
        self, warehouse: Warehouse, owner_dsn: str, folder: Path, instance: dg.DagsterInstance
    ) -> None:
        self.warehouse, self.owner_dsn, self.instance = warehouse, owner_dsn, instance
        self.store = ArtifactStore(folder / "ml")
        self.instance.add_dynamic_partitions(TENANT_DIMENSION, ["acme"])
        create_table(owner_dsn)
        with psycopg.connect(owner_dsn) as conn:
            conn.execute("create table intermediate.int_main_currency as select 'VND'::text as currency")
            conn.execute("create table intermediate.things (thing text, size bigint)")
            conn.execute("grant select on all tables in schema intermediate to cdp_pipeline")

    def things(self, *rows: tuple[str, int]) -> None:
        with psycopg.connect(self.owner_dsn) as conn:
            conn.execute("truncate intermediate.things")
            conn.cursor().executemany("insert into intermediate.things values (%s, %s)", rows)

    def run(self, **config: Any) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [_asset(TOY)],
            instance=self.instance,
            partition_key="acme",
            resources={"warehouse": self.warehouse, "artifacts": self.store},
            run_config={"ops": {"datasets__toy": {"config": config}}} if config else None,
            raise_on_error=False,
        )

    def one(self, statement: str) -> Any:
        with self.warehouse.tenant("acme") as conn:
            return conn.execute(statement).fetchone()  # type: ignore[call-overload]


@pytest.fixture
def stage(
    warehouse: Warehouse, acme: Tenant, owner_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    things = Frame(
        "select thing, size from intermediate.things",
        {"thing": pl.String, "size": pl.Int64},
        ("intermediate.things",),
    )
    monkeypatch.setitem(frames.FRAMES, "things", things)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Stage(warehouse, owner_dsn, tmp_path, instance)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Check -> passed."""
    return {found.check_name: found.passed for found in result.get_asset_check_evaluations()}


def test_a_dataset_is_materialized_with_its_checks_and_shown(stage: Stage) -> None:
    stage.things(("a", 1), ("b", 2))
    result = stage.run(as_of="2026-06-29")
    assert result.success
    assert evaluations(result) == {
        "inputs_are_usable": True, "contract_kept": True, "row_count_band": True, "drift": True, "not_too_big": True
    }  # fmt: skip
    (event,) = result.get_asset_materialization_events()
    metadata = {name: item.value for name, item in event.materialization.metadata.items()}
    assert metadata["dagster/row_count"] == 2
    assert metadata["as_of"] == "2026-06-29"
    assert metadata["total"] == 3
    assert metadata["rows_written"] == 2
    assert metadata["version"] == stage.store.latest("toy", "acme")
    assert [column.name for column in metadata["dagster/column_schema"].columns] == [
        "tenant_id", "thing", "size", "price", "tags"
    ]  # fmt: skip
    run = stage.one(
        "select status, rows_in, rows_out, artifact_sha256, bytes, metrics ->> 'version', as_of::text "
        "from ops.etl_runs where dataset = 'datasets.toy'"
    )
    manifest = stage.store.manifest("toy", "acme", metadata["version"])
    assert run == (
        "success",
        2,
        2,
        manifest.sha256,
        manifest.size,
        manifest.version,
        "2026-06-30 00:00:00+00",
    )
    assert stage.one("select count(*) from ops.etl_artifacts")[0] == 2


def test_a_build_waits_for_another_of_the_same_dataset_and_changes_nothing_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(locks.writing.__wrapped__.__kwdefaults__, "wait_s", 0.2)  # type: ignore[attr-defined]
    stage.things(("a", 1))
    with locks.writing(stage.warehouse, "acme", "the first", thing="datasets.toy"):
        result = stage.run()
        (failure,) = result.get_step_failure_events()
        assert "another run is at work on datasets.toy of tenant acme: the first" in str(
            failure.step_failure_data.error
        )
        assert stage.store.latest("toy", "acme") is None
        assert stage.one("select count(*) from datasets.toy") == (0,)
    assert stage.run().success


def test_a_failed_gate_reports_every_check_and_changes_nothing(stage: Stage) -> None:
    stage.things(("a", 1))
    stage.run()
    before = stage.store.latest("toy", "acme")
    stage.things(("a", 1), ("b", 5_000))
    result = stage.run()
    assert not result.success
    assert evaluations(result) == {
        "inputs_are_usable": True, "contract_kept": True, "row_count_band": True, "drift": True, "not_too_big": False
    }  # fmt: skip
    assert not result.get_asset_materialization_events()
    (failure,) = result.get_step_failure_events()
    assert "stays at the version before, since not_too_big failed" in str(failure.step_failure_data.error)
    assert not any(event.event_type_value == "STEP_RESTARTED" for event in result.all_events)
    assert stage.store.latest("toy", "acme") == before
    assert stage.one("select count(*) from datasets.toy")[0] == 1
    assert stage.one("select array_agg(check_name) from ops.check_result where not passed") == (
        ["not_too_big"],
    )
    assert stage.one("select status, error is not null from ops.etl_runs order by started_at desc limit 1") == (
        "failed", True,
    )  # fmt: skip


def test_a_dataset_that_was_never_built_is_no_empty_input(stage: Stage) -> None:
    things = replace(frames.FRAMES["things"], made_by="datasets.things")
    stage.things(("a", 1))
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(frames.FRAMES, "things", things)
        result = stage.run()
        (failure,) = result.get_step_failure_events()
        assert "datasets.things must be there first" in str(failure.step_failure_data.error)
        assert stage.store.latest("toy", "acme") is None
        with record_run(stage.warehouse, "acme", "datasets.things") as summary:
            summary.status = "skipped"
        assert not stage.run().success
        with record_run(stage.warehouse, "acme", "datasets.things"):
            pass
        assert stage.run().success


def test_a_day_that_is_none_is_refused_by_name(stage: Stage) -> None:
    stage.things(("a", 1))
    result = stage.run(as_of="yesterday")
    (failure,) = result.get_step_failure_events()
    assert "as_of 'yesterday' is not a day such as 2026-06-30" in str(failure.step_failure_data.error)


def test_an_earlier_day_is_a_version_that_the_page_shows_as_not_published(stage: Stage) -> None:
    stage.things(("a", 1), ("b", 2))
    assert stage.run(as_of="2026-06-29").success
    latest = stage.store.latest("toy", "acme")
    stage.things(("a", 1))
    result = stage.run(as_of="2026-05-31")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    metadata = {name: item.value for name, item in event.materialization.metadata.items()}
    assert (metadata["as_of"], metadata["is_published"], metadata["rows_written"]) == ("2026-05-31", False, 0)
    assert (metadata["published_version"], metadata["dagster/row_count"]) == (latest, 2)
    assert event.materialization.tags["dagster/data_version"] == latest
    assert stage.store.latest("toy", "acme") == latest
    assert stage.one("select count(*) from datasets.toy")[0] == 2
    assert stage.one(
        "select status, artifact_uri, metrics ->> 'version', metrics -> 'is_published' from ops.etl_runs "
        "order by started_at desc limit 1"
    ) == ("success", None, metadata["version"], False)
    assert stage.one("select array_agg(distinct data_version) from ops.check_result") == ([latest],), (
        "what stands is of the published version"
    )


def test_a_day_that_has_not_ended_is_refused_by_name(stage: Stage, acme: Tenant) -> None:
    clock = {"as_of": "2026-06-30T12:00:00+00:00"}
    put_tenant(stage.warehouse, replace(acme, given={**acme.given, **clock}), replace=True)
    stage.things(("a", 1))
    for day in ("2026-06-30", "2026-07-01", "9999-12-31"):
        (failure,) = stage.run(as_of=day).get_step_failure_events()
        assert f"as_of {day} has not ended: the last whole day of acme (UTC) is 2026-06-29" in str(
            failure.step_failure_data.error
        )
    for day in ("0001-01-01", "1979-12-31"):
        (failure,) = stage.run(as_of=day).get_step_failure_events()
        assert f"as_of {day} lies before 1980-01-01" in str(failure.step_failure_data.error)
    assert stage.store.latest("toy", "acme") is None
    assert stage.run(as_of="2026-06-29").success


def test_the_scope_takes_the_runs_day_then_the_tenants_clock(warehouse: Warehouse, owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn) as conn:
        conn.execute("create table intermediate.int_main_currency as select 'VND'::text as currency")
        conn.execute("grant select on all tables in schema intermediate to cdp_pipeline")
    tenant = Tenant("acme", "Acme", "active", "dump", {}, {"as_of": "2026-06-30T00:00:00+00:00"})
    found = scope_of(warehouse, tenant, None)
    assert (str(found.as_of), found.currency, found.timezone) == ("2026-06-29", "VND", "UTC")
    said = replace(tenant, given={**tenant.given, "default_currency": "EUR"})
    assert scope_of(warehouse, said, None).currency == "EUR"
    assert str(scope_of(warehouse, tenant, "2026-03-01").as_of) == "2026-03-01"
    with pytest.raises(TenantError, match="option as_of: 'soon' is not an ISO-8601 time"):
        scope_of(warehouse, Tenant("acme", "Acme", "active", "dump", {}, {"as_of": "soon"}), None)
