"""Published versions in the seed's layout: `<folder>/<NAME>/<YYYYMMDD>/`, for what was written against it.

Belongs here: names of folders and files, and `schema.json`. YYYYMMDD is the day that the data tells of, where the seed
took the day on which it ran.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from cdp_assets.artifacts.store import ArtifactError, ArtifactStore, Manifest

FOLDERS = {
    "A": "A_user_item_interactions",
    "B": "B_articles_structured",
    "C": "C_customer_features",
    "D": "D_timeseries",
    "E": "E_reviews_nlp",
    "F": "F_events_funnels",
}
"""Letter of the dataset -> NAME."""

TABLES = {"articles_content": "B_articles_structured", "reviews_nlp": "E_reviews"}
"""Datasets whose table the seed calls by another name than letter and dataset."""

SCHEMA = "schema.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """One dataset that was exported: from which version, to which folder, how many files and bytes."""

    dataset: str
    version: str
    folder: str
    files: int
    bytes: int


def export(store: ArtifactStore, tenant_id: str, datasets: Sequence[str], to: str | Path) -> list[Exported]:
    """Copy the published versions of a tenant's datasets, each file under the name that the seed gives it.

    Args:
        store: where the versions are.
        tenant_id: whose.
        datasets: their names; those without a published version, or that the seed has no place for, are left out.
        to: folder, local or `s3://`; a folder of the same day is written over.

    Raises:
        ArtifactError: nothing is published, a file is damaged, or the folder holds another tenant's export.
    """
    done = []
    for dataset in datasets:
        version = store.latest(dataset, tenant_id)
        manifest = store.manifest(dataset, tenant_id, version) if version else None
        if manifest is None or manifest.letter not in FOLDERS:
            continue
        folder = UPath(to) / FOLDERS[manifest.letter] / f"{manifest.as_of:%Y%m%d}"
        schema = _schema(folder, tenant_id)
        folder.mkdir(parents=True, exist_ok=True)
        table = TABLES.get(dataset, f"{manifest.letter}_{dataset}")
        for file in manifest.files:
            (folder / _file_name(dataset, table, file.name)).write_bytes(store.read(manifest, file.name))
        schema["tables"][f"{table}.parquet"] = _described(manifest)
        (folder / SCHEMA).write_bytes(json.dumps(schema, indent=2).encode() + b"\n")
        done.append(Exported(dataset, manifest.version, str(folder), len(manifest.files), manifest.size))
    if not done:
        raise ArtifactError(f"{tenant_id} has no published version: materialize its datasets first")
    return done


def _file_name(dataset: str, table: str, name: str) -> str:
    """The table under the seed's name; other files keep theirs, behind the table's so that no two meet."""
    return (
        f"{table}.parquet" if name == f"{dataset}.parquet" else f"{table}.{name.removeprefix(f'{dataset}.')}"
    )


def _schema(folder: UPath, tenant_id: str) -> dict[str, Any]:
    """What the folder says of itself: datasets of one letter share one."""
    path = folder / SCHEMA
    if not path.exists():
        return {"tenant": tenant_id, "tables": {}}
    found: dict[str, Any] = json.loads(path.read_bytes())
    if found.get("tenant") != tenant_id:
        raise ArtifactError(
            f"{folder} holds the export of tenant {found.get('tenant')}: give each tenant a folder of its own"
        )
    return found


def _described(manifest: Manifest) -> dict[str, Any]:
    return {
        "dataset": manifest.dataset,
        "version": manifest.version,
        "as_of": manifest.as_of.isoformat(),
        "created_at": manifest.made_at.isoformat(),
        "rows": manifest.rows,
        "columns": [{"name": name, "type": type_} for name, type_ in manifest.columns],
    }
