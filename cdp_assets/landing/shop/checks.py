"""The checks of the shop's landing tables, `raw.*`: nothing lost, nothing withheld, nothing unknown, nothing old.

Belongs here: what is true of a table of `raw` whatever it holds, and which checks each table has. What its columns hold
is tested by dbt (`dbt_project/models/staging`); the step that loads the tables runs the checks (`assets`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from psycopg import sql

from cdp_assets.landing import loads, order_words
from cdp_assets.landing.shop.model import SKIPPED
from cdp_assets.landing.shop.specs import SPECS, TableSpec
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity
from cdp_assets.vocabulary.order_statuses import UNKNOWN, order_status
from cdp_assets.warehouse.check_results import Scope
from cdp_assets.warehouse.connection import Connection, Warehouse
from cdp_assets.warehouse.ledger import Ledger, Watermark


@dataclass
class ShopTable:
    """One table of `raw` of one tenant, inside a transaction of the tenant.

    Attributes:
        told_absent: what the load has just found, as `absent` says it; None looks at the loads before.
    """

    connection: Connection
    tenant_id: str
    spec: TableSpec
    max_quarantine_share: float
    told_absent: str | None = None

    @cached_property
    def watermark(self) -> Watermark:
        """How far the table has come."""
        return Ledger(self.tenant_id, self.spec.collection).watermark(self.connection)

    @cached_property
    def landed(self) -> loads.Landed:
        """Rows that the shop still has, and those that did not land."""
        return loads.landed(
            self.connection, self.tenant_id, self.spec.collection, self.spec.relation, "id", "_deleted_at"
        )

    @cached_property
    def absent(self) -> str:
        """Why there is nothing to load; blank where the shop has the table, or where nobody has looked yet."""
        if self.told_absent is not None:
            return self.told_absent
        row = self.connection.execute(
            "select metrics -> %(table)s ->> 'absent' from ops.etl_runs where tenant_id = %(tenant)s "
            "and dataset = 'raw' and metrics -> %(table)s ->> 'mode' <> %(skipped)s order by started_at desc limit 1",
            {"tenant": self.tenant_id, "table": self.spec.table, "skipped": SKIPPED},
        ).fetchone()
        return (row[0] if row else None) or ""


def _is_swept(mark: Watermark) -> bool:
    """Whether the last load compared with all rows of the shop; a window does not."""
    return mark.sweep_at is not None and (mark.window_at is None or mark.window_at <= mark.sweep_at)


def scope_of(connection: Connection, tenant_id: str, spec: TableSpec) -> Scope:
    """What the last load of a table had looked at; of one that was never loaded, everything there is."""
    mark = Ledger(tenant_id, spec.collection).watermark(connection)
    return "sweep" if _is_swept(mark) or mark == Watermark() else "window"


def row_count(table: ShopTable) -> Measure:
    """Live rows and rejects against what the last sweep counted in the shop, in the same snapshot."""
    mark, found = table.watermark, table.landed
    if mark.sweep_at is None or mark.signature_count is None:
        if table.absent:
            return Measure(0, f"absent: {table.absent}")
        return Measure(1, f"raw.{table.spec.table} was never loaded", {"rows": found.live})
    if not _is_swept(mark):
        return Measure(0, "rows came since the last sweep counted them; the next one will compare")
    expected = mark.signature_count + mark.withheld_deletes
    missing = abs(expected - found.documents)
    return Measure(
        missing,
        f"{found.live} rows are live and {found.rejected} are rejected, the shop had {mark.signature_count}",
        {"rows": found.live, "rejected": found.rejected, "source_rows": mark.signature_count},
        ("rows", "rejected", "rows in the shop", "deletes withheld"),
        [(found.live, found.rejected, mark.signature_count, mark.withheld_deletes)] if missing else (),
    )


def quarantine_share(table: ShopTable) -> Measure:
    """Rows that did not land as a share of all."""
    scope = {"tenant": table.tenant_id, "collection": table.spec.collection}
    return loads.rejected_share(table.connection, scope, table.landed, table.max_quarantine_share)


def mass_delete_guard(table: ShopTable) -> Measure:
    """Vanished rows that the last sweep did not tombstone."""
    return loads.withheld_deletes(table.watermark, table.spec.collection, table.landed.live)


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
    if mark.sweep_at is None and mark.window_at is None and table.absent:
        return Measure(0, f"absent: {table.absent}")
    return loads.age_of_loads(mark)


def order_status_known(table: ShopTable) -> Measure:
    """Orders by `status`; one without a status is in no state that is known either."""
    told = table.connection.execute(
        "select status, currency, count(*), sum(total_amount) from raw.orders "
        "where tenant_id = %s and _deleted_at is null group by 1, 2",
        (table.tenant_id,),
    ).fetchall()
    return order_words.measured(row for row in told if order_status(row[0]) in (None, UNKNOWN))


_SWEEP = "Materialize raw.{table} for {tenant} with mode SWEEP."

SHOP_CHECKS = (
    Check(
        "row_count",
        "Live rows and rejected rows are, together, exactly as many as the last sweep counted in the shop.",
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

ORDER_CHECKS = (
    Check(
        "order_status_known",
        "The state of every order is a word that the vocabulary knows. Warns of the others, with their money: they are "
        "no revenue.",
        "Add the words in the sample to cdp_assets/vocabulary/order_statuses.py, where what they mean is certain, and "
        "write the macros anew (`python -m cdp_assets.vocabulary.macros`).",
        order_status_known,
    ),
)

CHECKS = {**dict.fromkeys(SPECS, SHOP_CHECKS), "orders": (*SHOP_CHECKS, *ORDER_CHECKS)}
"""Table -> its checks."""


def evaluate(
    warehouse: Warehouse,
    tenant_id: str,
    spec: TableSpec,
    *,
    quarantine_share: float,
    told_absent: str | None,
    names: Collection[str],
) -> Iterator[tuple[Check[ShopTable], Measure]]:
    """Measure the named checks of one table of one tenant, in one transaction."""
    with warehouse.tenant(tenant_id) as conn:
        table = ShopTable(conn, tenant_id, spec, quarantine_share, told_absent)
        for check in CHECKS[spec.table]:
            if check.name in names:
                yield check, check.measure(table)
