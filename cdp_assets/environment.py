"""What a process needs in its environment to run Dagster on this installation's data.

Belongs here: the Dagster home and storage of the embedded server, so that the UI, the daemon, a shell and CI see
one instance. Where the environment names a DAGSTER_HOME or storage of its own, that is taken as it is.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import quote

from cdp_assets.settings import Settings
from cdp_assets.warehouse.connection import WarehouseError
from cdp_assets.warehouse.migrate import migrate
from cdp_assets.warehouse.server import DAGSTER_DATABASE, EmbeddedServer

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
    storage = os.environ.get("DAGSTER_POSTGRES_URL")
    if storage is None:
        if not settings.embedded:
            raise WarehouseError(
                "CDP_WAREHOUSE_DSN is set but DAGSTER_POSTGRES_URL is not: name the database that holds Dagster's "
                "runs, as postgresql+psycopg2://user:password@host:5432/dagster"
            )
        socket = quote(embedded_server(settings).start().socket_folder, safe="")
        # psycopg2 by name: Dagster's NOTIFY fails on psycopg 3
        storage = f"postgresql+psycopg2://postgres@/{DAGSTER_DATABASE}?host={socket}"
    home = os.environ.get("DAGSTER_HOME") or str(_prepared_home(settings.dagster_home))
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


def _prepared_home(home: Path) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    if not INSTANCE_FILE.is_file():
        raise WarehouseError(
            f"{INSTANCE_FILE.name} is not beside the package: set DAGSTER_HOME to a folder that holds it"
        )
    shutil.copyfile(INSTANCE_FILE, home / "dagster.yaml")
    return home
