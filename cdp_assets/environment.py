"""What a process needs in its environment to run Dagster on this installation's data.

Belongs here: the Dagster home and storage of the embedded server, so that the UI, the daemon, a shell and CI see
one instance. Where the environment names a DAGSTER_HOME or storage of its own, that is taken as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import RLock
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from cdp_assets import keys
from cdp_assets.settings import Settings, secret, variable
from cdp_assets.warehouse.connection import WarehouseError
from cdp_assets.warehouse.migrate import migrate
from cdp_assets.warehouse.server import DAGSTER_DATABASE, EmbeddedServer
from cdp_assets.warehouse.tenants import Tenant

_OF_THE_PROFILE = {b"host", b"port", b"dbname", b"user", b"password", b"options"}
"""What dbt is told by name; of the address's user, password and options it must not hear at all."""

_one_at_a_time = RLock()
"""The environment is one for all threads."""

INSTANCE_FILE = Path(__file__).parent.parent / "dagster.yaml"


def embedded_server(settings: Settings) -> EmbeddedServer:
    """The embedded server of this installation."""
    return EmbeddedServer(settings.data_dir / "postgres")


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Variables for Dagster; starts the embedded server where it is the warehouse.

    Raises:
        WarehouseError: a warehouse is configured but Dagster's own storage is not.
    """
    found = {"CDP_DATA_DIR": str(settings.data_dir)}
    storage = secret("DAGSTER_POSTGRES_URL")
    if storage is None:
        if not settings.embedded:
            raise WarehouseError(
                "CDP_WAREHOUSE_DSN is set but DAGSTER_POSTGRES_URL is not: name the database that holds Dagster's "
                "runs, as postgresql+psycopg2://user:password@host:5432/dagster"
            )
        socket = quote(embedded_server(settings).start().socket_folder, safe="")
        # psycopg2 by name: Dagster's NOTIFY fails on psycopg 3
        storage = f"postgresql+psycopg2://postgres@/{DAGSTER_DATABASE}?host={socket}"
    home = variable("DAGSTER_HOME") or str(_prepared_home(settings.dagster_home))
    return {**found, "DAGSTER_HOME": home, "DAGSTER_POSTGRES_URL": storage}


def migrate_warehouse(settings: Settings) -> None:
    """Bring the warehouse to this release, as the owner that the settings name.

    Raises:
        WarehouseError: no owner is configured for a warehouse of one's own, or migrating failed.
    """
    if settings.embedded:
        owner = embedded_server(settings).start().dsn()
    elif settings.warehouse_owner_dsn is not None:
        owner = settings.warehouse_owner_dsn.get_secret_value()
    else:
        raise WarehouseError(
            "CDP_WAREHOUSE_OWNER_DSN is not set: migrations need a role that may create roles and tables"
        )
    passwords = {
        "cdp_pipeline": settings.pipeline_password,
        "cdp_transform": settings.transform_password,
        "cdp_reader": settings.reader_password,
    }
    migrate(
        owner,
        passwords={role: word.get_secret_value() for role, word in passwords.items() if word is not None},
    )


@contextmanager
def dbt_environment(settings: Settings, dsn: str, tenant: Tenant) -> Iterator[None]:
    """Variables by which dbt reaches a warehouse as cdp_transform for one tenant; as they were at the end.

    dbt takes its connection from the process environment and nowhere else. libpq's PGOPTIONS opens every connection of
    it for the tenant. What else the address says of the connection, TLS above all, travels in libpq's own variables.

    Args:
        settings: password of cdp_transform, time limit, folder for what dbt writes.
        dsn: the warehouse, whatever role it names.
        tenant: whose rows dbt sees and writes, in whose zone days begin, and whose clock says which day is today.
    """
    parts = conninfo_to_dict(dsn)
    password = settings.transform_password
    wanted = {
        **{
            option.envvar.decode(): _from_anywhere(option.val.decode())
            for option in Conninfo.parse(dsn.encode())
            if option.val is not None and option.envvar and option.keyword not in _OF_THE_PROFILE
        },
        "CDP_DBT_HOST": str(parts.get("host", "localhost")),
        "CDP_DBT_PORT": str(parts.get("port", 5432)),
        "CDP_DBT_DATABASE": str(parts.get("dbname", "")),
        "CDP_DBT_USER": "cdp_transform",
        "CDP_DBT_PASSWORD": "" if password is None else password.get_secret_value(),
        "DBT_TARGET_PATH": str(settings.dbt_target),
        # a test that looks at a view and at a mart on top of it waits until the mart is built
        "DBT_INDIRECT_SELECTION": "buildable",
        "PGOPTIONS": f"-c app.tenant_id={keys.tenant_id(tenant.tenant_id)} "
        f"-c app.timezone={tenant.timezone} -c app.today={tenant.today()} "
        f"-c timezone=UTC -c statement_timeout={settings.statement_timeout_s}s "
        # Row level security hides statistics: the planner expects a row or two of every view, and takes loops and sorts
        # for cheap. A hash join of 600,000 rows took 100 s without this, on a busy machine.
        "-c enable_nestloop=off -c enable_mergejoin=off -c work_mem=64MB",
    }
    with _one_at_a_time:
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _from_anywhere(value: str) -> str:
    """The path of a file that is here, a certificate say, as read from another folder: dbt runs in its project's."""
    return str(Path(value).absolute()) if value and Path(value).is_file() else value


def _prepared_home(home: Path) -> Path:
    """The home with this release's dagster.yaml. Other processes read it meanwhile, so it is replaced as a whole."""
    if not INSTANCE_FILE.is_file():
        raise WarehouseError(
            f"{INSTANCE_FILE.name} is not beside the package: set DAGSTER_HOME to a folder that holds it"
        )
    home.mkdir(parents=True, exist_ok=True)
    file, wanted = home / INSTANCE_FILE.name, INSTANCE_FILE.read_bytes()
    if not file.is_file() or file.read_bytes() != wanted:
        with NamedTemporaryFile(dir=home, prefix=f".{file.name}-", delete=False) as made:
            made.write(wanted)
        Path(made.name).chmod(0o644)
        Path(made.name).replace(file)
    return home
