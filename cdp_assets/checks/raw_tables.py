"""The checks of the shop's landing tables, `raw.*`: nothing lost, nothing withheld, nothing unknown, nothing old.

Belongs here: what is true of a table of `raw` whatever it holds, and which checks there are. What its columns hold is
tested by dbt (`dbt_project/models/staging`); how a check runs is in `shop`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from psycopg import sql

from cdp_assets.checks import common
from cdp_assets.landing.shop.specs import TableSpec
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.ledger import Ledger, Watermark


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
    scope = {"tenant": table.tenant_id, "collection": table.spec.collection}
    return common.rejected_share(
        table.connection, scope, table.rejected, table.rejected + table.live, table.max_quarantine_share
    )


def mass_delete_guard(table: ShopTable) -> Measure:
    """Vanished rows that the last sweep did not tombstone."""
    return common.withheld_deletes(table.watermark, table.spec.collection, table.live)


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
    """Age of the last sweep and of the last load, once there was one."""
    mark = table.watermark
    if mark.sweep_at is None and mark.window_at is None:
        return Measure(0, "never loaded: the tenant has no shop, or its shop no such table")
    return common.age_of_loads(mark)


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
