"""The checks of the shop's landing tables, `raw.*`: nothing lost, nothing withheld, nothing unknown, nothing old.

Belongs here: what is true of a table of `raw` whatever it holds, and the op. What its columns hold is tested by dbt
(`dbt_project/models/staging`). Annotations are not postponed: Dagster reads them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import dagster as dg
from psycopg import sql

from cdp_assets import policies
from cdp_assets.checks.common import MAX_LOAD_AGE_H, MAX_SWEEP_AGE_H
from cdp_assets.checks.measures import SAMPLE_ROWS, Check, Measure, Severity
from cdp_assets.checks.ops import check_result, check_specs
from cdp_assets.landing.shop.specs import SPECS, TableSpec
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.connection import Connection, Warehouse, WarehouseError
from cdp_assets.warehouse.ledger import Ledger, Watermark
from cdp_assets.warehouse.tenants import TenantError, active_tenant

PERMANENT = (TenantError, WarehouseError)
"""Faults that a retry meets again."""


@dataclass
class ShopTable:
    """One table of `raw` of one tenant, inside a transaction of the tenant."""

    connection: Connection
    tenant_id: str
    spec: TableSpec
    max_quarantine_share: float

    @cached_property
    def watermark(self) -> Watermark:
        """How far the table has come."""
        return Ledger(self.tenant_id, self.spec.collection).watermark(self.connection)

    @cached_property
    def live(self) -> int:
        """Rows that the shop still has."""
        row = self.connection.execute(
            sql.SQL("select count(*) from {} where tenant_id = %s and _deleted_at is null").format(
                self.spec.relation
            ),
            (self.tenant_id,),
        ).fetchone()
        assert row is not None
        return int(row[0])

    @cached_property
    def rejected(self) -> int:
        """Rows that did not land."""
        row = self.connection.execute(
            "select count(*) from ops.quarantine where tenant_id = %s and collection = %s and resolved_at is null "
            "and not landed",
            (self.tenant_id, self.spec.collection),
        ).fetchone()
        assert row is not None
        return int(row[0])


def row_count(table: ShopTable) -> Measure:
    """Live rows against those that the last sweep counted in the shop, in the same snapshot."""
    mark = table.watermark
    if mark.sweep_at is None or mark.signature_count is None:
        return Measure(0, "never loaded")
    if mark.window_at is not None and mark.window_at > mark.sweep_at:
        return Measure(0, "rows came since the last sweep counted them; the next one will compare")
    missing = abs(mark.signature_count + mark.withheld_deletes - table.live)
    return Measure(
        missing,
        f"{table.live} rows are live, the shop had {mark.signature_count}",
        {"rows": table.live, "source_rows": mark.signature_count},
        ("rows", "rows in the shop", "deletes withheld"),
        [(table.live, mark.signature_count, mark.withheld_deletes)] if missing else (),
    )


def quarantine_share(table: ShopTable) -> Measure:
    """Rows that did not land as a share of all."""
    rejected, total = table.rejected, table.rejected + table.live
    share = rejected / total if total else 0.0
    sample = table.connection.execute(
        "select array_to_string(fields, ', '), min(reason), count(*), min(key) from ops.quarantine "
        "where tenant_id = %s and collection = %s and resolved_at is null and not landed "
        "group by 1 order by 3 desc, 1 limit %s",
        (table.tenant_id, table.spec.collection, SAMPLE_ROWS),
    ).fetchall()
    return Measure(
        rejected,
        f"{rejected} of {total} rows are rejected ({share:.1%}, {table.max_quarantine_share:.1%} are tolerated)",
        {"rejected": rejected, "rows": total, "share": share, "max_share": table.max_quarantine_share},
        ("columns", "reason", "rows", "one of them"),
        sample,
        Severity.ERROR if share > table.max_quarantine_share else Severity.WARN,
    )


def mass_delete_guard(table: ShopTable) -> Measure:
    """Vanished rows that the last sweep did not tombstone."""
    withheld = table.watermark.withheld_deletes
    return Measure(
        withheld,
        f"{withheld} of {table.live} rows are not in the shop any more and were kept",
        {"withheld_deletes": withheld, "rows": table.live},
        ("rows", "vanished from the shop"),
        [(table.live, withheld)] if withheld else (),
    )


def schema_drift(table: ShopTable) -> Measure:
    """Columns of the shop that no column of `raw` takes; their values wait in `_extra`."""
    rows = table.connection.execute(
        sql.SQL(
            "select e.attribute, count(*), min(t.id) from {} as t "
            "cross join lateral jsonb_object_keys(t._extra) as e (attribute) "
            "where t.tenant_id = %s and t._deleted_at is null group by 1 order by 1"
        ).format(table.spec.relation),
        (table.tenant_id,),
    ).fetchall()
    return Measure(
        len(rows),
        f"{len(rows)} columns of the shop are not known here",
        {"unknown_columns": len(rows)},
        ("column", "rows", "one of them"),
        rows[:SAMPLE_ROWS],
        Severity.WARN,
    )


def freshness(table: ShopTable) -> Measure:
    """Age of the last sweep (error), and of the last load of any kind (warning)."""
    mark, now = table.watermark, datetime.now(UTC)
    loads = [time for time in (mark.sweep_at, mark.window_at) if time is not None]
    if not loads:
        return Measure(0, "never loaded: the tenant has no shop, or its shop no such table")
    late = [
        (what, f"{(now - time).total_seconds() / 3600:.1f} h ago", f"{limit:g} h", severity)
        for what, time, limit, severity in (
            ("sweep", mark.sweep_at or min(loads), MAX_SWEEP_AGE_H, Severity.ERROR),
            ("load", max(loads), MAX_LOAD_AGE_H, Severity.WARN),
        )
        if (now - time).total_seconds() / 3600 > limit
    ]
    return Measure(
        len(late),
        "; ".join(f"last {what}: {when}" for what, when, *_ in late) or "loaded in time",
        {"hours_since_load": round((now - max(loads)).total_seconds() / 3600, 3)},
        ("last", "was", "at most"),
        [row[:3] for row in late],
        Severity.ERROR if any(row[3] is Severity.ERROR for row in late) else Severity.WARN,
    )


_SWEEP = "Materialize raw.{table} for {tenant} with mode SWEEP."

SHOP_CHECKS = (
    Check(
        "row_count",
        "Live rows are exactly as many as the last sweep counted in the shop.",
        _SWEEP + " If the difference stays, materialize it with mode FULL.",
        row_count,
        blocking=True,
    ),
    Check(
        "quarantine_share",
        "Rows that did not land stay within the tolerated share (CDP_QUARANTINE_SHARE). Warns when there are any.",
        "`cdp quarantine list` shows the reasons. Mend the rows in the shop; the next load lands them.",
        quarantine_share,
    ),
    Check(
        "mass_delete_guard",
        "The last sweep withheld no deletes. It does when more of the table vanished than the tenant's "
        "max_delete_share, or all of it.",
        "Look at the shop first: is it the right database, is it complete? If the deletes are meant, materialize "
        "raw.{table} for {tenant} with allow_mass_delete.",
        mass_delete_guard,
        blocking=True,
    ),
    Check(
        "schema_drift",
        "The shop's table has no column that raw.{table} lacks. Values of such columns are kept in `_extra`.",
        "Add the column to raw.{table} (a migration) and to landing/shop/specs.py if anybody needs it.",
        schema_drift,
    ),
    Check(
        "freshness",
        "The last sweep is at most 26 hours old (error), the last load of any kind at most 2 hours (warning).",
        "See whether the schedules and the daemon run, and what the last runs of raw.{table} say. " + _SWEEP,
        freshness,
    ),
)


def _specs() -> list[dg.AssetCheckSpec]:
    return [
        spec
        for table in SPECS.values()
        for spec in check_specs(dg.AssetKey(["raw", table.table]), SHOP_CHECKS, {"table": table.table})
    ]


@dg.multi_asset_check(name="check_shop", specs=_specs(), can_subset=True, retry_policy=policies.RETRY)
def check_shop(
    context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult]:
    """All selected checks of all tables: each is a query or two."""
    tenant_id = context.partition_key
    wanted = {(key.asset_key.path[-1], key.name) for key in context.selected_asset_check_keys}
    try:
        active_tenant(warehouse, tenant_id)
    except PERMANENT as error:
        raise dg.Failure(f"{tenant_id}: {error}", allow_retries=False) from error
    share = get_settings().quarantine_share
    for spec in SPECS.values():
        with warehouse.tenant(tenant_id) as conn:
            table = ShopTable(conn, tenant_id, spec, share)
            for check in SHOP_CHECKS:
                if (spec.table, check.name) in wanted:
                    yield check_result(
                        dg.AssetKey(["raw", spec.table]),
                        tenant_id,
                        check,
                        check.measure(table),
                        {"table": spec.table},
                    )


shop_checks = [check_shop]
