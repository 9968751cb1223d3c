"""The queue by itself: who may take which job, for how long, and what becomes of those that nobody finishes."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from cdp_assets.embedding import models, queue, retention
from cdp_assets.warehouse.connection import Connection, Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.embedding_queue_support import (
    OTHER,
    SPEC,
    add_model,
    assert_in_step,
    backdate,
    claim,
    embed_all,
    jobs,
    one,
    products,
    vectors,
)

pytestmark = pytest.mark.usefixtures("acme")


def one_of(conn: Connection, statement: str) -> tuple[int, ...]:
    row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return tuple(row)


def keys(claimed: list[queue.Claimed]) -> set[str]:
    return {job.entity_key for job in claimed}


def test_two_workers_of_one_tenant_never_hold_the_same_job(warehouse: Warehouse) -> None:
    add_model(warehouse)
    products(warehouse, *[f"title {n}" for n in range(25)])
    held = [keys(claim(warehouse, worker=f"w{n}")) for n in range(4)]
    assert [len(found) for found in held] == [10, 10, 5, 0]
    assert len(set().union(*held)) == 25


def test_a_claim_passes_over_jobs_that_another_transaction_has_locked(warehouse: Warehouse) -> None:
    add_model(warehouse)
    products(warehouse, "one", "two", "three")
    with warehouse.tenant("acme") as conn:
        conn.execute("select from embedding.job where entity_key = 'p00001' for update")
        assert keys(claim(warehouse)) == {"p00000", "p00002"}


def test_workers_of_two_tenants_never_see_each_others_jobs(warehouse: Warehouse) -> None:
    put_tenant(warehouse, Tenant("lotus", "Lotus", "active", "dump", {"folder": "unused"}, {}))
    for tenant, title in (("acme", "shoe"), ("lotus", "hat")):
        add_model(warehouse, tenant)
        products(warehouse, title, tenant=tenant)
    assert [job.content for job in claim(warehouse, tenant="lotus")] == ["hat"]
    assert [job.content for job in claim(warehouse)] == ["shoe"]
    assert queue.release(warehouse, "lotus", worker="w") == 1
    assert jobs(warehouse, where="worker = 'w'") == {("product", "p00000")}


def test_a_lease_that_runs_out_frees_the_job_and_an_extended_one_does_not(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    add_model(warehouse)
    products(warehouse, "one")
    assert claim(warehouse, worker="first")
    backdate(owner_dsn)
    assert queue.extend(warehouse, "acme", worker="first", lease=timedelta(seconds=60)) == 1
    assert claim(warehouse, worker="second") == []
    backdate(owner_dsn)
    assert len(claim(warehouse, worker="second")) == 1
    assert queue.extend(warehouse, "acme", worker="first", lease=timedelta(seconds=60)) == 0
    assert queue.release(warehouse, "acme", worker="first") == 0


def test_released_jobs_are_ready_at_once_and_nothing_is_counted(warehouse: Warehouse) -> None:
    add_model(warehouse)
    products(warehouse, "one", "two")
    assert len(claim(warehouse)) == 2
    assert not queue.is_ready(warehouse, "acme")
    assert queue.release(warehouse, "acme", worker="w") == 2
    assert queue.is_ready(warehouse, "acme")
    assert one(warehouse, "select max(attempts), max(crashes), count(worker) from embedding.job") == (0, 0, 0)


def test_a_failed_text_waits_twice_as_long_each_time_and_is_given_up_at_the_fifth(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    add_model(warehouse)
    products(warehouse, "one")
    waits = []
    for attempt in range(1, queue.MAX_ATTEMPTS + 1):
        assert len(claim(warehouse)) == 1
        dead = queue.fail(warehouse, "acme", SPEC.model_id, "product", ["p00000"], worker="w", error="no",
                          is_permanent=False)  # fmt: skip
        assert dead == (attempt == queue.MAX_ATTEMPTS)
        waits.append(
            float(one(warehouse, "select extract(epoch from available_at - now()) from embedding.job")[0])
        )
        backdate(owner_dsn)
    for wait, middle in zip(waits[:4], (10, 20, 40, 80), strict=True):
        assert middle * 0.74 < wait < middle * 1.26
    assert claim(warehouse) == []
    assert not queue.is_ready(warehouse, "acme")


def test_a_refused_text_is_given_up_at_once_and_a_strange_worker_fails_nothing(warehouse: Warehouse) -> None:
    add_model(warehouse)
    products(warehouse, "one")
    assert claim(warehouse)
    for worker, dead in (("stranger", 0), ("w", 1), ("w", 0)):
        assert dead == queue.fail(
            warehouse,
            "acme",
            SPEC.model_id,
            "product",
            ["p00000"],
            worker=worker,
            error="x" * 900,
            is_permanent=True,
        )
    assert one(warehouse, "select length(error), attempts, worker from embedding.job") == (500, 1, None)


def test_failing_passes_over_a_job_that_a_landing_has_locked(warehouse: Warehouse) -> None:
    add_model(warehouse)
    products(warehouse, "one", "two")
    assert claim(warehouse)
    with warehouse.tenant("acme") as conn:
        conn.execute("select from embedding.job where entity_key = 'p00000' for update")
        queue.fail(warehouse, "acme", SPEC.model_id, "product", ["p00000", "p00001"], worker="w", error="no",
                   is_permanent=True)  # fmt: skip
    assert jobs(warehouse, where="dead_at is not null") == {("product", "p00001")}


def test_after_two_dead_workers_jobs_are_tried_alone_and_after_five_given_up(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    add_model(warehouse)
    products(warehouse, "one", "two", "three")
    sizes = []
    for _ in range(2):
        sizes.append(len(claim(warehouse)))
        backdate(owner_dsn)
    products(warehouse, "healthy", prefix="h")
    assert keys(claim(warehouse, worker="other")) == {"h00000"}, "what is not suspected goes first"
    alone = []
    for _ in range(9):
        found = claim(warehouse)
        alone.extend(keys(found))
        sizes.append(len(found))
        backdate(owner_dsn, "available_at = now() - interval '1 second' where worker = 'w'")
    assert sizes == [3, 3] + [1] * 9
    assert sorted(alone) == ["p00000"] * 3 + ["p00001"] * 3 + ["p00002"] * 3
    assert claim(warehouse) == []
    assert jobs(warehouse, where="dead_at is not null and crashes = 5") == {
        ("product", f"p0000{n}") for n in range(3)
    }


def test_dead_letters_are_listed_and_replayed_by_entity_and_key(warehouse: Warehouse, owner_dsn: str) -> None:
    add_model(warehouse)
    products(warehouse, "one", "two", "three")
    backdate(owner_dsn, "dead_at = now(), attempts = 5, error = 'no' where entity_key <> 'p00002'")
    with warehouse.tenant("acme") as conn:
        letters = queue.dead_letters(conn, "acme")
        assert [(letter.entity_key, letter.attempts, letter.error) for letter in letters] == [
            ("p00000", 5, "no"), ("p00001", 5, "no")]  # fmt: skip
        assert len(queue.dead_letters(conn, "acme", limit=1)) == 1
        assert queue.replay(conn, "acme", entity="profile") == 0
        assert queue.replay(conn, "acme", entity="product", key="p00001") == 1
        assert [letter.entity_key for letter in queue.dead_letters(conn, "acme")] == ["p00000"]
        assert queue.replay(conn, "acme") == 1
        assert queue.replay(conn, "acme") == 0
    assert len(embed_all(warehouse).texts) == 3
    assert_in_step(warehouse)


@pytest.mark.parametrize(("title", "dead"), [("one", 1), ("another", 0)])
def test_a_changed_text_revives_a_dead_letter_and_an_unchanged_one_does_not(
    warehouse: Warehouse, owner_dsn: str, title: str, dead: int
) -> None:
    add_model(warehouse)
    products(warehouse, "one")
    backdate(owner_dsn, "dead_at = now(), attempts = 5, crashes = 3, error = 'no'")
    with warehouse.tenant("acme") as conn:
        conn.execute("update cdp.product_item set title = %s, description = ''", (title,))
        assert [(b.ready, b.waiting, b.dead) for b in queue.backlog(conn, "acme")] == [(1 - dead, 0, dead)]
    if not dead:
        assert one(warehouse, "select attempts, crashes, error from embedding.job") == (0, 0, None)


def test_a_dead_letter_whose_text_becomes_that_of_its_vector_is_closed(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    add_model(warehouse)
    products(warehouse, "one")
    embed_all(warehouse)
    with warehouse.tenant("acme") as conn:
        conn.execute("update cdp.product_item set title = 'poison'")
    backdate(owner_dsn, "dead_at = now()")
    with warehouse.tenant("acme") as conn:
        conn.execute("update cdp.product_item set title = 'one'")
    assert_in_step(warehouse)


def test_the_backlog_counts_ready_waiting_and_dead_jobs_by_model_and_entity(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    add_model(warehouse)
    with warehouse.tenant("acme") as conn:
        models.add(conn, "acme", OTHER)
        assert queue.backlog(conn, "acme") == []
    products(warehouse, "one", "two", "three")
    backdate(owner_dsn, f"dead_at = now() where entity_key = 'p00002' and model_id = '{OTHER.model_id}'")
    claim(warehouse, limit=1, spec=OTHER)
    with warehouse.tenant("acme") as conn:
        found = {line.model_id: line for line in queue.backlog(conn, "acme")}
    assert (found[SPEC.model_id].ready, found[SPEC.model_id].waiting, found[SPEC.model_id].dead) == (3, 0, 0)
    assert (found[OTHER.model_id].ready, found[OTHER.model_id].waiting, found[OTHER.model_id].dead) == (
        1,
        1,
        1,
    )
    assert found[SPEC.model_id].oldest is not None


def test_a_claim_for_an_unknown_model_or_entity_is_an_error(warehouse: Warehouse) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="no model"):
        claim(warehouse)
    add_model(warehouse)
    with pytest.raises(psycopg.errors.RaiseException, match="unknown entity"):
        claim(warehouse, "segment")


@pytest.mark.parametrize("analysed", [False, True])
def test_a_claim_from_200000_open_jobs_reads_no_more_than_it_takes(
    warehouse: Warehouse, owner_dsn: str, analysed: bool
) -> None:
    model = add_model(warehouse)
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        if analysed:
            conn.execute("analyze embedding.job")  # of an empty table: statistics of a queue are always old
        conn.execute(
            "insert into embedding.job (tenant_id, model_id, entity, entity_key, text_hash) select 'acme', %s, "
            "'product', n, sha256(n::text::bytea) from generate_series(1, 200000) as n",
            (model.model_id,),
        )

    def take() -> tuple[int, int, int]:
        """Jobs taken, and rows of the queue read for it by scans and through indexes."""
        reads = (
            "select seq_tup_read, idx_tup_fetch from pg_stat_xact_user_tables "
            "where relid = 'embedding.job'::regclass"
        )
        with warehouse.tenant("acme") as conn:
            seq, idx = one_of(conn, reads)  # counts of earlier transactions stand in it for up to a second
            (taken,) = one_of(
                conn,
                f"select count(*) from embedding.claim('{model.model_id}', 'product', 'w', 512, '1 minute')",
            )
            now_seq, now_idx = one_of(conn, reads)
        return taken, now_seq - seq, now_idx - idx

    for _ in range(2):
        taken, scanned, fetched = take()
        assert (taken, scanned) == (512, 0)
        assert 512 <= fetched <= 5 * 512, "found, locked, taken, closed"
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        conn.execute("update embedding.job set available_at = now() + interval '1 hour', worker = 'x'")
    assert take() == (0, 0, 0), "none is ready, so none is read"


def test_what_is_too_old_is_purged_for_this_tenant_alone(warehouse: Warehouse, owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        for tenant in ("acme", "lotus"):
            conn.execute(
                "insert into embedding.retired_vector select %s, 'm', sha256(n::text::bytea), '[1]', "
                "now() - make_interval(days => n) from generate_series(1, 40) as n",
                (tenant,),
            )
            conn.execute(
                "insert into embedding.probe (tenant_id, model_id, entity, probed_at, vectors) select %s, 'm', e, "
                "now() - make_interval(hours => n), n from generate_series(1, 25) as n, unnest(array['a', 'b']) as e",
                (tenant,),
            )
    with warehouse.tenant("acme") as conn:
        assert retention.purge(conn, "acme") == {"retired_vector": 11, "probe": 10}
        assert retention.purge(conn, "acme") == {"retired_vector": 0, "probe": 0}
        assert conn.execute("select entity, count(*), max(vectors) from embedding.probe group by 1 order by 1"
                            ).fetchall() == [("a", 20, 20), ("b", 20, 20)]  # fmt: skip
    with psycopg.connect(owner_dsn) as conn:
        assert conn.execute("select count(*) from embedding.retired_vector where tenant_id = 'lotus'").fetchone() == (
            40,)  # fmt: skip
    assert vectors(warehouse, "product") == {}
