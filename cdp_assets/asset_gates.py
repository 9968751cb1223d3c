"""Gates: what a build asks for before it begins, whichever run measured it.

Belongs here: which checks an asset asks for, by the graph, and the message of a run that may not begin. Results of
checks are in `warehouse.check_results`; schedules, sensors and `cdp pipeline` ask by the same functions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from cdp_assets.asset_checks import REMEDY
from cdp_assets.partitions import SEGMENT_DIMENSION, TENANT_DIMENSION
from cdp_assets.warehouse.check_results import Asked, Held, holding
from cdp_assets.warehouse.connection import Warehouse

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

VIEWS = {"staging", "intermediate"}
"""Schemas of views: they hold no rows of their own, so that what they read is asked for as well."""

OF_SEGMENTS = "audience"
"""Schema of the tables that are made, and measured, for one segment at a time."""


class GatedConfig(dg.Config):
    """Run configuration of an asset that is built on others."""

    ignore_gates: bool = Field(
        False,
        description="Build in this run although checks of the inputs have not passed: after a person has looked at "
        "them. The run's entry in ops.etl_runs and the asset's metadata say so",
    )


def inputs_of(graph: AssetGraph, keys: Collection[dg.AssetKey]) -> set[dg.AssetKey]:
    """What these assets read and do not make, through views down to the tables below them."""
    found: set[dg.AssetKey] = set()
    waiting = list(keys)
    while waiting:
        for parent in graph.get(waiting.pop()).parent_keys:
            if parent not in found and parent not in keys:
                found.add(parent)
                if parent.path[0] in VIEWS:
                    waiting.append(parent)
    return found


def asked_for(
    graph: AssetGraph,
    keys: Collection[dg.AssetKey],
    *,
    segment_id: str = "",
    measured_here: Collection[dg.AssetCheckKey] = (),
) -> list[Asked]:
    """The blocking checks of what these assets read.

    A check that is measured where its asset is made, or by an op of its own, must have a result. A test that a later
    step has of an earlier one's table (dbt's of `raw`) holds only once it has failed, and never the step itself.
    """
    own = {graph.assets_def_for_key(key) for key in keys}
    asked = []
    for key in inputs_of(graph, keys):
        for check in graph.get(key).check_keys:
            definition = graph.assets_def_for_key(check)
            is_needed = not definition.keys or key in definition.keys
            if (
                graph.get_check_spec(check).blocking
                and check not in measured_here
                and (is_needed or definition not in own)
            ):
                segment = segment_id if key.path[0] == OF_SEGMENTS else ""
                asked.append(Asked(".".join(key.path), check.name, segment, is_needed=is_needed))
    return asked


def require(context: dg.AssetExecutionContext, warehouse: Warehouse) -> list[str]:
    """Ask for all that the step's assets are built on.

    Returns:
        What has not passed, as `asset: check`, where a person lets the run go on (`ignore_gates`).

    Raises:
        Failure: something has not passed; it names the check, the count and the remedy. Tried again only where all of
            it is rows that were written after they were measured: the run that wrote them may be about to measure.
    """
    graph = context.job_def.asset_layer.asset_graph.source_asset_graph
    partition = context.partition_key
    tenant_id, segment_id = str(partition), ""
    if isinstance(partition, dg.MultiPartitionKey):
        tenant_id = partition.keys_by_dimension[TENANT_DIMENSION]
        segment_id = partition.keys_by_dimension[SEGMENT_DIMENSION]
    asked = asked_for(
        graph,
        context.selected_asset_keys,
        segment_id=segment_id,
        measured_here=context.selected_asset_check_keys,
    )
    held = _holding(warehouse, tenant_id, asked)
    if not held:
        return []
    if not (context.op_execution_context.op_config or {}).get("ignore_gates"):
        raise dg.Failure(
            told(graph, tenant_id, held), allow_retries=all(each.why == "outdated" for each in held)
        )
    ignored = [f"{each.asset}: {each.check} ({each.why})" for each in held]
    context.log.warning(
        "%s: goes on, since ignore_gates is set, in spite of %s", tenant_id, "; ".join(ignored)
    )
    for key in context.selected_asset_keys:
        context.add_asset_metadata({"ignored_gates": ignored}, asset_key=key)
    return ignored


def reason(
    graph: AssetGraph,
    warehouse: Warehouse,
    tenant_id: str,
    keys: Collection[dg.AssetKey],
    *,
    segment_id: str = "",
) -> str:
    """Why a run of these assets would fail before it begins; blank where nothing holds it."""
    held = _holding(warehouse, tenant_id, asked_for(graph, keys, segment_id=segment_id))
    return told(graph, tenant_id, held) if held else ""


def has_passed(
    graph: AssetGraph,
    warehouse: Warehouse,
    tenant_id: str,
    keys: Collection[dg.AssetKey],
    *,
    segment_id: str = "",
) -> bool:
    """Whether each blocking check of these assets has a result and passed: else a run is due, whatever changed."""
    asked = [
        Asked(".".join(key.path), check.name, segment_id)
        for key in keys
        for check in graph.get(key).check_keys
        if graph.get_check_spec(check).blocking
    ]
    return not _holding(warehouse, tenant_id, asked)


def _holding(warehouse: Warehouse, tenant_id: str, asked: list[Asked]) -> list[Held]:
    if not asked:
        return []
    with warehouse.tenant(tenant_id) as conn:
        return holding(conn, tenant_id, asked)


def told(graph: AssetGraph, tenant_id: str, held: list[Held]) -> str:
    """What is held and how to mend it, for people: a line per check that failed, one per asset for the others.

    The first line, which is all that an alert shows, names every check.
    """
    names = "; ".join(
        f"{asset} ({', '.join(each.check for each in found)})"
        for asset, found in groupby(held, lambda each: each.asset)
    )
    return "\n".join(
        [
            f"{tenant_id}: nothing is built on what has not passed its checks: {names}",
            *_failed(graph, held),
            *_unmeasured(tenant_id, held),
            "To go on in one run, set ignore_gates in its config.",
        ]
    )


def _failed(graph: AssetGraph, held: list[Held]) -> Iterator[str]:
    for each in held:
        if each.why == "failed":
            spec = graph.get_check_spec(dg.AssetCheckKey(dg.AssetKey(each.asset.split(".")), each.check))
            remedy = (spec.description or "").partition(REMEDY)[2]
            yield (
                f"- {each.asset}: {each.check} failed ({each.failing}) in a {each.scope} of "
                f"{each.measured_at:%Y-%m-%d %H:%M} UTC: {each.says}."
                + (f" Remedy: {remedy}" if remedy else "")
            )


def _unmeasured(tenant_id: str, held: list[Held]) -> Iterator[str]:
    others = [each for each in held if each.why != "failed"]
    for (asset, why), found in groupby(others, lambda each: (each.asset, each.why)):
        names = ", ".join(each.check for each in found)
        what = "was never measured" if why == "unmeasured" else "has other rows than were measured"
        yield f"- {asset} {what} ({names}). Remedy: cdp checks run --tenant {tenant_id} --asset {asset}"
