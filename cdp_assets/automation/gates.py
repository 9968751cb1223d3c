"""What schedules, sensors and `cdp pipeline` ask before they ask for a run: whether its first act would fail.

Belongs here: a job's assets and the graph. What is asked, and in which words it is answered, is in `asset_gates`.
Landing is never held: to load again is how what failed is mended.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING

import dagster as dg

from cdp_assets import asset_gates
from cdp_assets.warehouse.check_results import Asked, holding
from cdp_assets.warehouse.connection import Warehouse

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


@cache
def _graph() -> AssetGraph:
    from cdp_assets.definitions import build_definitions  # it imports this package

    return build_definitions().resolve_asset_graph()


def is_measured(warehouse: Warehouse, tenant_id: str, checks: Collection[dg.AssetCheckKey]) -> bool:
    """Whether each of these checks that blocks has a result, and one of the rows as they are."""
    asked = [
        Asked(".".join(key.asset_key.path), key.name)
        for key in checks
        if _graph().get_check_spec(key).blocking
    ]
    with warehouse.tenant(tenant_id) as conn:
        return all(each.why == "failed" for each in holding(conn, tenant_id, asked))


def held(warehouse: Warehouse, job: UnresolvedAssetJobDefinition, tenant_id: str) -> str:
    """Why a run of the job would fail for a tenant before anything is built; blank where nothing holds it."""
    return asset_gates.reason(_graph(), warehouse, tenant_id, job.selection.resolve(_graph()))
