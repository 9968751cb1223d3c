"""Segments of tenant acme whose members a test decides, and the audience assets over them.

Belongs here: the views that the audience reads, as tables that a test fills. The real views are tested with dbt.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import psycopg

from cdp_assets.audience.assets import assets
from cdp_assets.partitions import SEGMENT_DIMENSION, TENANT_DIMENSION
from cdp_assets.warehouse.connection import Warehouse

VIEWS = """
    create table staging.stg_leo__segments (profile_id text, segment_id text, joined_at timestamptz default now());
    create table intermediate.int_customer_links (source text, source_id text, customer_key text);
    grant select on all tables in schema staging, intermediate to cdp_pipeline;
"""


class Segments:
    """Segments of acme, and runs of the audience for them."""

    def __init__(self, warehouse: Warehouse, owner_dsn: str, instance: dg.DagsterInstance) -> None:
        self.warehouse, self.owner_dsn, self.instance = warehouse, owner_dsn, instance
        self.instance.add_dynamic_partitions(TENANT_DIMENSION, ["acme"])
        self.owner(VIEWS)

    def owner(self, statement: str, *values: Any) -> None:
        """One statement behind row level security."""
        with psycopg.connect(self.owner_dsn) as conn:
            conn.execute(statement, values or None)  # type: ignore[call-overload]

    def define(self, segment_id: str, *, rules: str = "city = Huế", status: str = "active") -> None:
        """The segment as LEO has it."""
        self.instance.add_dynamic_partitions(SEGMENT_DIMENSION, [segment_id])
        self.owner(
            "insert into cdp.segment (tenant_id, segment_id, name, segment_type, status, query_rules, metadata, "
            "content_hash) values ('acme', %s, %s, 'dynamic', %s, %s, '{}', '') "
            "on conflict (tenant_id, segment_id) do update set status = excluded.status, "
            "query_rules = excluded.query_rules",
            segment_id, segment_id.upper(), status, rules,
        )  # fmt: skip

    def fill(self, segment_id: str, *profiles: str) -> None:
        """These profiles are the segment's members now; a profile `p1.b` is a second one of customer c1."""
        with psycopg.connect(self.owner_dsn) as conn:
            conn.execute("delete from staging.stg_leo__segments where segment_id = %s", (segment_id,))
            for profile in profiles:
                conn.execute(
                    "insert into staging.stg_leo__segments (profile_id, segment_id) values (%s, %s)",
                    (profile, segment_id),
                )
                conn.execute("delete from intermediate.int_customer_links where source_id = %s", (profile,))
                conn.execute(
                    "insert into intermediate.int_customer_links values ('leo', %s, %s)",
                    (profile, f"c{profile[1:].split('.')[0]}"),
                )

    def run(self, segment_id: str, *tables: str, raise_on_error: bool = False) -> dg.ExecuteInProcessResult:
        """Materialize tables of the audience for a segment of acme."""
        wanted = [asset for asset in assets if asset.key.path[-1] in (tables or ("segment_member",))]
        return dg.materialize(
            wanted,
            instance=self.instance,
            partition_key=f"{segment_id}|acme",
            resources={"warehouse": self.warehouse},
            raise_on_error=raise_on_error,
        )

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query in acme's transaction gives."""
        with self.warehouse.tenant("acme") as conn:
            return conn.execute(statement, values).fetchall()  # type: ignore[call-overload, no-any-return]

    def members(self, segment_id: str, snapshot: int | None = None) -> list[str]:
        """Customers of a snapshot, of the newest when no number is given."""
        rows = self.rows("select customer_id from audience.members(%s, %s) order by 1", segment_id, snapshot)
        return [customer for (customer,) in rows]


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """Table -> metadata of what was materialized."""
    return {
        event.asset_key.path[-1]: {name: item.value for name, item in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def failing(result: dg.ExecuteInProcessResult) -> set[str]:
    """Names of the checks that did not pass."""
    return {found.check_name for found in result.get_asset_check_evaluations() if not found.passed}
