"""Vectors are written once, exactly as they are, into their tenant's and model's own partition, or refused."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pytest

from cdp_assets.embedding import models
from cdp_assets.embedding.store import Stored, VectorStore
from cdp_assets.embedding.vectors import Lease, VectorBatch, VectorError
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.vector_support import batch, keys, leaf, register, spec, vectors, write

pytestmark = pytest.mark.usefixtures("acme")


@pytest.mark.parametrize("dimension", [1, 3, 384, 768, 1536, 3072, 4000])
def test_vectors_are_read_back_as_they_were_written(warehouse: Warehouse, dimension: int) -> None:
    model = register(warehouse, "acme", dimension)
    found = vectors(40, dimension)
    given = batch("acme", model, found)
    assert write(warehouse, given) == Stored(written=40)
    with warehouse.session("acme") as session:
        frame = VectorStore(session).read("product", model)
    assert frame.equals(given.frame())
    assert np.array_equal(frame["embedding"].to_numpy(), found)


def test_a_large_batch_is_written_whole_and_the_second_time_not_at_all(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    model = register(warehouse, "acme", 16)
    given = batch("acme", model, vectors(30_000, 16))
    assert write(warehouse, given) == Stored(written=30_000)
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        before = conn.execute("select pg_current_wal_insert_lsn()").fetchone()
        assert write(warehouse, given) == Stored(unchanged=30_000)
        row = conn.execute("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", before).fetchone()
    assert row is not None
    assert row[0] < 100_000, "an unchanged row is not even locked"


def test_only_rows_with_another_hash_are_written(warehouse: Warehouse) -> None:
    model = register(warehouse, "acme", 8)
    write(warehouse, batch("acme", model, vectors(100, 8)))
    names = keys(120)
    changed = batch("acme", model, vectors(120, 8, seed=1), names=names)
    hashes = [b"new" if number < 10 else value for number, value in enumerate(changed.text_hashes)]
    assert write(warehouse, dataclasses.replace(changed, text_hashes=hashes)) == Stored(
        written=30, unchanged=90
    )
    with warehouse.session("acme") as session:
        stored = VectorStore(session).read("product", model)["embedding"].to_numpy()
    assert np.array_equal(stored[:10], changed.vectors[:10])
    assert np.array_equal(stored[10:100], vectors(100, 8)[10:])
    assert np.array_equal(stored[100:], changed.vectors[100:])


def test_a_batch_that_is_staged_in_parts_is_written_as_one(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdp_assets.embedding.store.PART_BYTES", 7 * 8 * 4)
    model = register(warehouse, "acme", 8)
    given = batch("acme", model, vectors(100, 8))
    write(warehouse, dataclasses.replace(given, keys=given.keys[:50], text_hashes=given.text_hashes[:50],
                                         vectors=given.vectors[:50]))  # fmt: skip
    assert write(warehouse, given) == Stored(written=50, unchanged=50)
    with warehouse.session("acme") as session:
        assert VectorStore(session).read("product", model).equals(given.frame())


def test_a_batch_of_nothing_writes_nothing(warehouse: Warehouse) -> None:
    model = register(warehouse, "acme", 8)
    assert write(warehouse, batch("acme", model, vectors(0, 8))) == Stored()
    with warehouse.session("acme") as session:
        frame = VectorStore(session).read("product", model)
    assert frame.schema == {
        "entity_key": pl.String,
        "text_hash": pl.Binary,
        "embedding": pl.Array(pl.Float32, 8),
    }
    assert frame.is_empty()


def _with(vector: list[float]) -> Callable[[VectorBatch], VectorBatch]:
    def spoil(given: VectorBatch) -> VectorBatch:
        found = given.vectors.copy()
        found[2] = vector
        return dataclasses.replace(given, vectors=found)

    return spoil


REFUSED: dict[str, tuple[Callable[[VectorBatch], VectorBatch], str]] = {
    "NaN": (_with([np.nan, 0, 0, 0]), "1 of 5 vectors are not of unit length.*'k000002'"),
    "infinite": (_with([np.inf, 0, 0, 0]), "not of unit length"),
    "zero": (_with([0, 0, 0, 0]), "not of unit length"),
    "not normalised": (_with([1, 1, 0, 0]), "not of unit length"),
    "another dimension": (
        lambda b: dataclasses.replace(b, vectors=vectors(5, 3)),
        r"\(5, 3\).*has 4 dimensions",
    ),
    "no table": (lambda b: dataclasses.replace(b, vectors=b.vectors[:, 0]), "has 4 dimensions"),
    "a vector too few": (lambda b: dataclasses.replace(b, vectors=b.vectors[1:]), "differ in number"),
    "a hash too few": (lambda b: dataclasses.replace(b, text_hashes=b.text_hashes[1:]), "differ in number"),
    "a generation too few": (lambda b: dataclasses.replace(b, lease=Lease("w", [1])), "differ in number"),
    "a key twice": (lambda b: dataclasses.replace(b, keys=["a", "a", "b", "c", "d"]), "a key occurs twice"),
    "another tenant": (
        lambda b: dataclasses.replace(b, tenant_id="lotus"),
        "tenant 'lotus' in a session of 'acme'",
    ),
    "unknown model": (
        lambda b: dataclasses.replace(b, model_id="nowhere"),
        "'nowhere' is not registered.*models list",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_unfit_is_refused_and_nothing_of_it_written(warehouse: Warehouse, case: str) -> None:
    spoil, message = REFUSED[case]
    model = register(warehouse, "acme", 4)
    with warehouse.session("acme") as session:
        store = VectorStore(session)
        with pytest.raises(VectorError, match=message):
            store.write(spoil(batch("acme", model, vectors(5, 4))))
        assert store.read("product", model).is_empty()
        assert store.write(batch("acme", model, vectors(5, 4))) == Stored(written=5), (
            "the session is still of use"
        )


def frame(**columns: Any) -> pl.DataFrame:
    """Three fit rows, but for these columns."""
    return batch("acme", "m", vectors(3, 2)).frame().with_columns(**columns)


FRAMES = {
    "other tenant": (
        frame(tenant_id=pl.Series(["acme", "lotus", None])),
        "2 of 3 rows have another tenant_id",
    ),
    "other model": (frame(model_id=pl.lit("x")), "3 of 3 rows have another model_id"),
    "no hashes": (frame().drop("text_hash"), "no column text_hash"),
    "lists": (frame(embedding=pl.Series([[0.6, 0.8]] * 3)), "must be an Array"),
    "no vector": (
        frame(embedding=pl.Series([[0.6, 0.8], None, [1, 0]], dtype=pl.Array(pl.Float32, 2))),
        "1 rows have no vector",
    ),
    "no key": (frame(entity_key=pl.Series(["a", None, "b"])), "1 rows have no entity_key"),
    "no hash": (frame(text_hash=pl.Series([b"a", None, None], dtype=pl.Binary)), "2 rows have no text_hash"),
    "keys that are numbers": (
        frame(entity_key=pl.Series([1, 2, 3])),
        "entity_key is Int64, it must be String",
    ),
}


@pytest.mark.parametrize("case", FRAMES)
def test_a_frame_that_is_unfit_is_refused(case: str) -> None:
    given, message = FRAMES[case]
    with pytest.raises(VectorError, match=re.escape(message)):
        VectorBatch.of_frame(given, tenant_id="acme", entity="product", model_id="m")


def test_a_frame_goes_through_without_a_copy_of_its_vectors() -> None:
    given = batch("acme", "m", vectors(1_000, 8))
    back = VectorBatch.of_frame(given.frame(), tenant_id="acme", entity="product", model_id="m")
    assert back.keys == given.keys
    assert back.text_hashes == given.text_hashes
    assert np.shares_memory(back.vectors, given.vectors)


def test_the_same_key_has_a_vector_of_its_own_under_each_model_and_tenant(warehouse: Warehouse) -> None:
    put_tenant(warehouse, Tenant("lotus", "Lotus", "active", "dump", {"folder": "unused"}, {}))
    first = register(warehouse, "acme", 4)
    other = register(warehouse, "lotus", 4)
    with warehouse.tenant("acme") as conn:
        second = models.add(conn, "acme", spec(6, "q"))
    given = [
        batch("acme", first, vectors(5, 4, seed=1)),
        batch("acme", second, vectors(5, 6, seed=2)),
        batch("lotus", other, vectors(5, 4, seed=3)),
    ]
    for one in given:
        write(warehouse, one)
    for one in given:
        with warehouse.session(one.tenant_id) as session:
            assert VectorStore(session).read("product", one.model_id).equals(one.frame())


def test_the_database_itself_refuses_a_vector_of_another_dimension(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    model = register(warehouse, "acme", 4)
    with psycopg.connect(owner_dsn) as conn, pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(
            f"insert into {leaf(conn, 'product', 'acme', model)} "
            "(tenant_id, model_id, entity_key, text_hash, embedding) values ('acme', %s, 'k', '', '[1,0,0]')",
            (model,),
        )


@pytest.mark.parametrize("dimension", [384, 1536, 2000])
def test_a_vector_that_fits_a_page_lies_in_the_row_and_one_beside_a_long_key_still_fits(
    warehouse: Warehouse, owner_dsn: str, dimension: int
) -> None:
    model = register(warehouse, "acme", dimension)
    write(warehouse, batch("acme", model, vectors(3, dimension), names=["a", "b", "k" * 254]))
    with psycopg.connect(owner_dsn) as conn:
        outside = conn.execute(
            f"select count(pg_column_toast_chunk_id(embedding)) from {leaf(conn, 'product', 'acme', model)} "
            "where length(entity_key) = 1"
        ).fetchone()
    assert outside == (0,)


def test_two_writers_of_the_same_new_rows_both_succeed(warehouse: Warehouse) -> None:
    """Without a lease nothing but the partition's lock keeps them apart."""
    model = register(warehouse, "acme", 16)
    given = batch("acme", model, vectors(2_000, 16))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: write(warehouse, given), range(4)))
    assert sorted(one.written for one in found) == [0, 0, 0, 2_000]
    assert sum(one.unchanged for one in found) == 6_000
