"""Versions of dataset F in the artifact store, of full runs alone: one every 15 minutes would copy all history.

Belongs here: what of a run becomes files. How a version is written is in `publish`.
"""

from __future__ import annotations

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets.events.audit import EventsAudit
from cdp_assets.datasets.events.contract import CONTRACTS, RAW
from cdp_assets.datasets.model import Built
from cdp_assets.datasets.publish import record_files, version_of
from cdp_assets.warehouse.connection import Warehouse

_TIMES = {
    "events_enriched": "event_at", "session_funnel": "first_event", "customer_behavior": "last_event_at",
    "funnel_member": "entered_at", "funnel_daily": "day",
}  # fmt: skip


def publish_versions(
    warehouse: Warehouse, store: ArtifactStore, audit: EventsAudit, run_id: str
) -> dict[str, str]:
    """Write and publish what a full run has made; table -> version."""
    inputs = {"events": audit.tables.events_enriched.select(*RAW)}
    versions = {}
    for name, frame in [*audit.tables.items(), ("funnel_daily", audit.daily)]:
        key = CONTRACTS[name].primary_key()
        table = frame.sort(key)
        built = Built(table, time_column=_TIMES[name])
        manifest, files = version_of(name, "F", key, audit.scope, table, built, inputs)
        store.put(manifest, files)
        with warehouse.tenant(audit.scope.tenant_id) as conn:
            record_files(conn, store, manifest, run_id)
        store.publish(name, audit.scope.tenant_id, manifest.version)
        versions[name] = manifest.version
    return versions
