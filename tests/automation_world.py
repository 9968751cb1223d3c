"""What tests of the automation share: tenants in a given state, runs in flight, sources that do as they are told.

Belongs here: making a situation. Does not belong here: what is asked of it (`test_automation*`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test

from cdp_assets import partitions
from cdp_assets.automation.decisions import TABLES
from cdp_assets.sources.model import Signature
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.ledger import Ledger
from cdp_assets.warehouse.registry import record_run
from cdp_assets.warehouse.tenants import Tenant, put_tenant

_REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("cdp_assets"), "__repository__")


@dataclass
class FakeSources:
    """Sources by tenant: a revision, an error to raise, or an event to wait for."""

    answers: dict[str, Any] = field(default_factory=dict)
    revisions: dict[tuple[str, str], str] = field(default_factory=dict)

    @contextmanager
    def open(self, tenant: Tenant) -> Iterator[Any]:
        yield FakeSource(self, tenant.tenant_id)


@dataclass
class FakeSource:
    world: FakeSources
    tenant_id: str

    def signature(self, collection: str) -> Signature:
        answer = self.world.answers.get(self.tenant_id, "1")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, threading.Event):
            answer.wait(20)
        return Signature(10, self.world.revisions.get((self.tenant_id, collection), str(answer)))


def register(warehouse: Warehouse, instance: dg.DagsterInstance, *tenant_ids: str, **options: Any) -> None:
    """Active tenants with their partitions."""
    for tenant_id in tenant_ids:
        put_tenant(warehouse, Tenant(tenant_id, tenant_id, "active", "dump", {"folder": "x"}, options))
    instance.add_dynamic_partitions(partitions.TENANT_DIMENSION, list(tenant_ids))


def swept(warehouse: Warehouse, tenant_id: str, revision: str = "1", seconds_ago: int = 3600) -> None:
    """As after a successful sweep of every collection that took a tenth of a second."""
    with warehouse.session(tenant_id) as session:
        for collection, table in TABLES.items():
            with record_run(warehouse, tenant_id, f"cdp.{table}", orchestrator_run_id="sweep") as summary:
                summary.metrics = {"mode": "sweep"}
            with session.transaction() as conn:
                Ledger(tenant_id, collection).finish(
                    conn, is_sweep=True, contract_version="1", count=10, revision=revision, withheld_deletes=0
                )
    rewind(warehouse, tenant_id, seconds_ago)


def rewind(warehouse: Warehouse, tenant_id: str, seconds: float) -> None:
    """Let so much time pass for what is recorded."""
    with warehouse.tenant(tenant_id) as conn:
        conn.execute(
            "update ops.etl_runs set started_at = started_at - %(by)s, finished_at = finished_at - %(by)s",
            {"by": timedelta(seconds=seconds)},
        )
        conn.execute("update ops.watermark set sweep_at = sweep_at - %s", (timedelta(seconds=seconds),))


def fail_run(warehouse: Warehouse, tenant_id: str, table: str, run_id: str) -> None:
    """An entry that a failed run left."""
    with (
        pytest.raises(RuntimeError),
        record_run(warehouse, tenant_id, f"cdp.{table}", orchestrator_run_id=run_id),
    ):
        raise RuntimeError("broken")


def in_flight(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    job: str = "leo_cdp_sweep",
    **tags: str,
) -> str:
    """Record a run; `a__b="x"` stands for its tag `a/b`. Returns its id."""
    run = create_run_for_test(
        instance,
        job_name=job,
        status=status,
        tags={key.replace("__", "/"): tags[key] for key in tags},
        remote_job_origin=_REPOSITORY.get_job_origin(job),
    )
    return run.run_id
