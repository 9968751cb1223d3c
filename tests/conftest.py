"""Fixtures that most tests need: one PostgreSQL server per worker, one fresh migrated database per test.

A test's database is a copy of a migrated template (30 ms), so tests share nothing but the server process.
"""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import make_conninfo

from cdp_assets.embedding.providers.factory import open_provider
from cdp_assets.embedding.providers.model import Provider
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.migrate import migrate
from cdp_assets.warehouse.server import EmbeddedServer
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.embedding_server import EmbeddingServer, embedding_server
from tests.embedding_support import DIMENSION, Service, local_settings, service_settings

# The same examples in every run: a suite that fails now and then is not looked at.
settings.register_profile(
    "suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

DISK = Path(tempfile.gettempdir())
"""For what outlives a run."""
_MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 6 * 2**30:
    # A database is copied for 650 tests: 0.03 s in memory, 0.05 s on an idle disk, 0.8 s on one that is still writing
    # the last ones. Child processes read the variable, `tempfile` has read it already.
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)

DATA = Path(__file__).parent / "data"
CDNOW = DATA / "cdnow_sample"


def pytest_configure() -> None:
    """What collecting makes stays: to look through it again and again took a third of 23 s."""
    gc.disable()


def pytest_collection_finish() -> None:
    """From here on what was collected is not looked at any more, and what tests make far less often than usual.

    dbt's and Dagster's objects live as long as the process: passing over them took 4 % of the tests of the marts.
    """
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    gc.enable()


@dataclass(frozen=True)
class Server:
    """The PostgreSQL server of this test worker."""

    socket: str

    def dsn(self, database: str, *, user: str) -> str:
        """Connection string; every user is trusted on this socket."""
        return make_conninfo("", host=self.socket, dbname=database, user=user)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One embedded server per test worker, with a migrated template database."""
    # not below pytest's own folder: a second pytest session clears old ones away, with the server's files in it
    folder = Path(tempfile.mkdtemp(prefix="cdp-pg-"))
    server = EmbeddedServer(folder / "data").start()
    found = Server(server.socket_folder)
    with psycopg.connect(found.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute("alter system set fsync = off")
        conn.execute("select pg_reload_conf()")
        conn.execute("create database template_cdp")
    migrate(found.dsn("template_cdp", user="postgres"))
    yield found
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


_numbers = itertools.count(1)


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """Name of a fresh migrated database."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(f"create database {name} template template_cdp strategy file_copy")
    yield name
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        conn.execute(f"drop database {name} with (force)")


@pytest.fixture
def pipeline_dsn(postgres: Server, database: str) -> str:
    """The test's database as role cdp_pipeline."""
    return postgres.dsn(database, user="cdp_pipeline")


@pytest.fixture
def owner_dsn(postgres: Server, database: str) -> str:
    """The test's database as superuser: for looking behind row level security, never for the product."""
    return postgres.dsn(database, user="postgres")


@pytest.fixture
def warehouse(pipeline_dsn: str) -> Iterator[Warehouse]:
    """The test's warehouse as the product sees it."""
    with Warehouse(pipeline_dsn) as opened:
        yield opened


@pytest.fixture
def acme(warehouse: Warehouse) -> Tenant:
    """A registered tenant."""
    tenant = Tenant("acme", "Acme", "active", "dump", {"folder": "unused"}, {})
    put_tenant(warehouse, tenant)
    return tenant


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """Data folder of every run on this machine: a model's graph is exported (5 s) once, not once per worker and run."""
    return DISK / f"cdp-models-{os.getuid()}"


@pytest.fixture(scope="session")
def bundled_provider(model_cache: Path) -> Iterator[Provider]:
    """The real bundled model, 384 dimensions, opened once per worker."""
    with closing(open_provider(local_settings(model_cache))) as opened:
        yield opened


@pytest.fixture
def service() -> Iterator[EmbeddingServer]:
    """A local server that plays OpenAI and Vertex AI."""
    with embedding_server(DIMENSION) as opened:
        yield opened


@pytest.fixture(params=["openai", "vertex"])
def service_name(request: pytest.FixtureRequest) -> Service:
    """The service that the local server plays: the test runs for each."""
    found: Service = request.param
    return found


@pytest.fixture
def service_provider(service: EmbeddingServer, service_name: Service) -> Iterator[Provider]:
    """The provider of that service."""
    with closing(open_provider(service_settings(service, service_name))) as opened:
        yield opened
