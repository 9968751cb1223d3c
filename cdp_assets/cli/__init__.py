"""`cdp`, the command line: everything an operator does outside the Dagster UI.

Belongs here: the group and the way errors reach the terminal. Each topic has a module of its own; the work itself
is done by the packages it calls.
"""

from __future__ import annotations

import sys

import click

from cdp_assets.cli.artifacts import artifacts
from cdp_assets.cli.dbt import dbt
from cdp_assets.cli.demo import demo
from cdp_assets.cli.embedding import embedding
from cdp_assets.cli.pipeline import pipeline
from cdp_assets.cli.quarantine import quarantine
from cdp_assets.cli.search import lookalike, search
from cdp_assets.cli.server import dev, down, env, migrate, up
from cdp_assets.cli.status import status
from cdp_assets.cli.tenants import tenants
from cdp_assets.cli.terminal import fail


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="cdp_assets")
def cdp() -> None:
    """Keep a customer-360 warehouse (PostgreSQL + pgvector) in step with LEO CDP and a shop, tenant by tenant.

    \b
    First steps:
      cdp pipeline              build everything on an embedded PostgreSQL with generated demo data
      cdp dev                   the Dagster UI on the same data
      cdp status                how far each tenant's collections have come
      cdp search "giày chạy bộ màu đỏ" --tenant acme --entity product
    \b
    Your own data:
      cdp tenants add acme --dump FOLDER
      cdp tenants add acme --arango https://leo.example.com:8529 --database leo_cdp --username cdp \\
          --password-secret ACME_ARANGO_PASSWORD \\
          --shop-dsn "host=shop.example.com dbname=shop user=cdp" --shop-password-secret ACME_SHOP_PASSWORD

    Settings come from CDP_* variables, from files in CDP_SECRETS_DIR, or from .env; the README lists them.
    """  # noqa: D301 - click wants the character \b itself


for command in (
    pipeline, dev, up, down, env, migrate, status, tenants, quarantine, embedding, search, lookalike, artifacts,
    dbt, demo,
):  # fmt: skip
    cdp.add_command(command)


def main() -> None:
    """Entry point: one readable block for what a person can mend, a traceback for what is a defect."""
    from cdp_assets.artifacts.store import ArtifactError
    from cdp_assets.demo import WorldError
    from cdp_assets.embedding.models import ModelError
    from cdp_assets.embedding.providers.model import ProviderError
    from cdp_assets.embedding.search import SearchError
    from cdp_assets.embedding.vectors import VectorError
    from cdp_assets.modeling.project import ProjectError
    from cdp_assets.sources.model import SourceError
    from cdp_assets.warehouse.connection import WarehouseError
    from cdp_assets.warehouse.ledger import Busy
    from cdp_assets.warehouse.tenants import TenantError

    try:
        cdp(standalone_mode=True)
    except (
        WarehouseError, TenantError, SourceError, WorldError, Busy, ProviderError, ModelError, VectorError, SearchError,
        ProjectError, ArtifactError,
    ) as error:  # fmt: skip
        fail(str(error))
        sys.exit(1)
