"""Of what the tables of a segment are made, and whether they are what a run would make.

Belongs here: what each table reads and writes. Does not belong here: comparing (`warehouse.freshness`).
"""

from __future__ import annotations

from cdp_assets.audience import snapshot
from cdp_assets.modeling.current import LANDED
from cdp_assets.modeling.project import digest_of_files
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.freshness import Recipe, current_run, facts_of
from cdp_assets.warehouse.tenants import Tenant

MEMBERS = "segment_member"

READS = {
    MEMBERS: LANDED,
    "segment_features": ("datasets.customer_features",),
    "segment_funnel": ("datasets.funnel_member", "datasets.funnel_daily"),
    "segment_lookalike": (
        *LANDED,
        "embedding.profile_embedding",
        "embedding.model",
        "embedding.active_model",
    ),
}
"""Table of `audience` -> what it is made of; beside that, all but the first follow from the newest snapshot."""


def recipe(connection: Connection, tenant: Tenant, segment_id: str, table: str) -> Recipe:
    """Of what a segment's rows of a table are made, inside a transaction of the tenant.

    Raises:
        TenantError: an option of the tenant cannot be used.
    """
    facts = {**facts_of(tenant), "project": digest_of_files()}
    if table == MEMBERS:
        return Recipe(READS[table], ("audience.segment_member", "audience.segment_snapshot"), facts)
    # the members of a snapshot never change, so its number stands for them
    taken = snapshot.latest(connection, tenant.tenant_id, segment_id)
    return Recipe(
        READS[table], (f"audience.{table}",), {**facts, "snapshot": taken.snapshot if taken else None}
    )


def is_current(connection: Connection, tenant: Tenant, segment_id: str, partition_key: str) -> bool:
    """Whether a run of a segment would change nothing, inside a transaction of the tenant.

    Raises:
        TenantError: an option of the tenant cannot be used.
    """
    return all(
        current_run(
            connection,
            tenant.tenant_id,
            f"audience.{table}",
            recipe(connection, tenant, segment_id, table),
            partition_key,
        )
        is not None
        for table in READS
    )
