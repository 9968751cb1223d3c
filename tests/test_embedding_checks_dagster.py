"""Checks of vectors as Dagster sees them: per tenant, blocking where they say so, with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import dagster as dg
import pytest
from psycopg import sql

from cdp_assets.checks.embedding import embedding_checks
from cdp_assets.checks.vector_catalog import VECTOR_CHECKS
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.partitions import TENANT_DIMENSION, tenants
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.checked import TENANTS, copied
from tests.conftest import Server
from tests.vectored import vectored_world

_numbers = count(1)

PRODUCTS = dg.AssetKey(["embedding", "product_embedding"])


@dg.asset(key=PRODUCTS, partitions_def=tenants)
def made() -> None:
    """Stands for the filled table."""


@dg.asset(key=["test", "campaign"], partitions_def=tenants, deps=[PRODUCTS])
def campaign() -> None:
    """Stands for what builds on the vectors."""


class World:
    """Two filled tenants, and a Dagster instance that knows them."""

    def __init__(self, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
        self.warehouse, self.instance = warehouse, instance
        instance.add_dynamic_partitions(TENANT_DIMENSION, [*TENANTS, "empty"])

    def run(self, tenant_id: str, selection: dg.AssetSelection | None = None) -> dg.ExecuteInProcessResult:
        """Check the products of one tenant, and make the campaign if nothing blocks it."""
        return dg.materialize(
            [made, campaign, embedding_checks[list(ENTITIES).index("product")]],
            selection=selection,
            instance=self.instance,
            tags={"dagster/partition": tenant_id},
            resources={"warehouse": self.warehouse},
            raise_on_error=False,
        )

    def spoil(self, tenant_id: str, column: str, value: str) -> None:
        """Change one vector of a product behind the pipeline's back."""
        with self.warehouse.tenant(tenant_id) as conn:
            conn.execute(
                sql.SQL(
                    "update embedding.product_embedding set {} = {} where entity_key = "
                    "(select min(entity_key) from embedding.product_embedding)"
                ).format(sql.Identifier(column), sql.SQL(value))
            )

    @property
    def campaigns(self) -> set[str]:
        """Tenants for which the campaign was made."""
        return self.instance.get_materialized_partitions(dg.AssetKey(["test", "campaign"]))


@pytest.fixture
def world(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A copy of the filled world for one test."""
    template = vectored_world(postgres, tmp_path_factory)
    with (
        copied(postgres, template, f"vectored_by_dagster_{next(_numbers)}") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        yield World(warehouse, instance)


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Check evaluations of a run by name."""
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def test_every_table_has_one_op_and_every_check_its_partition_and_its_remedy() -> None:
    assert [checks.node_def.name for checks in embedding_checks] == [
        f"check_{entity}_embedding" for entity in ENTITIES
    ]
    for checks, entity in zip(embedding_checks, ENTITIES, strict=True):
        specs = list(checks.check_specs)
        assert [spec.name for spec in specs] == [check.name for check in VECTOR_CHECKS]
        for spec in specs:
            assert spec.asset_key == dg.AssetKey(["embedding", f"{entity}_embedding"])
            assert spec.partitions_def is not None
            assert spec.partitions_def.name == TENANT_DIMENSION  # type: ignore[attr-defined]
            assert "If it fails: " in (spec.description or "")
            assert "{" not in (spec.description or "")
        assert {spec.name for spec in specs if spec.blocking} == {
            "dimension", "finite", "unit_norm", "staleness", "tenant_leakage",
        }  # fmt: skip


def test_a_filled_tenant_passes_all_checks(world: World) -> None:
    result = world.run("nova")
    assert result.success
    found = outcomes(result)
    assert len(found) == len(VECTOR_CHECKS)
    assert all(evaluation.passed and evaluation.partition == "nova" for evaluation in found.values())
    assert world.campaigns == {"nova"}


def test_a_stale_vector_stops_what_follows_for_its_tenant_alone(world: World) -> None:
    world.spoil("acme", "text_hash", "'\\x00'")
    broken = world.run("acme")
    assert not broken.success
    stale = outcomes(broken)["staleness"]
    assert (stale.passed, stale.severity, stale.partition) == (False, dg.AssetCheckSeverity.ERROR, "acme")
    assert world.run("nova").success
    assert world.campaigns == {"nova"}


def test_a_check_that_does_not_block_says_what_is_wrong_and_stops_nothing(world: World) -> None:
    with world.warehouse.tenant("acme") as conn:
        conn.execute(
            "delete from embedding.product_embedding where entity_key = "
            "(select min(entity_key) from embedding.product_embedding)"
        )
    result = world.run("acme")
    missing = outcomes(result)["coverage"]
    assert (missing.passed, missing.blocking, missing.severity) == (False, False, dg.AssetCheckSeverity.ERROR)
    shown = {name: value.value for name, value in missing.metadata.items()}
    assert (shown["failing"], shown["texts"], shown["jobs_lost"]) == (1, 39, 1)
    assert "materialize embedding.product_embedding for acme" in shown["remedy"]
    assert shown["sample"].splitlines()[0] == "| key | problem | error |"
    assert world.campaigns == {"acme"}


def test_one_check_can_be_run_alone_and_without_its_table(world: World) -> None:
    result = world.run("acme", dg.AssetSelection.checks(dg.AssetCheckKey(PRODUCTS, "unit_norm")))
    assert list(outcomes(result)) == ["unit_norm"]
    assert world.instance.get_materialized_partitions(PRODUCTS) == set()


def test_a_tenant_without_a_model_is_told_so_and_not_tried_again(world: World) -> None:
    put_tenant(world.warehouse, Tenant("empty", "Empty", "active", "dump", {"folder": "unused"}, {}))
    result = world.run("empty", dg.AssetSelection.checks_for_assets(PRODUCTS))
    assert not result.success
    failure = result.failure_data_for_node("check_product_embedding")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert (failure.user_failure_data.description or "").startswith(
        "empty: tenant 'empty' has no active model"
    )
    retried = [
        event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY
    ]
    assert retried == []
