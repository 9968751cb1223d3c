"""The demo world: its states in memory, and the folder that holds one state as dumps with the truth beside them.

Belongs here: the public functions. Layout of a folder: `world.json` (which state this is), `<tenant>/` (a dump each),
`_truth/world.json` (exact figures), `_truth/defects.jsonl` (every planted fault), `_truth/changes.jsonl` (what the
last step did), `_truth/shop.json` and `_truth/shop_defects.jsonl` (the same of the shops' databases). Does not belong
here: what is drawn or changed, and the shops themselves (`shop_database`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cdp_assets.demo.advance import advance_tenant
from cdp_assets.demo.defects import plant_defects
from cdp_assets.demo.dumpfile import write_dump
from cdp_assets.demo.keys import epoch_ms, iso
from cdp_assets.demo.leo import Document
from cdp_assets.demo.model import end_of_step
from cdp_assets.demo.shop_truth import ShopTruth
from cdp_assets.demo.sizes import TENANTS, size_named, tenant_spec
from cdp_assets.demo.tenant import TenantWorld, build_tenant
from cdp_assets.demo.truth import Tally

STATE_FILE = "world.json"
TRUTH_FOLDER = "_truth"
_FORMAT = 3


class WorldError(ValueError):
    """A folder does not hold a world that can be moved on. The message says what to do."""


@dataclass(frozen=True, slots=True)
class World:
    """One state in memory: every tenant by id."""

    size: str
    seed: int
    step: int
    tenants: dict[str, TenantWorld]

    @property
    def end(self) -> datetime:
        return end_of_step(self.step)


@dataclass(frozen=True, slots=True)
class WorldSummary:
    """What a folder holds now."""

    folder: Path
    size: str
    seed: int
    step: int
    documents: dict[str, dict[str, int]]
    """Tenant -> collection -> number of documents."""
    defects: int
    changes: int
    """Documents that the last step wrote or removed; 0 at step 0."""


def tenant_at(
    tenant: str, *, size: str = "small", seed: int = 7, step: int = 0, clean: bool = False
) -> TenantWorld:
    """One tenant's state, in memory. Independent of which other tenants are asked for.

    `clean`: the world as it is without planted faults, in LEO and in the shop; for tests of false alarms.

    Raises:
        ValueError: unknown tenant or size, or a negative step.
    """
    if step < 0:
        raise ValueError(f"the demo world begins at step 0, not at {step}")
    world = build_tenant(tenant_spec(tenant), size_named(size), seed, clean=clean)
    if not clean:
        plant_defects(world)
    for _ in range(step):
        advance_tenant(world)
    return world


def world_at(
    size: str = "small",
    seed: int = 7,
    step: int = 0,
    tenants: Sequence[str] | None = None,
    *,
    clean: bool = False,
) -> World:
    """The state after `step` days, in memory; of all tenants unless some are named. `clean` as in `tenant_at`."""
    names = _names(tenants)
    found = {t: tenant_at(t, size=size, seed=seed, step=step, clean=clean) for t in names}
    return World(size, seed, step, found)


def options_of(tenant: str, step: int) -> dict[str, Any]:
    """Options of the tenant's registration at a step. The world has a clock of its own: today is its last day."""
    spec = tenant_spec(tenant)
    return {
        "default_currency": spec.currency,
        "default_region": spec.region,
        "as_of": end_of_step(step).isoformat(),
    }


def leo_documents(tenant: TenantWorld) -> dict[str, list[Document]]:
    """Every document of the tenant by collection, in key order: to load an ArangoDB with."""
    return {collection: list(tenant.database.documents(collection)) for collection in tenant.database.base}


def truth_of(tenant: TenantWorld) -> dict[str, Any]:
    """The tenant's entry of `_truth/world.json`."""
    tally = Tally(tenant)
    for collection in tenant.database.base:
        for _ in tally.watch(collection, tenant.database.documents(collection)):
            pass
    return tally.summary()


def generate(
    folder: Path,
    *,
    size: str = "small",
    seed: int = 7,
    tenants: Sequence[str] | None = None,
    clean: bool = False,
) -> WorldSummary:
    """Writes step 0 of the world into `folder` (created if missing); `clean` as in `tenant_at`, for later days too.

    What an earlier state left there for these tenants is replaced; folders of other tenants are left alone.

    The same size, seed and tenants give the same bytes, and a tenant's bytes do not depend on the other tenants.

    Raises:
        ValueError: unknown size or tenant.
    """
    size_named(size)
    return _write(folder, size, seed, 0, _names(tenants), clean=clean)


def advance(folder: Path) -> WorldSummary:
    """Replaces the state in `folder` by that of the next day.

    Raises:
        WorldError: `folder` holds no demo world, or one of another version.
    """
    state = _state(folder)
    if state is None:
        raise WorldError(f"{folder} holds no demo world: run `cdp demo generate` first")
    step = state["step"] + 1
    return _write(folder, state["size"], state["seed"], step, state["tenants"], clean=state["clean"])


def step_of(folder: Path) -> int | None:
    """Day at which the world in `folder` stands; None when there is none.

    Raises:
        WorldError: it was written by another version of the demo world.
    """
    state = _state(folder)
    return None if state is None else int(state["step"])


def world_in(folder: Path) -> World:
    """The state in `folder`, in memory.

    Raises:
        WorldError: `folder` holds no demo world, or one of another version.
    """
    state = _state(folder)
    if state is None:
        raise WorldError(f"{folder} holds no demo world: run `cdp demo generate` first")
    return world_at(state["size"], state["seed"], state["step"], state["tenants"], clean=state["clean"])


def _state(folder: Path) -> dict[str, Any] | None:
    state_file = folder / STATE_FILE
    if not state_file.exists():
        return None
    state: dict[str, Any] = json.loads(state_file.read_text())
    if state["format"] != _FORMAT:
        raise WorldError(f"{folder} was written by another version: run `cdp demo generate` again")
    return state


def _names(tenants: Sequence[str] | None) -> list[str]:
    if tenants is None:
        return [spec.id for spec in TENANTS]
    return [tenant_spec(tenant).id for tenant in tenants]


def _write(
    folder: Path, size: str, seed: int, step: int, names: Sequence[str], *, clean: bool
) -> WorldSummary:
    documents: dict[str, dict[str, int]] = {}
    truths: dict[str, Any] = {}
    defects: list[dict[str, str]] = []
    changes: list[dict[str, Any]] = []
    shops: dict[str, Any] = {}
    faults: list[dict[str, str]] = []
    for name in names:
        tenant = tenant_at(name, size=size, seed=seed, step=step, clean=clean)
        tally = Tally(tenant)
        streams = {c: tally.watch(c, tenant.database.documents(c)) for c in tenant.database.base}
        documents[name] = write_dump(folder / name, f"leo_{name}", epoch_ms(end_of_step(step)), streams)
        truths[name] = tally.summary()
        defects.extend(defect_ledger(tenant))
        changes.extend(change_log(tenant))
        shop = ShopTruth(tenant)
        shops[name] = shop.figures()
        faults.extend(shop.defects())
    state = {
        "format": _FORMAT,
        "size": size,
        "seed": seed,
        "step": step,
        "tenants": list(names),
        "clean": clean,
    }
    truth = folder / TRUTH_FOLDER
    truth.mkdir(exist_ok=True)
    _write_lines(truth / "defects.jsonl", defects)
    _write_lines(truth / "changes.jsonl", changes)
    _write_lines(truth / "shop_defects.jsonl", faults)
    _write_text(truth / "shop.json", json.dumps({"step": step, "tenants": shops}, indent=1))
    figures = {"size": size, "seed": seed, "step": step, "end": iso(end_of_step(step)), "tenants": truths}
    _write_text(truth / "world.json", json.dumps(figures, ensure_ascii=False, indent=1))
    # Last: a folder whose state file says step n holds step n.
    _write_text(folder / STATE_FILE, json.dumps(state))
    changed = len({(line["tenant"], line["collection"], line["key"]) for line in changes})
    return WorldSummary(folder, size, seed, step, documents, len(defects), changed)


def defect_ledger(tenant: TenantWorld) -> list[dict[str, str]]:
    """Every fault that is in the tenant's documents now, sorted."""
    lines = [
        {
            "tenant": tenant.spec.id,
            "collection": defect.collection,
            "key": defect.key,
            "defect": defect.name,
            "expected": defect.expected,
            "expected_check": defect.check,
        }
        for defect in tenant.defects
    ]
    return sorted(lines, key=lambda line: (line["collection"], line["key"], line["defect"]))


def change_log(tenant: TenantWorld) -> list[dict[str, Any]]:
    """What the last step did: one line per document and kind of change, sorted; empty at step 0."""
    return [
        {
            "tenant": tenant.spec.id,
            "step": tenant.step,
            "collection": collection,
            "key": key,
            "change": change,
        }
        for (collection, key), changes in sorted(tenant.database.changes.items())
        for change in sorted(changes)
    ]


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    _write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
