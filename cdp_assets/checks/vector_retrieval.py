"""Measures of what searches find, and of what has changed since the fill before.

Belongs here: searches by the function that everybody uses, on sampled texts, and the comparison of the two newest
probes. Equal scores are equal: which of two rows with one text comes first says nothing.
"""

from __future__ import annotations

import psycopg

from cdp_assets.checks.vector_subject import VectorSubject
from cdp_assets.embedding import probes, samples
from cdp_assets.embedding.store import INDEX_FROM
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity

SEARCHED = 300
"""Texts searched for: an index at its best loses 1 in 500 of its own rows (9 of 4,000 measured, 60,000 rows in all), so
of 100 sampled texts two would be lost, and the check fail, once in 50 tables."""

MIN_RETRIEVED = 0.99

QUERIES = 20
"""Exact answers to compare with: each reads all vectors, 0.1 s of 200,000."""

MIN_RECALL = 0.95
K = 10
TIE = 1e-6

MIN_TEXTS = 30
"""Sampled texts below which a mean of similarities may move by any amount when one text comes or goes."""

DRIFT_WARN, DRIFT_ERROR = 0.05, 0.15
OVERLAP_WARN, OVERLAP_ERROR = 0.9, 0.7


_REFUSED = (psycopg.DataError, psycopg.errors.RaiseException)
"""What a search says to vectors that cannot be compared: others than `nearest` takes, or of several dimensions."""


def self_retrieval(subject: VectorSubject) -> Measure:
    """Sampled texts that a search for their own vector does not find first."""
    numbers: dict[str, float] = {"min_share": MIN_RETRIEVED}
    sample = _drawn(subject, SEARCHED)
    try:
        found = _searched(subject, sample.keys)
    except _REFUSED as error:
        return _refused(error, numbers)
    lost = [
        key
        for key, text_hash in zip(sample.keys, sample.text_hashes, strict=True)
        if text_hash not in {near.text_hash for near in found[key] if near.score >= found[key][0].score - TIE}
    ]
    share = 1 - len(lost) / len(sample.keys) if sample.keys else 1.0
    is_over = share < MIN_RETRIEVED
    return Measure(
        len(lost) if is_over else 0,
        f"{len(sample.keys) - len(lost)} of {len(sample.keys)} sampled texts are found first by their own vector",
        {"texts_searched": len(sample.keys), "texts_lost": len(lost), "share": share, **numbers},
        ("key", "found first"),
        [(key, found[key][0].entity_key if found[key] else "nothing") for key in lost[:SAMPLE_ROWS]]
        if is_over
        else (),
    )


def index_recall(subject: VectorSubject) -> Measure:
    """Share of the exact ten nearest that the search finds; without an index the search is exact."""
    vectors, is_indexed = subject.row(
        "select (select count(*) from {table} where tenant_id = %(tenant)s and model_id = %(model)s), "
        "to_regclass(format('embedding.%%I', embedding.leaf(%(entity)s, %(tenant)s, %(model)s) || '_hnsw')) is not null"
    )
    numbers: dict[str, float] = {"vectors": vectors, "index_from": INDEX_FROM, "min_recall": MIN_RECALL}
    if not is_indexed:
        says = f"{vectors} vectors have no index, so the search is exact" + (
            f", though an index would pay from {INDEX_FROM:,}" if vectors >= INDEX_FROM else ""
        )
        return Measure(0, says, {**numbers, "recall": 1.0})
    keys = _drawn(subject, QUERIES).keys
    try:
        found = _searched(subject, keys)
    except _REFUSED as error:
        return _refused(error, numbers)
    exact = subject.rows(
        "with query as materialized (select entity_key, embedding from {table} where tenant_id = %(tenant)s "
        "and model_id = %(model)s and entity_key = any(%(keys)s)) "
        "select q.entity_key, array_agg(n.score order by n.score desc) from query as q cross join lateral "
        "(select 1 - (v.embedding operator(public.<=>) q.embedding) as score from {table} as v "
        "where v.tenant_id = %(tenant)s and v.model_id = %(model)s "
        "order by v.embedding operator(public.<=>) q.embedding limit %(k)s) as n group by q.entity_key order by 1",
        keys=keys,
        k=K,
    )
    recalls = {
        key: min(sum(near.score >= scores[-1] - TIE for near in found[key]), len(scores)) / len(scores)
        for key, scores in exact
    }
    recall = sum(recalls.values()) / len(recalls) if recalls else 1.0
    poor = sorted((share, key) for key, share in recalls.items() if share < 1)
    is_over = recall < MIN_RECALL
    return Measure(
        len(poor) if is_over else 0,
        f"the index finds {recall:.1%} of the exact ten nearest of {len(recalls)} sampled texts",
        {**numbers, "recall": recall, "queries": len(recalls)},
        ("key", "recall"),
        [(key, f"{share:.0%}") for share, key in poor[:SAMPLE_ROWS]] if is_over else (),
    )


def _drawn(subject: VectorSubject, texts: int) -> samples.Sample:
    return samples.draw(
        subject.connection, subject.tenant_id, subject.model.model_id, subject.entity.name, texts
    )


def _searched(subject: VectorSubject, keys: list[str]) -> dict[str, list[samples.Near]]:
    # a savepoint: a search that fails must not end the transaction of the other checks
    with subject.connection.transaction():
        return samples.nearest(
            subject.connection, subject.tenant_id, subject.model.model_id, subject.entity.name, keys, K
        )


def _refused(error: psycopg.Error, numbers: dict[str, float]) -> Measure:
    says = f"the search itself fails: {error.diag.message_primary}"
    return Measure(1, says, numbers, ("key", "problem"), [("-", says)])


def similarity_drift(subject: VectorSubject) -> Measure:
    """How far the mean similarity of sampled texts has moved since the fill before."""
    limits = {"max_change": DRIFT_ERROR, "warns_from": DRIFT_WARN}
    if len(subject.probes) < 2:
        return Measure(0, _FIRST, limits)
    now, before = subject.probes
    if now.mean_similarity is None or before.mean_similarity is None or _texts(subject) < MIN_TEXTS:
        return Measure(0, f"fewer than {MIN_TEXTS} texts: their mean similarity says nothing", limits)
    change = now.mean_similarity - before.mean_similarity
    is_over = abs(change) > DRIFT_WARN
    return Measure(
        int(is_over),
        f"mean similarity of sampled texts {before.mean_similarity:.3f} -> {now.mean_similarity:.3f}",
        {
            "mean_similarity": now.mean_similarity,
            "mean_similarity_before": before.mean_similarity,
            "change": change,
            **limits,
        },
        ("fill", "vectors", "mean similarity"),
        [
            (f"{probe.probed_at:%Y-%m-%d %H:%M}", probe.vectors, f"{probe.mean_similarity:.3f}")
            for probe in (now, before)
        ]
        if is_over
        else (),
        Severity.ERROR if abs(change) > DRIFT_ERROR else Severity.WARN,
    )


def neighbour_overlap(subject: VectorSubject) -> Measure:
    """Whether texts that did not change still have the neighbours that they had at the fill before."""
    limits = {"min_overlap": OVERLAP_ERROR, "warns_below": OVERLAP_WARN}
    if len(subject.probes) < 2:
        return Measure(0, _FIRST, limits)
    shares = probes.overlaps(*subject.probes)
    if not shares:
        return Measure(
            0, "no sampled text is the same as at the fill before", {**limits, "texts_compared": 0}
        )
    overlap = sum(shares.values()) / len(shares)
    is_over = overlap < OVERLAP_WARN
    worst = sorted((share, text) for text, share in shares.items() if share < OVERLAP_WARN)
    return Measure(
        len(worst) if is_over else 0,
        f"{len(shares)} sampled texts kept {overlap:.1%} of their ten nearest since the fill before",
        {"overlap": overlap, "texts_compared": len(shares), **limits},
        ("text (hash)", "kept"),
        [(text, f"{share:.0%}") for share, text in worst[:SAMPLE_ROWS]] if is_over else (),
        Severity.ERROR if overlap < OVERLAP_ERROR else Severity.WARN,
    )


def _texts(subject: VectorSubject) -> int:
    return min(len(probe.texts) for probe in subject.probes)


_FIRST = "the first fill: there is none before to compare with"
