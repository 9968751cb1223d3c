"""Every check of the embedding stage: what it says of the vectors of the model that serves, what to do, what blocks.

Belongs here: the decisions, as data. A check blocks when every search would be wrong without showing it: vectors
that cannot be compared, of older texts, of others. It does not block for what is missing (the rest can be searched),
nor for what has moved since the fill before: texts move.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cdp_assets.checks import vector_retrieval, vector_texts, vectors
from cdp_assets.checks.vector_subject import VectorSubject
from cdp_assets.embedding import models
from cdp_assets.embedding.entities import Entity
from cdp_assets.embedding.models import ModelError
from cdp_assets.quality import Check, Measure
from cdp_assets.warehouse.connection import Warehouse, without_loops

_AGAIN = "Delete the rows in the sample and materialize embedding.{table} for {tenant} again."

_OTHER_MODEL = (
    "Find out what changed: many texts at once, or the provider behind the model (`cdp embedding models list`). "
    "If it is the provider, `cdp embedding models rollback`, add the model anew and compare before it is activated."
)

VECTOR_CHECKS: tuple[Check[VectorSubject], ...] = (
    Check(
        "dimension",
        "Every vector has the dimension of the model that serves.",
        "Somebody wrote past the IO manager and dropped the partition's constraint. " + _AGAIN,
        vectors.dimension,
        blocking=True,
    ),
    Check(
        "finite",
        "No vector holds NaN or infinity.",
        "The file of the table or what wrote it is damaged: nothing of the pipeline can store such a value. "
        + _AGAIN,
        vectors.finite,
        blocking=True,
    ),
    Check(
        "unit_norm",
        "Every vector has length 1, to 0.001.",
        "Somebody wrote past the IO manager, which refuses other lengths. " + _AGAIN,
        vectors.unit_norm,
        blocking=True,
    ),
    Check(
        "duplicate_vectors",
        "At most 1 % of the texts have the vector of another text that differs from them in more than case and accents "
        "(an error above 5 %).",
        "Look at the texts in the sample (embedding.{entity}_text). If they say different things, the provider answers "
        "with a constant or drops texts: stop it, delete these rows, and materialize embedding.{table} for {tenant} "
        "with one that works. If they are long and differ late, the model cuts them: choose one that reads more.",
        vectors.duplicate_vectors,
    ),
    Check(
        "coverage",
        "Every text has its vector. Warns while the queue has a job for it, for up to an hour.",
        "Given up: `cdp embedding dead-letters list --tenant {tenant}` says why, `cdp embedding dead-letters replay` "
        "tries again. Waiting: see whether the sensor embedding_jobs and the daemon run. Without a job: materialize "
        "embedding.{table} for {tenant}, which compares all texts.",
        vector_texts.coverage,
    ),
    Check(
        "staleness",
        "Every vector is that of its entity's present text. Warns while the queue has a job for it, for up to an hour.",
        "Materialize embedding.{table} for {tenant}, which compares all texts; for dead letters see "
        "`cdp embedding dead-letters list --tenant {tenant}`. If it comes back, a trigger of {source} is gone.",
        vector_texts.staleness,
        blocking=True,
    ),
    Check(
        "self_retrieval",
        "At least 99 % of 300 sampled texts are found first by a search for their own vector.",
        "See the checks of dimension, length and equal vectors first. If they pass, drop the partition's index "
        "(embedding.leaf names the partition) and materialize embedding.{table} for {tenant}, which builds it anew.",
        vector_retrieval.self_retrieval,
    ),
    Check(
        "similarity_drift",
        "The mean similarity of up to 500 sampled texts has moved by at most 0.05 since the fill before (an error "
        "above 0.15). Tells nothing of fewer than 30 texts.",
        _OTHER_MODEL,
        vector_retrieval.similarity_drift,
    ),
    Check(
        "neighbour_overlap",
        "Sampled texts that did not change keep at least 90 % of their ten nearest since the fill before (an error "
        "below 70 %), counted among texts that did not change either.",
        _OTHER_MODEL,
        vector_retrieval.neighbour_overlap,
    ),
    Check(
        "index_recall",
        "The search finds at least 95 % of the exact ten nearest of 20 sampled texts. Without an index it is exact.",
        "Drop the partition's index (embedding.leaf names the partition) and materialize embedding.{table} for "
        "{tenant}, which builds it anew.",
        vector_retrieval.index_recall,
    ),
    Check(
        "tenant_leakage",
        "Every visible vector carries this tenant's id and belongs to a row that was landed for it, and row level "
        "security is forced on each partition.",
        "Stop the pipeline for {tenant}. Force row level security where the sample says that it is not, and find out "
        "who writes to the warehouse beside the pipeline. Delete the rows in the sample.",
        vectors.vector_leakage,
        blocking=True,
    ),
)
"""The checks of every vector table."""


def evaluate_vectors(
    warehouse: Warehouse, tenant_id: str, entity: Entity, *, names: Collection[str] | None = None
) -> Iterator[tuple[Check[VectorSubject], Measure]]:
    """Measure the checks of one entity of one tenant, all or those named, in one transaction.

    Raises:
        ModelError: no model serves the tenant.
    """
    with warehouse.tenant(tenant_id) as conn, without_loops(conn):
        model = models.active(conn, tenant_id)
        if model is None:
            raise ModelError(
                f"tenant {tenant_id!r} has no active model: materialize embedding.{entity.table}, which registers one"
            )
        subject = VectorSubject(conn, tenant_id, entity, model)
        for check in VECTOR_CHECKS:
            if names is None or check.name in names:
                yield check, check.measure(subject)
