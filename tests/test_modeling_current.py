"""Whether a tenant's marts are what was landed and what the models say: told from the registry of runs alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cdp_assets.modeling.current import PART, WHOLE, is_current
from cdp_assets.modeling.project import digest_of_files
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.registry import record_run
from cdp_assets.warehouse.tenants import Tenant


def ran(warehouse: Warehouse, dataset: str, *, rows: int = 1, **metrics: Any) -> None:
    with record_run(warehouse, "acme", dataset) as summary:
        summary.rows_out, summary.metrics = rows, metrics


def answer(warehouse: Warehouse) -> bool:
    with warehouse.tenant("acme") as conn:
        return is_current(conn, "acme")


@pytest.fixture
def built(warehouse: Warehouse, acme: Tenant) -> Warehouse:
    """The warehouse of a tenant that landed something and built every model of today."""
    ran(warehouse, "cdp.customer_profile")
    ran(warehouse, WHOLE, project=digest_of_files())
    assert answer(warehouse)
    return warehouse


def test_before_the_first_build_nothing_is_current(warehouse: Warehouse, acme: Tenant) -> None:
    assert not answer(warehouse)
    ran(warehouse, PART, project=digest_of_files())
    assert not answer(warehouse), "some models are not all"


@pytest.mark.parametrize(
    ("dataset", "metrics"),
    [("raw", {}), ("cdp.tracking_event", {}), (WHOLE, {"project": "models of another day"})],
)
def test_what_is_landed_or_other_models_make_it_old(
    built: Warehouse, dataset: str, metrics: Mapping[str, Any]
) -> None:
    ran(built, dataset, **metrics)
    assert not answer(built)


def test_a_build_that_failed_makes_it_old(built: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), record_run(built, "acme", WHOLE):
        _ = 1 / 0
    assert not answer(built)


def test_a_sync_that_found_nothing_changes_nothing(built: Warehouse) -> None:
    ran(built, "cdp.customer_profile", rows=0)
    ran(built, "datasets.customer_features")
    assert answer(built)
