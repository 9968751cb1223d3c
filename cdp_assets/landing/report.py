"""What a landing run tells of itself: counts for the registry and for the asset's page.

Belongs here: plain values. How Dagster shows them is decided in `assets`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cdp_assets.landing.sync import SyncResult
from cdp_assets.warehouse.registry import Summary


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
