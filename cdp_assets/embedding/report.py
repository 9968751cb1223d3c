"""What a fill tells of the vectors it left: counts, norms, columns, and a few rows with their nearest ones.

Belongs here: plain values for an asset's page. How Dagster shows them is decided in `assets`. Rows are named by key
and by `Entity.label`, which holds no personal data; texts are not shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from cdp_assets.embedding.entities import Entity
from cdp_assets.embedding.models import Model
from cdp_assets.embedding.samples import Near, draw, nearest
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.preview import markdown
from cdp_assets.warehouse.tables import Column, columns_of

ROWS = 5
SHOWN = 3

SEARCHED = 100
"""Found per row, for three with other texts: purchases of one product share a text, and come first."""

NORM_DIGITS = 6


@dataclass(frozen=True, slots=True)
class VectorTableReport:
    """Vectors of one entity as one tenant sees them, under one model.

    Attributes:
        rows: vectors.
        texts: different texts among them.
        norm_min, norm_mean, norm_max: their lengths; None without rows.
        columns: of the table.
        neighbours: some rows with the nearest ones of other texts, as Markdown.
    """

    rows: int
    texts: int
    norm_min: float | None
    norm_mean: float | None
    norm_max: float | None
    columns: list[Column]
    neighbours: str


def vector_table_report(conn: Connection, tenant_id: str, entity: Entity, model: Model) -> VectorTableReport:
    """Look at `embedding.<entity>_embedding` inside a transaction of the tenant."""
    row = conn.execute(
        sql.SQL(
            "select count(*), count(distinct text_hash), min(norm), avg(norm), max(norm) from (select text_hash, "
            "public.vector_norm(embedding) as norm from {} where tenant_id = %s and model_id = %s) as v"
        ).format(sql.Identifier("embedding", entity.table)),
        (tenant_id, model.model_id),
    ).fetchone()
    assert row is not None
    rows, texts, *norms = row
    norm_min, norm_mean, norm_max = (None if norm is None else round(norm, NORM_DIGITS) for norm in norms)
    return VectorTableReport(
        rows,
        texts,
        norm_min,
        norm_mean,
        norm_max,
        columns_of(conn, f"embedding.{entity.table}"),
        _neighbours(conn, tenant_id, entity, model),
    )


def _neighbours(conn: Connection, tenant_id: str, entity: Entity, model: Model) -> str:
    sample = draw(conn, tenant_id, model.model_id, entity.name, ROWS)
    found = nearest(conn, tenant_id, model.model_id, entity.name, sample.keys, SEARCHED)
    shown = {
        key: _of_other_texts(found[key], text_hash)
        for key, text_hash in zip(sample.keys, sample.text_hashes, strict=True)
    }
    labels = labels_of(
        conn, tenant_id, entity, {*shown, *(near.entity_key for found in shown.values() for near in found)}
    )
    return markdown(
        ("key", "is", *(f"nearest {place}" for place in range(1, SHOWN + 1))),
        [(key, labels.get(key, ""), *_cells(near, labels)) for key, near in sorted(shown.items())],
    )


def _of_other_texts(found: Iterable[Near], own: bytes) -> list[Near]:
    by_text: dict[bytes, Near] = {}
    for near in found:
        if near.text_hash != own:
            by_text.setdefault(near.text_hash, near)
    return list(by_text.values())[:SHOWN]


def _cells(found: list[Near], labels: dict[str, str]) -> list[str]:
    cells = [f"{near.score:.3f} {near.entity_key}: {labels.get(near.entity_key, '')}" for near in found]
    return cells + [""] * (SHOWN - len(cells))


def labels_of(conn: Connection, tenant_id: str, entity: Entity, keys: Iterable[str]) -> dict[str, str]:
    """What tells a person which row a key is, without naming anyone."""
    return dict(
        conn.execute(
            sql.SQL(
                "select e.{key}, {label} from {source} as e where e.tenant_id = %s and e.{key} = any(%s)"
            ).format(
                key=sql.Identifier(entity.key),
                label=sql.SQL(entity.label),
                source=sql.Identifier(*entity.source.split(".")),
            ),
            (tenant_id, list(keys)),
        ).fetchall()
    )
