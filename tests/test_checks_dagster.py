"""Checks of the landing stage as Dagster sees them: per tenant, blocking where they say so, with a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_assets.checks.catalog import CHECKS
from cdp_assets.checks.landing import landing_checks
from cdp_assets.landing import assets as landing
from cdp_assets.opening import Sources
from cdp_assets.partitions import TENANT_DIMENSION
from cdp_assets.sources.model import PRODUCT_ITEM, PROFILE
from cdp_assets.warehouse.connection import Warehouse
from tests.checked import TENANTS, Documents, clean_documents, copied, dump, landed_world
from tests.conftest import Server

_numbers = count(1)


class World:
    """Two landed tenants, and a Dagster instance that knows them."""

    def __init__(self, warehouse: Warehouse, folder: Path, instance: dg.DagsterInstance) -> None:
        self.warehouse, self.folder, self.instance = warehouse, folder, instance
        instance.add_dynamic_partitions(TENANT_DIMENSION, list(TENANTS))

    def run(self, tenant_id: str, selection: dg.AssetSelection) -> dg.ExecuteInProcessResult:
        """Materialize and check for one tenant, named by the run's tag as in the daemon's runs.

        The argument `partition_key` of `materialize` refuses runs that consist of checks alone.
        """
        with self.warehouse.tenant(tenant_id) as conn:
            conn.execute(
                "update ops.tenant set source = jsonb_build_object('folder', %s::text)",
                (str(self.folder / tenant_id),),
            )
        return dg.materialize(
            [*landing.assets, *landing_checks],
            selection=selection,
            instance=self.instance,
            tags={"dagster/partition": tenant_id},
            resources={"warehouse": self.warehouse, "sources": Sources()},
            raise_on_error=False,
        )

    def materialized(self, table: str) -> set[str]:
        """Tenants for which a table was materialized."""
        return self.instance.get_materialized_partitions(dg.AssetKey(["cdp", table]))

    def dump(self, tenant_id: str, documents: Documents) -> None:
        dump(self.folder / tenant_id, documents)


@pytest.fixture
def world(postgres: Server, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[World]:
    """A copy of the landed world for one test, with dumps of its own."""
    template, _ = landed_world(postgres, tmp_path_factory)
    for tenant_id in TENANTS:
        dump(tmp_path / tenant_id, clean_documents(tenant_id))
    with (
        copied(postgres, template, f"checked_by_dagster_{next(_numbers)}") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        yield World(warehouse, tmp_path, instance)


def tables(*names: str) -> dg.AssetSelection:
    """Tables with all their checks."""
    return dg.AssetSelection.assets(*(["cdp", name] for name in names))


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Check evaluations of a run by `table.check`."""
    return {
        f"{found.asset_key.path[-1]}.{found.check_name}": found
        for found in result.get_asset_check_evaluations()
    }


def test_every_table_has_one_op_and_every_check_its_partition_and_its_remedy() -> None:
    assert [checks.node_def.name for checks in landing_checks] == [f"check_{table.name}" for table in CHECKS]
    specs = [spec for checks in landing_checks for spec in checks.check_specs]
    assert len(specs) == 67
    for spec in specs:
        assert spec.partitions_def is not None
        assert spec.partitions_def.name == TENANT_DIMENSION  # type: ignore[attr-defined]
        assert "If it fails: " in (spec.description or "")
        assert "{" not in (spec.description or "")
    assert {spec.name for spec in specs if spec.blocking} == {
        "keys_unique_and_present", "row_count", "tenant_leakage", "mass_delete_guard", "contact_null_rate",
        "amount_reconciliation", "members_match_profiles", "consent_covers_profiles", "denials_hold",
        "one_row_per_profile", "value_range", "money_matches_transactions",
    }  # fmt: skip
    assert [spec.asset_key.path[-1] for spec in specs if spec.blocking and spec.name == "value_range"] == [
        "customer_metrics"
    ]


def test_a_clean_tenant_passes_all_checks_in_one_run(world: World) -> None:
    result = world.run("nova", dg.AssetSelection.all() - dg.AssetSelection.groups("leo_cdp"))
    assert result.success
    found = outcomes(result)
    assert len(found) == 67
    assert {name for name, evaluation in found.items() if not evaluation.passed} == set()
    assert {evaluation.partition for evaluation in found.values()} == {"nova"}


def test_a_blocking_check_that_fails_for_one_tenant_stops_that_tenant_alone(world: World) -> None:
    documents = clean_documents("acme")
    del documents[PROFILE][20:]
    world.dump("acme", documents)
    selection = tables("customer_profile", "consent")
    assert world.run("nova", selection).success
    broken = world.run("acme", selection)
    assert not broken.success
    assert outcomes(broken)["customer_profile.mass_delete_guard"].severity is dg.AssetCheckSeverity.ERROR
    assert world.materialized("customer_profile") == {"acme", "nova"}
    assert world.materialized("consent") == {"nova"}
    assert world.run("nova", selection).success, "the other tenant's failure does not hold this one"


def test_a_failing_check_says_how_many_which_and_what_to_do(world: World) -> None:
    documents = clean_documents("acme")
    del documents[PRODUCT_ITEM][10:]
    world.dump("acme", documents)
    found = outcomes(world.run("acme", tables("product_item")))
    guard = found["product_item.mass_delete_guard"]
    assert not guard.passed
    assert guard.partition == "acme"
    shown = {name: value.value for name, value in guard.metadata.items()}
    assert shown["failing"] == shown["withheld_deletes"] == 30
    assert shown["rows"] == 40
    assert "cdp.product_item for acme with allow_mass_delete" in shown["remedy"]
    assert shown["sample"].splitlines()[0].startswith("| collection | rows |")
    assert shown["sample"].splitlines()[2] == "| cdp_productitem | 40 | 30 | 75% |"
    passed = found["product_item.tenant_leakage"].metadata
    assert {"sample", "remedy"} & passed.keys() == set()
    assert passed["failing"].value == 0


def test_a_warning_stops_nothing(world: World) -> None:
    documents = clean_documents("acme")
    documents[PROFILE][0] |= {"primaryEmail": "null", "_rev": "_changed"}
    world.dump("acme", documents)
    result = world.run("acme", tables("customer_profile", "consent"))
    assert result.success
    lost = outcomes(result)["customer_profile.contact_null_rate"]
    assert (lost.passed, lost.blocking, lost.severity) == (False, True, dg.AssetCheckSeverity.WARN)
    assert world.materialized("consent") == {"acme"}


def steps_tried_again(result: dg.ExecuteInProcessResult) -> Sequence[Any]:
    return [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY]


def test_one_check_can_be_run_alone_and_without_its_table(world: World) -> None:
    key = dg.AssetCheckKey(dg.AssetKey(["cdp", "product_item"]), "value_range")
    result = world.run("acme", dg.AssetSelection.checks(key))
    assert list(outcomes(result)) == ["product_item.value_range"]
    assert world.materialized("product_item") == set()


def test_a_failed_check_is_an_answer_and_not_tried_again(world: World) -> None:
    with world.warehouse.tenant("acme") as conn:
        conn.execute(
            "delete from cdp.product_item where product_key = (select min(product_key) from cdp.product_item)"
        )
    result = world.run("acme", tables("product_item"))
    assert not result.success
    lost = outcomes(result)["product_item.row_count"]
    assert (lost.severity, lost.metadata["difference"].value) == (dg.AssetCheckSeverity.ERROR, -1)
    assert steps_tried_again(result) == []


def test_a_source_that_refuses_fails_the_step_at_once_and_names_the_tenant(world: World) -> None:
    world.dump("acme", {PROFILE: []})
    for file in (world.folder / "acme").glob("cdp_productitem*"):
        file.unlink()
    result = world.run("acme", dg.AssetSelection.checks_for_assets(dg.AssetKey(["cdp", "product_item"])))
    assert not result.success
    assert steps_tried_again(result) == []
    failure = result.failure_data_for_node("check_product_item")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.description is not None
    assert failure.user_failure_data.description.startswith("acme: ")
