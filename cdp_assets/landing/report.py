"""What a landing run tells of itself: counts for the registry and for the asset's page, and the table it left.

Belongs here: plain values. How Dagster shows them is decided in `assets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import sql

from cdp_assets.landing.preview import preview
from cdp_assets.landing.sync import SyncResult
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.registry import Summary
from cdp_assets.warehouse.tables import Column, columns_of


@dataclass(frozen=True, slots=True)
class TableReport:
    """A table as one tenant sees it.

    Attributes:
        rows: live rows.
        columns: of the table, in order.
        preview: newest rows as Markdown, masked.
    """

    rows: int
    columns: list[Column]
    preview: str


def table_report(
    connection: Connection, tenant_id: str, table: str, *, shows: Sequence[str], has_tombstones: bool
) -> TableReport:
    """Look at `cdp.<table>` inside a transaction of the tenant."""
    live = sql.SQL("and deleted_at is null") if has_tombstones else sql.SQL("")
    count = connection.execute(
        sql.SQL("select count(*) from {} where tenant_id = %s {}").format(sql.Identifier("cdp", table), live),
        (tenant_id,),
    ).fetchone()
    return TableReport(
        count[0] if count else 0,
        columns_of(connection, f"cdp.{table}"),
        preview(connection, tenant_id, table, shows),
    )


def fill_summary(summary: Summary, result: SyncResult) -> None:
    """Put a sync's counts into its registry entry."""
    written = result.written
    summary.rows_in, summary.rows_out, summary.rows_rejected = written.read, written.rows, written.rejected
    summary.metrics = {
        **asdict(written),
        "mode": result.mode,
        "withheld": result.withheld,
        "note": result.note,
    }
    if summary.status == "success" and written.rejected:
        summary.status = "quarantined"
    if summary.status == "success" and result.mode == "segment" and result.note:
        summary.status = "skipped"


def said(tenant_id: str, result: SyncResult) -> str:
    """A sync in one line, for logs and terminals."""
    written = result.written
    return (
        f"{tenant_id} {result.collection} ({result.mode}): {written.read:,} read, {written.added:,} added, "
        f"{written.changed:,} changed, {written.tombstoned:,} tombstoned, {written.rejected:,} quarantined, "
        f"{result.withheld:,} deletes withheld, {result.seconds:.1f} s"
        + (f"; {result.note}" if result.note else "")
    )


def sync_metadata(result: SyncResult, source: str) -> dict[str, Any]:
    """A sync's counts under names that stay the same over time, so that the UI can plot them."""
    written = result.written
    return {
        "mode": result.mode,
        "source": source,
        "note": result.note or "-",
        "source_documents": result.source_documents if result.source_documents is not None else written.read,
        "documents_read": written.read,
        "rows_added": written.added,
        "rows_changed": written.changed,
        "rows_unchanged": written.unchanged,
        "rows_tombstoned": written.tombstoned,
        "rows_reassigned": written.resolved,
        "rows_written": written.rows,
        "documents_quarantined": written.rejected,
        "fields_nulled": written.nulled,
        "quarantine_recovered": written.recovered,
        "deletes_withheld": result.withheld,
        "seconds": round(result.seconds, 3),
        "documents_per_second": round(written.read / result.seconds) if result.seconds else 0,
    }
