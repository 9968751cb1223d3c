"""Two models of a tenant side by side, before one takes over from the other.

Belongs here: what is measured. Does not belong here: what difference is acceptable (a person decides). Texts are
sampled, so that comparing costs the same for 10,000 vectors and for a million.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp_assets.embedding import models
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.probes import mean_similarity
from cdp_assets.embedding.providers.model import Vectors
from cdp_assets.embedding.samples import draw
from cdp_assets.warehouse.connection import Connection

TEXTS = 5_000
"""Distinct texts sampled of each model; compared are those that both have: 60 MB at 3,072 dimensions."""

QUERIES = 200
"""Of them, those whose neighbours are sought: a share of 0.5 is known to about 0.02."""

NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Side:
    """What one model has of an entity.

    Attributes:
        coverage: texts, and how many of them have their vector.
        norm_min, norm_max: lengths of the sampled vectors; 1 but for rounding. None without vectors.
        similarity: mean cosine over all pairs of compared texts; near 1 the model tells texts poorly apart. None
            below two texts.
    """

    coverage: models.Coverage
    norm_min: float | None
    norm_max: float | None
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One entity under two models.

    Attributes:
        texts: distinct texts that were compared.
        overlap: mean share of a text's nearest ten (fewer where there are fewer texts) that both models agree on,
            among the compared texts, by exact search. None below two texts.
    """

    entity: str
    first: Side
    second: Side
    texts: int
    overlap: float | None


def compare(conn: Connection, tenant_id: str, first: str, second: str) -> list[Comparison]:
    """Compare two registered models entity by entity, inside a transaction of the tenant.

    Raises:
        ModelError: the tenant has no model of one of these ids.
    """
    for model_id in (first, second):
        models.model_of(conn, tenant_id, model_id)
    covered = {
        model_id: {each.entity: each for each in models.coverage(conn, model_id)}
        for model_id in (first, second)
    }
    found = []
    for entity in ENTITIES:
        a, b = (draw(conn, tenant_id, model_id, entity, TEXTS) for model_id in (first, second))
        # both samples begin at the smallest hash, so what they have in common is a sample as well
        _, in_a, in_b = np.intersect1d(
            np.array(a.text_hashes, dtype=object), np.array(b.text_hashes, dtype=object), return_indices=True
        )
        ours, theirs = a.vectors[in_a], b.vectors[in_b]
        found.append(
            Comparison(
                entity,
                _side(covered[first][entity], a.vectors, ours),
                _side(covered[second][entity], b.vectors, theirs),
                len(ours),
                _overlap(ours, theirs),
            )
        )
    return found


def _side(coverage: models.Coverage, sampled: Vectors, compared: Vectors) -> Side:
    norms = np.linalg.norm(sampled.astype(np.float64), axis=1)
    return Side(
        coverage,
        float(norms.min()) if len(norms) else None,
        float(norms.max()) if len(norms) else None,
        mean_similarity(compared),
    )


def _overlap(first: Vectors, second: Vectors) -> float | None:
    if len(first) < 2:
        return None
    k = min(NEIGHBOURS, len(first) - 1)
    pairs = zip(_nearest(first, k), _nearest(second, k), strict=True)
    return float(np.mean([len(set(ours) & set(theirs)) / k for ours, theirs in pairs]))


def _nearest(vectors: Vectors, k: int) -> list[list[int]]:
    # Rounded: what differs by less is noise of the multiplication, and must not decide who is among the ten.
    scores = (vectors[:QUERIES] @ vectors.T).round(5)
    np.fill_diagonal(scores, -np.inf)
    ranked: list[list[int]] = np.argsort(-scores, axis=1, kind="stable")[:, :k].tolist()
    return ranked
