"""How many versions are kept, and which go.

Belongs here: the decision, and carrying it out. The published version always stays, whatever its age, and so does what
a run may still be writing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cdp_assets.artifacts.store import UNFINISHED_AGE, ArtifactStore

KEPT_VERSIONS = 10
"""Newest versions kept of each dataset and tenant."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A version that goes.

    Attributes:
        reason: `old` or `unfinished`.
        last_written: when.
        bytes: of its files; 0 where that is not known.
    """

    dataset: str
    tenant_id: str
    version: str
    reason: str
    last_written: datetime
    bytes: int


def plan(
    store: ArtifactStore, names: Iterable[tuple[str, str]], *, keep: int, now: datetime
) -> list[Removal]:
    """What goes of the given (dataset, tenant): all but the newest `keep` versions and the published one.

    Versions are as new as they were made, not as the day that they tell of: a backfill of an old day is new.
    """
    found = []
    for dataset, tenant_id in names:
        latest = store.latest(dataset, tenant_id)
        newest_first = store.versions(dataset, tenant_id)[::-1]
        found += [
            Removal(dataset, tenant_id, manifest.version, "old", manifest.made_at, manifest.size)
            for manifest in newest_first[keep:]
            if manifest.version != latest
        ]
        found += [
            Removal(dataset, tenant_id, version, "unfinished", written, 0)
            for version, written in store.unfinished(dataset, tenant_id)
            if now - written > UNFINISHED_AGE
        ]
    return found


def carry_out(store: ArtifactStore, removals: Iterable[Removal]) -> None:
    """Remove what was planned.

    Raises:
        ArtifactError: a version has been published since; those before it are gone.
    """
    for removal in removals:
        store.remove(removal.dataset, removal.tenant_id, removal.version)
