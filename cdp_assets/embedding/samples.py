"""Samples of a tenant's vectors, the same in every run: what probes, checks, the map and the report look at.

Belongs here: which texts are drawn, and what the search finds for them. Drawn are the texts with the smallest hashes:
a fair sample, stable while texts stay, found through the index, and a changed text leaves it by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from psycopg import sql

from cdp_assets.embedding.providers.model import Vectors
from cdp_assets.warehouse.connection import Connection


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of one entity under one model, in the order of their text hashes.

    Attributes:
        keys: (n) entity keys.
        text_hashes: (n) hashes of their texts.
        vectors: (n, dimension) float32.
    """

    keys: list[str]
    text_hashes: list[bytes]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Near:
    """A row that the search found near another one.

    Attributes:
        score: cosine; 1 is the same direction.
    """

    entity_key: str
    text_hash: bytes
    score: float


def draw(
    conn: Connection, tenant_id: str, model_id: str, entity: str, limit: int, *, one_per_text: bool = True
) -> Sample:
    """Up to `limit` rows with the smallest text hashes, inside a transaction of the tenant.

    With `one_per_text`, of rows with equal texts only the one with the smallest key.
    """
    row = conn.execute(
        "select dimension from embedding.model where tenant_id = %s and model_id = %s", (tenant_id, model_id)
    ).fetchone()
    dimension = row[0] if row else 0
    rows = conn.execute(
        sql.SQL(
            "select {distinct} entity_key, text_hash, public.vector_send(embedding) from {table} "
            "where tenant_id = %(tenant)s and model_id = %(model)s "
            # a vector of another dimension is a fault that a check names; here it would spoil all others
            "and public.vector_dims(embedding) = %(dimension)s order by text_hash, entity_key limit %(limit)s"
        ).format(
            distinct=sql.SQL("distinct on (text_hash)" if one_per_text else ""),
            table=sql.Identifier("embedding", f"{entity}_embedding"),
        ),
        {"tenant": tenant_id, "model": model_id, "dimension": dimension, "limit": limit},
    ).fetchall()
    records = np.frombuffer(
        b"".join(vector for _, _, vector in rows),
        dtype=[("head", ">u2", (2,)), ("values", ">f4", (dimension,))],
    )
    return Sample(
        [key for key, _, _ in rows],
        [text_hash for _, text_hash, _ in rows],
        records["values"].astype(np.float32),
    )


def nearest(
    conn: Connection, tenant_id: str, model_id: str, entity: str, keys: Sequence[str], k: int
) -> dict[str, list[Near]]:
    """What `embedding.search` finds for the vector of each key, itself among it, the nearest first."""
    found = conn.execute(
        "select s.key, n.entity_key, n.score from unnest(%(keys)s::text[]) as s (key) cross join lateral "
        "embedding.search(%(entity)s, embedding.vector_of(%(entity)s, s.key, %(model)s), %(k)s, %(model)s) as n "
        "order by s.key, n.score desc, n.entity_key",
        {"keys": list(keys), "entity": entity, "model": model_id, "k": k},
    ).fetchall()
    hashes: dict[str, bytes] = dict(
        conn.execute(
            sql.SQL(
                "select entity_key, text_hash from {} where tenant_id = %s and model_id = %s and entity_key = any(%s)"
            ).format(sql.Identifier("embedding", f"{entity}_embedding")),
            (tenant_id, model_id, list({near for _, near, _ in found})),
        ).fetchall()
    )
    results: dict[str, list[Near]] = {key: [] for key in keys}
    for key, near, score in found:
        results[key].append(Near(near, hashes[near], score))
    return results
