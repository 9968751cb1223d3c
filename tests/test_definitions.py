"""The graph as a whole: it loads, and its keys, partitions, checks and automation are the ones promised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_assets.definitions import build_definitions
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.sources.model import COLLECTIONS

SNAPSHOT = Path(__file__).parent / "data" / "graph.json"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions()


def described(definitions: dg.Definitions) -> dict[str, Any]:
    """What other people rely on: names, lineage, partitions, checks."""
    repository = definitions.get_repository_def()
    graph = definitions.resolve_asset_graph()
    assets = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        partitions = node.partitions_def
        assets[key.to_user_string()] = {
            "group": node.group_name,
            "deps": sorted(parent.to_user_string() for parent in node.parent_keys),
            "partitions": getattr(partitions, "name", None),
        }
    return {
        "assets": assets,
        "checks": sorted(f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys),
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    }


def test_the_definitions_are_loadable(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_the_graph_is_the_recorded_one(definitions: dg.Definitions) -> None:
    """An accidental rename breaks dashboards and backfills: change tests/data/graph.json on purpose."""
    assert described(definitions) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_asset_has_description_owner_and_kinds(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert (spec.description or "").startswith("One "), spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key


def test_only_the_sources_are_external(definitions: dg.Definitions) -> None:
    """A typo in deps would become an external asset without a word."""
    graph = definitions.resolve_asset_graph()
    external = {key.to_user_string() for key in graph.external_asset_keys}
    assert external == {f"leo_cdp/{collection}" for collection in COLLECTIONS} | {
        f"shop/{table}" for table in SPECS
    } | {"activation/marketing_event"}


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(described(build_definitions()), indent=1) + "\n", encoding="utf-8")
