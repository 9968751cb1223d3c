"""Of what the datasets of a tenant are made, and whether they are what a build would make.

Belongs here: what each build reads and writes. Does not belong here: comparing (`warehouse.freshness`).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets.events.contract import CONTRACTS
from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.model import Dataset, last_whole_day
from cdp_assets.modeling.current import LANDED
from cdp_assets.modeling.project import digest_of_files
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.freshness import Recipe, current_run, facts_of
from cdp_assets.warehouse.tenants import Tenant

EVENTS = "datasets.events"
"""Name in `ops.etl_runs` of the runs of dataset F, which makes five tables at once."""


def recipe(dataset: Dataset, tenant: Tenant, as_of: date) -> Recipe:
    """Of what a dataset of a tenant is made as of a day.

    Raises:
        TenantError: an option of the tenant cannot be used.
    """
    deps = {name for frame in dataset.reads for name in FRAMES[frame].deps} | set(dataset.deps)
    tables = sorted(name for name in deps if name.partition(".")[0] in {"marts", "datasets"})
    facts: dict[str, Any] = {**_facts(tenant), "as_of": str(as_of)}
    if dataset.reads_files is not None:
        facts["reads_files"] = dataset.reads_files(tenant.options)
    return Recipe((*LANDED, *tables), (f"datasets.{dataset.name}",), facts)


def is_current(connection: Connection, store: ArtifactStore, tenant: Tenant, dataset: Dataset) -> bool:
    """Whether a build of a dataset now would change nothing, table and `LATEST` both.

    Inside a transaction of the tenant. Nobody can say so of a build that reads files.

    Raises:
        TenantError: an option of the tenant cannot be used.
    """
    if dataset.reads_files is not None and dataset.reads_files(tenant.options):
        return False
    made_of = recipe(dataset, tenant, last_whole_day(tenant.now(), tenant.timezone))
    found = current_run(connection, tenant.tenant_id, f"datasets.{dataset.name}", made_of)
    return found is not None and found["version"] == store.latest(dataset.name, tenant.tenant_id)


def events_recipe(tenant: Tenant) -> Recipe:
    """Of what dataset F of a tenant is made.

    Raises:
        TenantError: an option of the tenant cannot be used.
    """
    return Recipe(LANDED, tuple(f"datasets.{table}" for table in CONTRACTS), _facts(tenant))


def events_are_current(connection: Connection, tenant: Tenant, now: datetime) -> bool:
    """Whether an incremental run of dataset F would change nothing at `now`, inside a transaction of the tenant.

    Time alone changes it where an entry into a funnel is open and its window ends.

    Raises:
        TenantError: an option of the tenant cannot be used.
    """
    if current_run(connection, tenant.tenant_id, EVENTS, events_recipe(tenant)) is None:
        return False
    row = connection.execute(
        "select exists (select from datasets.funnel_member where tenant_id = %s and state = 'open' "
        "and open_until < %s)",
        (tenant.tenant_id, now),
    ).fetchone()
    return row == (False,)


def _facts(tenant: Tenant) -> dict[str, Any]:
    return {**facts_of(tenant), "project": digest_of_files()}
