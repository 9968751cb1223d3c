"""`cdp up|down|env|migrate|dev`: the embedded server, the environment and Dagster on it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from typing import NoReturn

import click

from cdp_assets.cli.terminal import out
from cdp_assets.environment import dagster_environment, embedded_server, migrate_warehouse
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.connection import WarehouseError


@click.command()
def up() -> None:
    """Start the embedded PostgreSQL and bring it to this release.

    It keeps running until `cdp down`, so that the UI, a shell and CI can share it.
    """
    settings = get_settings()
    if not settings.embedded:
        raise WarehouseError("CDP_WAREHOUSE_DSN names a server of yours; there is no embedded one to start")
    migrate_warehouse(settings)
    out.print(f"PostgreSQL runs on the socket in {embedded_server(settings).socket_folder}", soft_wrap=True)


@click.command()
def down() -> None:
    """Stop the embedded PostgreSQL."""
    was_running = embedded_server(get_settings()).stop()
    out.print("PostgreSQL is stopped" if was_running else "PostgreSQL is not running")


@click.command()
def env() -> None:
    """Print the environment for Dagster's own commands.

    \b
    eval "$(cdp env)"
    dagster asset materialize -m cdp_assets --select 'group:landing' --partition acme-demo
    """  # noqa: D301 - click wants the character \b itself
    for name, value in dagster_environment(get_settings()).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@click.command()
def migrate() -> None:
    """Create roles and tables, or bring them to this release. Needs CDP_WAREHOUSE_OWNER_DSN unless embedded."""
    migrate_warehouse(get_settings())
    out.print("the warehouse is at this release")


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the UI.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the UI listens on.")
def dev(port: int, host: str) -> None:
    """Run the Dagster UI and daemon on the warehouse, with sensors and schedules visible."""
    settings = get_settings()
    if settings.embedded:
        migrate_warehouse(settings)
    environment = {**os.environ, **dagster_environment(settings)}
    out.print(f"Dagster UI: http://{host}:{port}")
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        "cdp_assets",
        "--port",
        str(port),
        "--host",
        host,
    ]
    become(command, environment)


def become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Go on as another program, which can be interrupted and terminated.

    A shell starts what runs in the background of a script with interrupts ignored. Dagster ends itself and its four
    processes by an interrupt, into which it turns SIGTERM: nothing but SIGKILL would end it, and not the four.
    """
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execve(command[0], command, environment)  # noqa: S606 - a fixed command, no shell wanted
