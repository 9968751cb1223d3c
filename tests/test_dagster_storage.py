"""Dagster's storage as dagster.yaml configures it: on PostgreSQL, over connections that are kept."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.instance import InstanceRef
from sqlalchemy import event, text
from sqlalchemy.pool import Pool

from cdp_assets import dagster_storage, process
from cdp_assets.automation.runs import end_gone_runs
from cdp_assets.dagster_storage import PooledPostgresStorage
from cdp_assets.policies import PROCESS_TAG
from cdp_assets.warehouse.server import DAGSTER_DATABASE, EmbeddedServer
from tests.conftest import Server

ROOT = Path(__file__).parent.parent
CHECKS = 10

_numbers = itertools.count(1)


@dg.asset(check_specs=[dg.AssetCheckSpec(f"check_{n}", asset="thing") for n in range(CHECKS)])
def thing() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """An asset with checks, each of which is some events."""
    yield dg.MaterializeResult()
    for n in range(CHECKS):
        yield dg.AssetCheckResult(passed=True, check_name=f"check_{n}")


@contextmanager
def connections_counted() -> Iterator[list[object]]:
    """The connections that this process opens to any database over SQLAlchemy."""
    opened: list[object] = []

    def count(raw: object, _: object) -> None:
        opened.append(raw)

    event.listen(Pool, "connect", count)
    try:
        yield opened
    finally:
        event.remove(Pool, "connect", count)


def url(socket: str, database: str) -> str:
    return f"postgresql+psycopg2://postgres@/{database}?host={socket}"


@pytest.fixture
def address(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database, named to Dagster as an installation does."""
    name = f"dagster_{next(_numbers)}"
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(f"create database {name}")
        found = url(postgres.socket, name)
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", found)
        yield found
        dagster_storage.engine(found).dispose()
        conn.execute(f"drop database {name} with (force)")


@pytest.fixture
def instance(tmp_path: Path, address: str) -> Iterator[dg.DagsterInstance]:
    """An instance of our dagster.yaml."""
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path), config_dir=str(ROOT))) as made:
        yield made


def run(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return dg.materialize([thing], instance=instance)


def test_dagster_yaml_names_the_pooled_storage(instance: dg.DagsterInstance, address: str) -> None:
    storage = instance.get_ref().storage
    assert isinstance(storage, PooledPostgresStorage)
    assert storage.postgres_url == address
    assert type(instance.run_storage) is type(storage.run_storage)


def test_a_run_keeps_its_connection(instance: dg.DagsterInstance) -> None:
    with connections_counted() as opened:
        run(instance)
        events = len(instance.all_logs(run(instance).run_id))
    assert events > 3 * CHECKS
    assert len(opened) <= 4, "a connection per thread that stores something, not per event"


def test_instances_of_one_process_share_the_connections(instance: dg.DagsterInstance) -> None:
    """A code server makes an instance for every tick of every sensor."""
    instance.get_runs()
    with connections_counted() as opened:
        for _ in range(3):
            with dg.DagsterInstance.from_ref(instance.get_ref()) as another:
                another.get_runs()
    assert not opened


def test_nobody_waits_for_a_connection_that_another_thread_holds(address: str) -> None:
    pool = dagster_storage.engine(address)
    together = threading.Barrier(12, timeout=20)

    def hold() -> int:
        with pool.connect() as conn:
            together.wait()
            return int(conn.execute(text("select 1")).scalar_one())

    with ThreadPoolExecutor(12) as threads:
        assert sum(threads.map(lambda _: hold(), range(12))) == 12


@pytest.mark.parametrize("for_webserver", [False, True])
def test_connections_that_the_server_closed_are_replaced(
    instance: dg.DagsterInstance, address: str, postgres: Server, for_webserver: bool
) -> None:
    if for_webserver:
        instance.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3_600, max_overflow=20)
    run(instance)
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        name = address.partition("@/")[2].partition("?")[0]
        row = conn.execute(
            "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where datname = %s", (name,)
        ).fetchone()
    assert row is not None
    assert row[0] > 0, "a connection was kept"
    assert run(instance).success
    assert len(instance.get_runs()) == 2


def test_a_run_is_marked_with_the_process_that_executes_it(instance: dg.DagsterInstance) -> None:
    found = instance.get_run_by_id(run(instance).run_id)
    assert found is not None
    assert found.tags[PROCESS_TAG] == process.here()


KILLED = """
import dagster as dg, os, signal

@dg.asset
def endless():
    os.kill(os.getpid(), signal.SIGKILL)

dg.materialize([endless], instance=dg.DagsterInstance.get())
"""


def test_a_run_whose_process_is_killed_is_ended(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "dagster.yaml", tmp_path / "dagster.yaml")
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED], env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = instance.get_runs()
    assert left.status == dg.DagsterRunStatus.STARTED
    assert end_gone_runs(instance) == ([left.run_id], [])
    assert [each.status for each in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]


def test_a_restart_of_the_server_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedServer(tmp_path / "postgres").start()
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url(server.socket_folder, DAGSTER_DATABASE))
    try:
        with dg.DagsterInstance.from_ref(
            InstanceRef.from_dir(str(tmp_path), config_dir=str(ROOT))
        ) as instance:
            run(instance)
            server.stop()
            server.start()
            assert run(instance).success
            assert len(instance.get_runs()) == 2
    finally:
        server.stop()


def test_only_the_webserver_cancels_statements(instance: dg.DagsterInstance, address: str) -> None:
    """A backfill or a deletion of runs may take its time; a page may not."""
    with dagster_storage.engine(address).connect() as conn:
        assert conn.execute(text("show statement_timeout")).scalar_one() == "0"
    instance.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3_600, max_overflow=20)
    with instance.run_storage.connect() as conn:  # type: ignore[attr-defined]
        assert conn.execute(text("show statement_timeout")).scalar_one() == "15s"
