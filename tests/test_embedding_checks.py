"""Checks of vectors: all pass on a filled world, and each finds the fault that it is there for, alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdp_assets.checks.vector_catalog import VECTOR_CHECKS
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.quality import Severity
from cdp_assets.warehouse.connection import Warehouse
from tests.checked import shape
from tests.conftest import Server
from tests.vectored import MODEL, Vectored, failing, measure, vectored_world

WARN, ERROR = Severity.WARN, Severity.ERROR


@pytest.fixture(scope="module")
def vectored(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vectored]:
    """Two filled tenants. Tests here leave them as they are: what they do is rolled back."""
    name = vectored_world(postgres, tmp_path_factory)
    with Warehouse(postgres.dsn(name, user="cdp_pipeline")) as warehouse:
        yield Vectored(warehouse, postgres.dsn(name, user="postgres"))


def first(rows: int = 1) -> str:
    """SQL condition of a partition's first texts by hash: those that every sample holds."""
    return f"text_hash in (select distinct text_hash from {{leaf}} order by 1 limit {rows})"


UNBOUND = (
    "do $do$ declare c record; begin for c in select conname from pg_constraint where conrelid = '{leaf}'::regclass "
    "and contype = 'c' and pg_get_constraintdef(oid) like '%vector_dims%' loop "
    "execute 'alter table {leaf} drop constraint ' || quote_ident(c.conname); end loop; end $do$"
)
NOT_A_NUMBER = "\\x20000000" + "0000c07f" * 32
"""A vector of 32 components as it lies on disk: two lengths of 16 bits, then NaN 32 times."""

A_REVIEW = "(select min(entity_key) from embedding.review_text where tenant_id = 'acme')"
JOB = (
    "insert into embedding.job (tenant_id, model_id, entity, entity_key, text_hash, {columns}) "
    f"select tenant_id, '{MODEL}', 'review', entity_key, text_hash, {{values}} from embedding.review_text "
    f"where tenant_id = 'acme' and entity_key = {A_REVIEW}"
)
WITHOUT_TRIGGERS = "set local session_replication_role = replica"
LOST = f"delete from {{leaf}} where entity_key = {A_REVIEW}"

FAULTS: dict[str, tuple[str, tuple[str, ...], dict[str, tuple[int, Severity]], str]] = {
    "a vector of another dimension": (
        "product",
        (UNBOUND, f"update {{leaf}} set embedding = l2_normalize(subvector(embedding, 1, 16)) where {first()}"),
        {"product.dimension": (1, ERROR), "product.self_retrieval": (1, ERROR)},
        "16",
    ),
    "a vector that is no number": (
        "product",
        ("create cast (bytea as vector) without function",
         f"update {{leaf}} set embedding = '{NOT_A_NUMBER}'::bytea::vector where {first()}"),
        {"product.finite": (1, ERROR), "product.self_retrieval": (1, ERROR)},
        "nan",
    ),
    "a vector of zeros": (
        "product",
        (f"update {{leaf}} set embedding = embedding - embedding where {first()}",),
        {"product.unit_norm": (1, ERROR), "product.self_retrieval": (1, ERROR)},
        "0.000000",
    ),
    "a vector that is twice as long": (
        "product",
        (f"update {{leaf}} set embedding = embedding + embedding where {first()}",),
        {"product.unit_norm": (1, ERROR)},
        "2.000000",
    ),
    "a few different texts with one vector": (
        "profile",
        (f"update {{leaf}} set embedding = (select embedding from {{leaf}} where {first()} limit 1) "
         f"where {first(4)}",),
        {"profile.duplicate_vectors": (4, WARN)},
        "4",
    ),
    "many different texts with one vector": (
        "profile",
        (f"update {{leaf}} set embedding = (select embedding from {{leaf}} where {first()} limit 1) "
         f"where {first(9)}",),
        {"profile.duplicate_vectors": (9, ERROR)},
        "9",
    ),
    "a provider that answers with a constant": (
        "review",
        ("update {leaf} set embedding = (select embedding from {leaf} limit 1)",),
        {"review.duplicate_vectors": (37, ERROR), "review.self_retrieval": (29, ERROR)},
        "37",
    ),
    "a vector that is lost": (
        "review",
        (LOST,),
        {"review.coverage": (1, ERROR)},
        "no job asks for it",
    ),
    "a vector that the queue has a job for": (
        "review",
        (LOST, JOB.format(columns="attempts", values="0")),
        {"review.coverage": (1, WARN)},
        "in the queue",
    ),
    "a job that nobody works on": (
        "review",
        (LOST, JOB.format(columns="enqueued_at", values="now() - interval '61 minutes'")),
        {"review.coverage": (1, ERROR)},
        "in the queue for more than 1 h",
    ),
    "a job that was given up": (
        "review",
        (LOST, JOB.format(columns="dead_at, error", values="now(), 'TextRefused: lan@example.com is not allowed'")),
        {"review.coverage": (1, ERROR)},
        "given up TextRefused",
    ),
    "a text that changed while triggers were off": (
        "review",
        (WITHOUT_TRIGGERS, f"update cdp.feedback set comment = 'khác' where feedback_id = {A_REVIEW}"),
        {"review.staleness": (1, ERROR), "review.coverage": (1, ERROR)},
        "an older text no job asks for it",
    ),
    "a text that has just changed": (
        "review",
        (f"update cdp.feedback set comment = 'khác' where tenant_id = 'acme' and feedback_id = {A_REVIEW}",),
        {"review.staleness": (1, WARN), "review.coverage": (1, WARN)},
        "an older text in the queue",
    ),
    "a review that was removed while triggers were off": (
        "review",
        (WITHOUT_TRIGGERS, f"update cdp.feedback set deleted_at = now() where feedback_id = {A_REVIEW}"),
        {"review.staleness": (1, ERROR)},
        "a text that is gone",
    ),
    "a search that finds something else": (
        "review",
        ("alter function embedding.search rename to searched",
         "create function embedding.search(p_entity text, p_query public.vector, p_k integer default 10, "
         "p_model text default null) returns table (entity_key text, score double precision, model_id text) "
         "language sql as $$ select n.entity_key, n.score, n.model_id from embedding.searched(p_entity, p_query, "
         "p_k + 5, p_model) as n where p_entity <> 'review' or n.score < 0.99 order by n.score desc limit p_k $$",),
        {"review.self_retrieval": (38, ERROR)},
        "",
    ),
    "a mean similarity that moved": (
        "product",
        ("insert into embedding.probe (tenant_id, model_id, entity, vectors, mean_similarity, neighbours) "
         "select tenant_id, model_id, entity, vectors, mean_similarity - 0.06, neighbours from embedding.probe "
         "where tenant_id = 'acme' and entity = 'product'",),
        {"product.similarity_drift": (1, WARN)},
        "39",
    ),
    "a mean similarity that moved far": (
        "product",
        ("insert into embedding.probe (tenant_id, model_id, entity, vectors, mean_similarity, neighbours) "
         "select tenant_id, model_id, entity, vectors, mean_similarity + 0.16, neighbours from embedding.probe "
         "where tenant_id = 'acme' and entity = 'product'",),
        {"product.similarity_drift": (1, ERROR)},
        "39",
    ),
    "a vector of something unknown": (
        "product",
        ("insert into {leaf} select tenant_id, model_id, 'stranger', text_hash, embedding from {leaf} limit 1",),
        {"product.tenant_leakage": (1, ERROR), "product.staleness": (1, ERROR)},
        "this tenant never had it",
    ),
    "a partition that is open to others": (
        "product",
        ("alter table {leaf} no force row level security",),
        {"product.tenant_leakage": (1, ERROR)},
        "row level security is not forced on embedding.product_",
    ),
}  # fmt: skip
"""What is done behind the warehouse's back -> the checks that must fail, with count and severity, and their sample."""


def test_every_check_passes_on_a_filled_world(vectored: Vectored) -> None:
    measured = measure(vectored.warehouse, "acme")
    assert len(measured) == len(ENTITIES) * len(VECTOR_CHECKS) == 55
    assert shape(failing(measured)) == {}
    assert all(found.says and not found.sample for found in measured.values())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_its_checks_alone(vectored: Vectored, fault: str) -> None:
    entity, statements, expected, sample = FAULTS[fault]
    leaf = vectored.leaf(entity)
    failed = vectored.failed_after(*(statement.format(leaf=leaf) for statement in statements))
    assert shape(failed) == expected
    cells = " ".join(str(cell) for found in failed.values() for row in found.sample for cell in row)
    assert sample in cells
    assert "example.com" not in cells, "an error may quote the text"


def test_texts_that_differ_in_case_and_accents_may_share_a_vector(vectored: Vectored) -> None:
    said = ["Giao hàng nhanh", "giao hang nhanh", "GIAO HÀNG NHANH", "giao hàng nhanh", "Giao hang nhanh"]
    leaf = vectored.leaf("review")
    keys = f"(select array_agg(entity_key order by entity_key) from (select entity_key from {leaf} limit 5) as f)"
    failed = vectored.failed_after(
        "create temporary table chosen on commit drop as select key, place from "
        f"unnest({keys}) with ordinality as c (key, place)",
        WITHOUT_TRIGGERS,
        f"update cdp.feedback set comment = (array{said})[place] from chosen where feedback_id = key",
        f"update {leaf} as v set text_hash = t.text_hash, embedding = (select embedding from {leaf} limit 1) "
        "from embedding.review_text as t inner join chosen as c on c.key = t.entity_key "
        "where v.entity_key = c.key and t.tenant_id = 'acme'",
    )
    assert shape(failed) == {}
