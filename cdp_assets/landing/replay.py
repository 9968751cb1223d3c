"""Another try for quarantined documents.

Each open entry's document is read from the source again and goes down the same path as any other, so a replay
never lands a stale copy. What the source no longer has is closed as vanished.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync
from cdp_assets.sources.model import Source
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.options import TenantOptions


@dataclass(frozen=True, slots=True)
class Replayed:
    """Entries tried, closed because the document landed, closed because it is gone, still open."""

    tried: int
    recovered: int
    vanished: int
    remaining: int


def replay(
    warehouse: Warehouse,
    tenant_id: str,
    source: Source,
    *,
    tenant_options: TenantOptions | None = None,
    collection: str | None = None,
    key: str | None = None,
) -> Replayed:
    """Try the open entries of a tenant again, all or those of one collection or key.

    Raises:
        Busy: another run is loading a collection concerned.
        SourceError: the source cannot be read.
    """
    with warehouse.tenant(tenant_id) as conn:
        before = quarantine.open_keys(conn, tenant_id)
    chosen = {
        name: [item for item in keys if key is None or item == key]
        for name, keys in before.items()
        # rows of the shop are read again by every load
        if name in CONTRACTS and collection in {None, name}
    }
    vanished = 0
    for name, keys in chosen.items():
        if not keys:
            continue
        with warehouse.session(tenant_id) as session:
            sync = CollectionSync(session, source, CONTRACTS[name], tenant_options=tenant_options)
            seen = sync.run_keys(keys).written.read
            if seen < len(keys):
                gone = _gone(source, name, keys)
                sync.bury(gone)
                vanished += len(gone)
    with warehouse.tenant(tenant_id) as conn:
        after = quarantine.open_keys(conn, tenant_id)
    tried = sum(map(len, chosen.values()))
    remaining = sum(len(set(keys) & set(after.get(name, ()))) for name, keys in chosen.items())
    return Replayed(tried, tried - remaining - vanished, vanished, remaining)


def _gone(source: Source, collection: str, keys: list[str]) -> list[str]:
    missing = set(keys)
    for page in source.keys(collection):
        missing.difference_update(key or rev for key, rev in page)
    return sorted(missing)
