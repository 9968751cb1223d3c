"""A tenant of the demo world in the warehouse, day by day: landed from both sources, its datasets and audiences built.

Belongs here: making the state, and what the checks find in it. Does not belong here: which of them should fail. The
steps are those of the assets, without Dagster around them: it is tested elsewhere, and costs as much again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.audience import checks as audience_checks
from cdp_assets.audience import comparison
from cdp_assets.audience.assets import _funnels, _lookalikes, _members, _replace
from cdp_assets.audience.checks import Audience
from cdp_assets.datasets import limits
from cdp_assets.datasets.assets import scope_of
from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.datasets.events import funnels
from cdp_assets.datasets.events import run as events_run
from cdp_assets.datasets.events.audit import EventsAudit
from cdp_assets.datasets.events.build import build as build_events
from cdp_assets.datasets.events.checks import CHECKS as EVENT_CHECKS
from cdp_assets.datasets.events.identity import stitch
from cdp_assets.datasets.events.store import WarehouseStore
from cdp_assets.datasets.model import Audit, Dataset, Scope
from cdp_assets.datasets.publish import build, checks_of, read_inputs
from cdp_assets.demo import leo_documents, options_of, sync_shop
from cdp_assets.demo.tenant import TenantWorld
from cdp_assets.landing.shop.extract import extract
from cdp_assets.quality import Check, Measure
from cdp_assets.sources.shop import ShopDatabase
from cdp_assets.warehouse.connection import Connection, Warehouse
from cdp_assets.warehouse.registry import Summary, record_run
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.conftest import Server
from tests.landing_support import MemorySource, land
from tests.marts_support import Marts, fresh_tenant

Found = dict[str, Measure]
"""schema.table.check -> what it found; of an audience with the segment before: segment|schema.table.check."""

AUDIENCE: tuple[tuple[str, tuple[Check[Audience], ...]], ...] = (
    ("segment_member", audience_checks.MEMBER_CHECKS),
    ("segment_features", audience_checks.FEATURE_CHECKS),
    ("segment_funnel", audience_checks.FUNNEL_CHECKS),
    ("segment_lookalike", audience_checks.LOOKALIKE_CHECKS),
)


def _features(conn: Connection, audience: Audience, summary: Summary) -> object:
    """As the asset, without its picture: drawing took two thirds of the time of all audiences."""
    frame = comparison.compare(conn, audience.tenant_id, audience.segment_id)
    return _replace(conn, audience, summary, "segment_features", ("feature", "level"), frame)


def failed(found: Mapping[str, Measure]) -> dict[str, str]:
    """Checks that did not pass, with what they say."""
    return {name: measure.says for name, measure in found.items() if not measure.passed}


@contextmanager
def demo_shop(postgres: Server, name: str) -> Iterator[str]:
    """An empty database for a shop, gone afterwards; gives its name."""
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield name
        finally:
            conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def land_world(postgres: Server, warehouse: Warehouse, tenant_id: str, world: TenantWorld, shop: str) -> None:
    """Both sources at the world's step, swept, for a tenant; `shop` is a database made by `demo_shop`."""
    land(warehouse, tenant_id, MemorySource(leo_documents(world)), allow_mass_delete=True)
    sync_shop(postgres.dsn(shop, user="postgres"), world)
    address = {"dsn": postgres.dsn(shop, user="shop_reader"), "timezone": world.spec.timezone}
    results = extract(warehouse, tenant_id, ShopDatabase(address, secret=lambda _: None), mode="sweep")
    assert [result.error for result in results.values()] == [None] * len(results)


@dataclass
class DemoTenant:
    """One tenant of the demo world under a name of the test's own.

    Attributes:
        audits: dataset -> what its checks looked at last.
        events: every event as dataset F read it last.
    """

    postgres: Server
    marts: Marts
    warehouse: Warehouse
    store: ArtifactStore
    shop: str
    audits: dict[str, Audit] = field(default_factory=dict)
    events: pl.DataFrame = field(default_factory=pl.DataFrame)
    events_audit: EventsAudit | None = None

    @property
    def tenant_id(self) -> str:
        return self.marts.tenant

    def arrive(self, world: TenantWorld) -> None:
        """The sources move to the world's step, and are landed."""
        options = options_of(world.spec.id, world.step)
        shop = {"dsn": self.shop, "timezone": world.spec.timezone}
        self._tenant = Tenant(
            self.tenant_id, self.tenant_id, "active", "dump", {"folder": "-"}, options, shop
        )
        put_tenant(self.warehouse, self._tenant, replace=True)
        land_world(self.postgres, self.warehouse, self.tenant_id, world, self.shop)

    def scope(self) -> Scope:
        """Whose datasets are built, and as of when."""
        return scope_of(self.warehouse, self._tenant, None)

    def build(self) -> Found:
        """Every dataset, F in a full run, as every night."""
        found = self._build_events()
        for name, dataset in DATASETS.items():
            with record_run(self.warehouse, self.tenant_id, f"datasets.{name}") as summary:
                inputs = read_inputs(self.warehouse, self.scope(), dataset.reads)
                outcome = build(self.warehouse, self.store, dataset, self.scope(), inputs, summary.run_id)
                summary.artifact_uri = self.store.uri(name, self.tenant_id, outcome.manifest.version)
                summary.metrics = {"rows": outcome.manifest.rows}
            self.audits[name] = outcome.audit
            found |= {f"datasets.{name}.{check.name}": measure for check, measure in outcome.measures}
        return found

    def _build_events(self) -> Found:
        now = self._tenant.now()
        with record_run(self.warehouse, self.tenant_id, "datasets.events"):
            outcome = events_run.refresh(self.warehouse, self.scope(), now, full=True)
        with self.warehouse.tenant(self.tenant_id) as conn:
            self.events = WarehouseStore(conn, self.tenant_id).all_events()
        self.events_audit = outcome.audit
        return {f"datasets.{table}.{check.name}": measure for table, check, measure in outcome.measures}

    def audiences(self) -> Found:
        """Every segment that LEO has."""
        found: Found = {}
        segments = self.marts.read(
            "select segment_id from cdp.segment where deleted_at is null and status <> 'deleted' order by 1"
        )
        for segment_id in [str(row["segment_id"]) for row in segments]:
            for (table, checks), work in zip(
                AUDIENCE, (_members, _features, _funnels, _lookalikes), strict=True
            ):
                with record_run(self.warehouse, self.tenant_id, f"audience.{table}") as summary:
                    with self.warehouse.tenant(self.tenant_id) as conn:
                        work(conn, Audience(conn, self.tenant_id, segment_id), summary)
                    with self.warehouse.tenant(self.tenant_id) as conn:
                        audience = Audience(conn, self.tenant_id, segment_id)
                        found |= {
                            f"{segment_id}|audience.{table}.{check.name}": check.measure(audience)
                            for check in checks
                        }
        return found


@contextmanager
def demo_tenant(postgres: Server, folder: Path, shop: str) -> Iterator[DemoTenant]:
    """A tenant without rows, ready for the demo world."""
    marts = fresh_tenant(postgres)
    with demo_shop(postgres, shop), Warehouse(marts.pipeline_dsn) as warehouse:
        yield DemoTenant(postgres, marts, warehouse, ArtifactStore(folder), shop)


# -- the same inputs, but for what a test changes ----------------------------------------------------------------------


def rebuilt(dataset: Dataset, sound: Audit, **frames: pl.DataFrame) -> tuple[Audit, Found]:
    """A dataset of the inputs of another build, some of them replaced; by name of the check. Nothing is published."""
    inputs, aside = limits.screened(sound.scope, {**sound.inputs, **frames})
    built = dataset.build(sound.scope, **inputs, **({"previous": {}} if dataset.continues else {}))
    kept, refused = dataset.contract.filter(built.table)
    audit = Audit(
        sound.scope, kept.sort(dataset.key), refused.details(), inputs, built, (), lambda: None, tuple(dataset.key),
        dataset.pooled, aside,
    )  # fmt: skip
    return audit, {check.name: check.measure(audit) for check in checks_of(dataset)}


def rebuilt_events(sound: EventsAudit, events: pl.DataFrame) -> tuple[EventsAudit, Found]:
    """Dataset F of these events, in the scope and at the time of another build; by name of the check."""
    tables = build_events(sound.scope, sound.funnels, stitch(events), sound.now)
    daily = funnels.daily(sound.funnels, tables.funnel_member)
    audit = EventsAudit(sound.scope, sound.funnels, tables, daily, sound.now, is_full=True)
    return audit, {check.name: check.measure(audit) for _, check in EVENT_CHECKS}
