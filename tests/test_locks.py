"""One writer of a thing at a time, none beside who has the tenant alone, and nothing left of who was killed.

Belongs here: the locks, and who takes them: builds, removal, suspension. That a landing skips is tested with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner

from cdp_assets import asset_gates
from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.asset_runs import recorded
from cdp_assets.cli import tenants as commands
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync
from cdp_assets.sources.model import PROFILE
from cdp_assets.warehouse import locks
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.locks import Busy
from cdp_assets.warehouse.tenants import Tenant, TenantError, list_tenants, remove_tenant, set_status
from tests.landing_support import MemorySource
from tests.leo_documents import some

PROMOTION = "insert into raw.promotions (tenant_id, id, updated_at) values ('acme', %s, now())"


def rows(warehouse: Warehouse, table: str = "raw.promotions") -> int:
    with warehouse.tenant("acme") as conn:
        row = conn.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


# -- the locks -------------------------------------------------------------------------------------------------------


def test_writers_of_different_things_do_not_wait_for_each_other(warehouse: Warehouse) -> None:
    with (
        locks.writing(warehouse, "acme", "a", thing="a", wait_s=0.1),
        locks.writing(warehouse, "acme", "b", thing="b", wait_s=0.1),
        locks.writing(warehouse, "acme", "nothing alone", wait_s=0.1),
        locks.writing(warehouse, "lotus", "a", thing="a", wait_s=0.1),
        locks.alone(warehouse, "nova", wait_s=0.1),
    ):
        pass


def test_a_second_writer_of_a_thing_is_told_who_has_it(warehouse: Warehouse) -> None:
    with (
        locks.writing(warehouse, "acme", "nightly build", thing="datasets.x"),
        pytest.raises(Busy, match=r"at work on datasets\.x of tenant acme: nightly build \(since .* UTC\)"),
        locks.writing(warehouse, "acme", "another", thing="datasets.x", wait_s=0.1),
    ):
        pass


def test_a_tenant_is_had_alone_only_without_writers_who_are_all_named(warehouse: Warehouse) -> None:
    with (
        locks.writing(warehouse, "acme", "one", thing="datasets.x"),
        locks.writing(warehouse, "acme", "two"),
        pytest.raises(Busy, match=r"tenant acme: one \(.*\), two \("),
        locks.alone(warehouse, "acme", wait_s=0.1),
    ):
        pass


def test_while_a_tenant_is_had_alone_no_writer_begins(warehouse: Warehouse) -> None:
    with (
        locks.alone(warehouse, "acme", wait_s=0.1),
        pytest.raises(Busy, match="the whole tenant"),
        locks.writing(warehouse, "acme", "late", wait_s=0.1),
    ):
        pass


def test_the_wait_for_a_lock_is_not_cut_off_as_a_long_statement_is(pipeline_dsn: str) -> None:
    with (
        Warehouse(pipeline_dsn, statement_timeout_s=1) as hasty,
        locks.writing(hasty, "acme", "one", thing="datasets.x"),
        pytest.raises(Busy),
        locks.writing(hasty, "acme", "two", thing="datasets.x", wait_s=1.5),
    ):
        pass


def backends(owner_dsn: str, purpose: str, action: str = "state") -> list[tuple[Any, ...]]:
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        return conn.execute(
            f"select {action} from pg_stat_activity where application_name = %s", (f"cdp_assets {purpose}",)
        ).fetchall()


def test_a_holder_is_in_no_transaction_that_would_hold_back_vacuum(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    with locks.writing(warehouse, "acme", "long work", thing="datasets.x"):
        assert backends(owner_dsn, "long work") == [("idle",)]
    assert backends(owner_dsn, "long work") == []


def test_a_holder_that_was_killed_leaves_no_lock_and_cannot_finish(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    victim = locks.writing(warehouse, "acme", "victim", thing="datasets.x")
    require_held = victim.__enter__()
    require_held()
    assert backends(owner_dsn, "victim", "pg_terminate_backend(pid)") == [(True,)]
    with locks.writing(warehouse, "acme", "next", thing="datasets.x", wait_s=10):
        pass
    with pytest.raises(psycopg.OperationalError):
        require_held()


# -- runs ------------------------------------------------------------------------------------------------------------


class Runs:
    """Runs of one asset as `recorded` sees them, side by side."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse, self.at_work, self.most = warehouse, 0, 0

    def context(self) -> dg.AssetExecutionContext:
        run = SimpleNamespace(tags={}, run_id="r")
        return cast(dg.AssetExecutionContext, SimpleNamespace(partition_key="acme", run=run, retry_number=0))

    def run(self, inside: Callable[[], object] = lambda: None) -> None:
        with recorded(self.context(), self.warehouse, "datasets.x", alone="datasets.x"):
            self.at_work += 1
            self.most = max(self.most, self.at_work)
            inside()
            self.at_work -= 1


@pytest.fixture
def runs(pipeline_dsn: str, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    monkeypatch.setattr(
        asset_gates, "require", lambda context, warehouse: []
    )  # asks the graph, which is none here
    with Warehouse(pipeline_dsn, pool_size=8) as opened:
        yield Runs(opened)


def test_two_runs_of_one_dataset_go_one_after_the_other(runs: Runs) -> None:
    is_in, may_go = Event(), Event()

    def hold() -> None:
        is_in.set()
        assert may_go.wait(30)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(runs.run, hold)
        assert is_in.wait(30)
        second = pool.submit(runs.run)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)
        may_go.set()
        first.result(30)
        second.result(30)
    assert runs.most == 1


def test_a_run_that_waited_for_a_removal_does_not_begin(runs: Runs) -> None:
    with ThreadPoolExecutor(1) as pool:
        with locks.alone(runs.warehouse, "acme", wait_s=1):
            late = pool.submit(runs.run, lambda: pytest.fail("it ran"))
            remove_tenant(runs.warehouse, "acme")
        with pytest.raises(dg.Failure, match="no tenant 'acme' is registered") as failure:
            late.result(30)
    assert failure.value.allow_retries is False
    assert rows(runs.warehouse, "ops.etl_runs") == 0


# -- removal and suspension ------------------------------------------------------------------------------------------


@pytest.fixture
def cli(warehouse: Warehouse, acme: Tenant, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Commands on the test's warehouse."""

    @contextmanager
    def opened() -> Iterator[Warehouse]:
        yield warehouse

    monkeypatch.setattr(commands, "open_warehouse", opened)
    monkeypatch.setattr(commands, "open_artifacts", lambda: ArtifactStore(tmp_path))
    monkeypatch.setattr(commands, "_with_partitions", lambda change: None)
    monkeypatch.setattr(commands, "PATIENCE_S", 0.2)
    return CliRunner()


def test_a_tenant_is_not_removed_while_a_run_goes_on(cli: CliRunner, warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as conn:
        conn.execute(PROMOTION, (1,))
    with locks.writing(warehouse, "acme", "raw"):
        refused = cli.invoke(commands.tenants, ["remove", "acme", "--yes"])
        assert isinstance(refused.exception, TenantError)
        assert "acme is not removed: another run is at work on tenant acme: raw (since" in str(
            refused.exception
        )
        assert "cdp tenants suspend acme" in str(refused.exception)
        assert rows(warehouse) == 1
    assert cli.invoke(commands.tenants, ["remove", "acme", "--yes"]).exit_code == 0
    assert rows(warehouse) == 0
    assert list_tenants(warehouse) == []


def test_a_removal_can_be_given_again_for_what_is_left(cli: CliRunner, warehouse: Warehouse) -> None:
    remove_tenant(warehouse, "acme")
    with warehouse.tenant("acme") as conn:  # a program of an earlier release, which knows no lock
        conn.execute(PROMOTION, (1,))
    assert cli.invoke(commands.tenants, ["remove", "acme", "--yes"]).exit_code == 0
    assert rows(warehouse) == 0


def test_suspending_says_which_runs_go_on(cli: CliRunner, warehouse: Warehouse) -> None:
    with locks.writing(warehouse, "acme", "dbt", thing="dbt"):
        told = cli.invoke(commands.tenants, ["suspend", "acme"]).output
    assert "acme is suspended; at its next batch or step stops what goes on" in " ".join(told.split())
    assert "dbt (since" in " ".join(told.split())
    assert "no run is in progress" in cli.invoke(commands.tenants, ["suspend", "acme"]).output


def test_a_sync_stops_at_the_batch_after_its_tenant_was_suspended(
    warehouse: Warehouse, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdp_assets.landing.batch.MAX_DOCUMENTS", 100)
    source = MemorySource({PROFILE: some(PROFILE, 1_000)}, page=100)

    def suspend(reading: str, collection: str, number: int) -> None:
        if number == 5:
            set_status(warehouse, "acme", "suspended")

    source.between = suspend
    with (
        warehouse.session("acme") as session,
        pytest.raises(TenantError, match="was suspended: the run stops"),
    ):
        CollectionSync(session, source, CONTRACTS[PROFILE]).run("sweep")
    assert 0 < rows(warehouse, "cdp.customer_profile") < 1_000
    source.between = lambda *_: None
    set_status(warehouse, "acme", "active")
    with warehouse.session("acme") as session:
        CollectionSync(session, source, CONTRACTS[PROFILE]).run("sweep")
    assert rows(warehouse, "cdp.customer_profile") == 1_000
