"""Of what a tenant's marts are made, and whether they are what a build would make.

Belongs here: what dbt reads and writes, and what else its rows follow from. Does not belong here: building (`assets`),
and comparing (`warehouse.freshness`).
"""

from __future__ import annotations

from cdp_assets.modeling.project import digest_of_files
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.freshness import Recipe, current_run, facts_of
from cdp_assets.warehouse.tenants import Tenant

WHOLE, PART = "dbt", "dbt.part"
"""Names in `ops.etl_runs` of runs of all models and of some."""

LANDED = ("cdp", "raw")
"""Schemas that the views of staging and intermediate read: whoever reads a view reads these."""


def recipe(tenant: Tenant) -> Recipe:
    """Of what all models of a tenant are made.

    Raises:
        TenantError: an option of the tenant cannot be used.
        ProjectError: the dbt project is not there.
    """
    return Recipe(LANDED, ("marts",), {**facts_of(tenant), "project": digest_of_files()})


def is_current(connection: Connection, tenant: Tenant) -> bool:
    """Whether a build of all models would change nothing, inside a transaction of the tenant.

    Raises:
        TenantError: an option of the tenant cannot be used.
        ProjectError: the dbt project is not there.
    """
    return current_run(connection, tenant.tenant_id, WHOLE, recipe(tenant)) is not None
