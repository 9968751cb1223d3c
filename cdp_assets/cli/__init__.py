"""`cdp`, the command line: everything an operator does outside the Dagster UI.

Belongs here: the group and the way errors reach the terminal. Each topic has a module of its own; the work itself
is done by the packages it calls.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from cdp_assets.cli.terminal import fail

COMMANDS = {
    "pipeline": "pipeline", "dev": "server", "up": "server", "down": "server", "env": "server", "migrate": "server",
    "status": "status", "tenants": "tenants", "checks": "checks", "quarantine": "quarantine", "embedding": "embedding",
    "search": "search", "lookalike": "search", "artifacts": "artifacts", "dbt": "dbt", "demo": "demo",
}  # fmt: skip
"""Command -> module of this package that has a function of its name."""


class Commands(click.Group):
    """Imports the module of a command when it is asked for: all of them together take 2 s."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the help."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """None for a word that is no command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"cdp_assets.cli.{COMMANDS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="cdp_assets")
def cdp() -> None:
    """Keep a customer-360 warehouse (PostgreSQL + pgvector) in step with LEO CDP and a shop, tenant by tenant.

    \b
    First steps:
      cdp pipeline              build everything on an embedded PostgreSQL with generated demo data
      cdp dev                   the Dagster UI on the same data
      cdp status                how far each tenant's collections have come
      cdp search "giày chạy bộ màu đỏ" --tenant acme-demo --entity product
    \b
    Your own data:
      cdp tenants add mycompany --dump FOLDER
      cdp tenants add mycompany --arango https://leo.example.com:8529 --database leo_cdp --username cdp \\
          --password-secret ACME_ARANGO_PASSWORD \\
          --shop-dsn "host=shop.example.com dbname=shop user=cdp" --shop-password-secret ACME_SHOP_PASSWORD

    Settings come from CDP_* variables, from files in CDP_SECRETS_DIR, or from .env; the README lists them.
    """  # noqa: D301 - click wants the character \b itself


def main() -> None:
    """Entry point: one readable block for what a person can mend, a traceback for what is a defect."""
    try:
        cdp(standalone_mode=True)
    except Exception as error:
        if not isinstance(error, _mendable()):
            raise
        fail(str(error))
        sys.exit(1)


def _mendable() -> tuple[type[Exception], ...]:
    """Errors whose message names the thing and the remedy."""
    from cdp_assets.artifacts.store import ArtifactError
    from cdp_assets.demo import WorldError
    from cdp_assets.embedding.models import ModelError
    from cdp_assets.embedding.providers.model import ProviderError
    from cdp_assets.embedding.search import SearchError
    from cdp_assets.embedding.vectors import VectorError
    from cdp_assets.modeling.project import ProjectError
    from cdp_assets.settings import SettingsError
    from cdp_assets.sources.model import SourceError
    from cdp_assets.warehouse.connection import WarehouseError
    from cdp_assets.warehouse.locks import Busy
    from cdp_assets.warehouse.tenants import TenantError

    return (
        SettingsError, WarehouseError, TenantError, SourceError, WorldError, Busy, ProviderError, ModelError,
        VectorError, SearchError, ProjectError, ArtifactError,
    )  # fmt: skip
