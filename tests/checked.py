"""Two small tenants, landed and derived: what tests of checks plant their faults in.

Belongs here: landing a tenant without Dagster, measuring all its checks, dumps with altered documents. The world is
the demo's, without its planted defects, so every check passes before a test begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from psycopg import sql

from cdp_assets.checks.catalog import CHECKS, evaluate
from cdp_assets.checks.subject import read_source
from cdp_assets.demo import leo_documents
from cdp_assets.demo.dumpfile import write_dump
from cdp_assets.demo.sizes import size_named, tenant_spec
from cdp_assets.demo.tenant import build_tenant
from cdp_assets.landing import derived
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync
from cdp_assets.quality import Measure, Severity
from cdp_assets.sources.dump import DumpSource
from cdp_assets.sources.model import Source
from cdp_assets.warehouse.connection import SET_TENANT, Warehouse
from cdp_assets.warehouse.options import TenantOptions
from cdp_assets.warehouse.registry import record_run
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.conftest import Server

TENANTS = ("acme", "nova")
TOLERATED = 0.05

Documents = dict[str, list[dict[str, Any]]]


def clean_documents(tenant_id: str) -> Documents:
    """Documents of the demo tenant of that name, without planted defects."""
    return leo_documents(build_tenant(tenant_spec(f"{tenant_id}-demo"), size_named("tiny"), 7))


def dump(folder: Path, documents: Mapping[str, list[dict[str, Any]]]) -> DumpSource:
    """Documents as a dump folder."""
    write_dump(folder, "leo", 1, {name: iter(found) for name, found in documents.items()})
    return DumpSource(folder)


def land(warehouse: Warehouse, tenant_id: str, source: Source) -> None:
    """Sweep every collection and derive what follows, as the assets do."""
    for contract in CONTRACTS.values():
        with warehouse.session(tenant_id) as session:
            CollectionSync(session, source, contract).run("sweep")
    with warehouse.session(tenant_id) as session:
        derived.refresh_profile_segment(session)
        derived.refresh_consent(session)
        with record_run(warehouse, tenant_id, "cdp.customer_metrics"):
            derived.refresh_customer_metrics(session, None)


def measure(warehouse: Warehouse, tenant_id: str, source: Source) -> dict[str, Measure]:
    """Every check of a tenant, by `table.check`."""
    return {
        f"{table.name}.{check.name}": found
        for table in CHECKS
        for check, found in evaluate(
            warehouse,
            tenant_id,
            table,
            quarantine_share=TOLERATED,
            options=TenantOptions(),
            source=read_source(source, table.collection) if table.contract else None,
        )
    }


def shape(failed: Mapping[str, Measure]) -> dict[str, tuple[int, Severity]]:
    """Exact count and severity by check: what a test states."""
    return {name: (found.failing, found.severity) for name, found in failed.items()}


@dataclass
class Checked:
    """A landed world whose tenant `acme` is measured."""

    warehouse: Warehouse
    owner_dsn: str
    source: Source
    folder: Path

    def failed(self) -> dict[str, Measure]:
        """The checks that fail, by `table.check`."""
        measured = measure(self.warehouse, "acme", self.source)
        return {name: found for name, found in measured.items() if not found.passed}

    def failed_after(self, *statements: str) -> dict[str, Measure]:
        """The checks that fail once a superuser has run these statements, which are undone in the end."""
        with psycopg.connect(self.owner_dsn) as conn:
            for statement in statements:
                conn.execute(cast(Any, statement))
            measured = measure(cast(Warehouse, Tampered(conn)), "acme", self.source)
            conn.rollback()
        return {name: found for name, found in measured.items() if not found.passed}

    def alter(self, change: Callable[[Documents], object], *, landed: bool = True) -> None:
        """Change acme's documents in the source, and land them."""
        documents = clean_documents("acme")
        change(documents)
        self.source = dump(self.folder / "altered", documents)
        if landed:
            land(self.warehouse, "acme", self.source)


@dataclass
class Tampered:
    """Stands for the warehouse inside one transaction of a superuser: same role, same tenant, nothing committed."""

    connection: psycopg.Connection[Any]

    @contextmanager
    def tenant(self, tenant_id: str) -> Iterator[psycopg.Connection[Any]]:
        self.connection.execute("set local role cdp_pipeline")
        self.connection.execute(SET_TENANT, (tenant_id,))
        yield self.connection
        self.connection.execute("reset role")


@contextmanager
def copied(postgres: Server, template: str, name: str) -> Iterator[str]:
    """A database that is a copy of another, dropped at the end."""
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    yield name
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


_worlds: dict[Server, Path] = {}


def landed_world(postgres: Server, folders: pytest.TempPathFactory) -> tuple[str, Path]:
    """A database in which both tenants are registered and landed, and the folder of their dumps.

    Made once per test process and dropped with its server: change copies of it only.
    """
    name = "checked_world"
    if postgres in _worlds:
        return name, _worlds[postgres]
    folder = _worlds[postgres] = folders.mktemp("leo")
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(f"create database {name} template template_cdp strategy file_copy")
    with Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse:
        for tenant_id in TENANTS:
            place = {"folder": str(folder / tenant_id)}
            put_tenant(warehouse, Tenant(tenant_id, tenant_id, "active", "dump", place, {}))
            land(warehouse, tenant_id, dump(folder / tenant_id, clean_documents(tenant_id)))
    return name, folder
