"""The embedded server: attached to from several threads, and gone when it is stopped."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from cdp_assets.warehouse.server import DAGSTER_DATABASE, SERVER_SETTINGS, EmbeddedServer


@pytest.fixture
def folder() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="cdp-server-"))
    yield parent / "postgres"
    if (parent / "postgres" / "postmaster.pid").exists():
        EmbeddedServer(parent / "postgres").stop()
    shutil.rmtree(parent)


def test_threads_attach_to_one_server(folder: Path) -> None:
    """Dagster runs sensors in threads; attaching at once used to fail inside the server library."""
    EmbeddedServer(folder).start()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: EmbeddedServer(folder).dsn(), range(16)))
    assert len(found) == 1


def test_the_first_start_makes_both_databases_and_the_settings(folder: Path) -> None:
    server = EmbeddedServer(folder).start()
    with psycopg.connect(server.dsn(DAGSTER_DATABASE)) as conn:
        assert conn.execute("show max_wal_size").fetchone() == (SERVER_SETTINGS["max_wal_size"],)


def test_a_stopped_server_does_not_answer(folder: Path) -> None:
    server = EmbeddedServer(folder)
    dsn = server.dsn()
    psycopg.connect(dsn).close()
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
