"""Probes: what a fill left behind, in few numbers, so that the next fill can be compared with it.

Belongs here: taking, storing and comparing. Does not belong here: what difference is too much (`checks`). A probe
looks at up to 500 sampled texts, so it costs the same for 1,000 vectors and for 200,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import sql
from psycopg.types.json import Jsonb

from cdp_assets.embedding.providers.model import Vectors
from cdp_assets.embedding.samples import draw
from cdp_assets.warehouse.connection import Connection

TEXTS = 500
"""Texts sampled: 124,750 pairs give the mean similarity to about 0.005; a probe takes 12 kB."""

PROBED = 50
"""Of them, those whose neighbours are kept."""

NEAREST = 20
"""Neighbours kept of each: twice the ten that are compared, since only texts of both samples count."""

COMPARED = 10

KEPT = 30
"""Probes kept per model and entity: a month of nightly fills, at most 2 MB per tenant and model."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What was measured after one fill.

    Attributes:
        vectors: vectors of the entity under the model.
        mean_similarity: mean cosine of all pairs of sampled texts; None below two texts.
        texts: the sampled texts, each named by the first 16 hexadecimal digits of its hash, in order.
        nearest: of each of the first `PROBED` texts, the places in `texts` of its nearest, the nearest first.
    """

    probed_at: datetime
    vectors: int
    mean_similarity: float | None
    texts: list[str]
    nearest: list[list[int]]


def take_probe(conn: Connection, tenant_id: str, model_id: str, entity: str) -> Probe:
    """Measure the vectors as they are now and keep the result; inside a transaction of the tenant."""
    sample = draw(conn, tenant_id, model_id, entity, TEXTS)
    texts = [text_hash.hex()[:16] for text_hash in sample.text_hashes]
    ranked = _nearest(sample.vectors)
    row = conn.execute(
        sql.SQL(
            "insert into embedding.probe (tenant_id, model_id, entity, vectors, mean_similarity, neighbours) "
            "select %(tenant)s, %(model)s, %(entity)s, count(*), %(mean)s, %(neighbours)s from {} "
            "where tenant_id = %(tenant)s and model_id = %(model)s returning probed_at, vectors, mean_similarity"
        ).format(sql.Identifier("embedding", f"{entity}_embedding")),
        {
            "tenant": tenant_id,
            "model": model_id,
            "entity": entity,
            "mean": mean_similarity(sample.vectors),
            "neighbours": Jsonb({"texts": texts, "nearest": ranked}),
        },
    ).fetchone()
    assert row is not None
    probed_at, vectors, mean = row
    conn.execute(
        "delete from embedding.probe where tenant_id = %(tenant)s and model_id = %(model)s and entity = %(entity)s "
        "and probed_at < (select probed_at from embedding.probe where tenant_id = %(tenant)s "
        "and model_id = %(model)s and entity = %(entity)s order by probed_at desc offset %(last)s limit 1)",
        {"tenant": tenant_id, "model": model_id, "entity": entity, "last": KEPT - 1},
    )
    return Probe(probed_at, vectors, mean, texts, ranked)


def newest(conn: Connection, tenant_id: str, model_id: str, entity: str, limit: int = 2) -> list[Probe]:
    """The latest probes, the newest first."""
    rows = conn.execute(
        "select probed_at, vectors, mean_similarity, neighbours -> 'texts', neighbours -> 'nearest' "
        "from embedding.probe where tenant_id = %s and model_id = %s and entity = %s "
        "order by probed_at desc limit %s",
        (tenant_id, model_id, entity, limit),
    ).fetchall()
    return [Probe(*row) for row in rows]


def overlaps(now: Probe, before: Probe) -> dict[str, float]:
    """By text that both probed: the share of its nearest ten that are the same, among the texts that both sampled.

    Texts that came, went or changed are left out on both sides, so that growth alone changes nothing.
    """
    common = set(now.texts) & set(before.texts)
    earlier = _named(before, common)
    found = {}
    for text, names in _named(now, common).items():
        pair = (names, earlier.get(text, []))
        k = min(COMPARED, *map(len, pair))
        if k:
            first, second = (set(names[:k]) for names in pair)
            found[text] = len(first & second) / k
    return found


def _named(probe: Probe, wanted: set[str]) -> dict[str, list[str]]:
    """Neighbours by name, of texts that are wanted, among texts that are wanted."""
    return {
        text: [probe.texts[place] for place in places if probe.texts[place] in wanted]
        for text, places in zip(probe.texts, probe.nearest, strict=False)
        if text in wanted
    }


def mean_similarity(vectors: Vectors) -> float | None:
    """Mean over all pairs without making them: (|sum|^2 - n) / (n (n - 1)) for unit vectors."""
    count = len(vectors)
    if count < 2:
        return None
    exact = vectors.astype(np.float64)
    total = exact.sum(axis=0)
    return float((total @ total - (exact * exact).sum()) / (count * (count - 1)))


def _nearest(vectors: Vectors) -> list[list[int]]:
    probed = vectors[:PROBED]
    # Rounded: what differs by less is noise of the multiplication, and must not decide an order.
    scores = (probed @ vectors.T).round(5)
    np.fill_diagonal(scores, -np.inf)
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, : min(NEAREST, len(vectors) - 1)]
    return [[int(place) for place in places] for places in ranked]
