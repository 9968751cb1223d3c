"""kill -9 of a worker at any point: nothing is lost, written twice or stuck, and within a lease others may go on."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from cdp_assets.warehouse.connection import Warehouse
from tests.embedding_kill import BATCH, CLAIM
from tests.embedding_queue_support import (
    Scripted,
    add_model,
    assert_in_step,
    drain,
    jobs,
    one,
    products,
    worker_of,
)
from tests.killing import Kill, worker

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.usefixtures("acme")]

TEXTS = 40
LEASE_S = 0.5

# Point -> after how many batches of this round everything is written at the latest.
PLAN = [
    ("claim", ["amid the claim", "after the claim"], TEXTS // CLAIM + 1),
    ("during the call", ["during the call"], TEXTS // BATCH),
    ("after the call", ["after the call"], TEXTS // BATCH),
    ("write", ["before the copy", "after the copy", "before the commit", "after the commit"], TEXTS // BATCH),
]  # fmt: skip


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    """Runs a worker in a process of its own that dies at a point; gives its exit code."""
    with worker("tests.embedding_kill") as run:
        yield run


@pytest.mark.parametrize(("points", "most"), [plan[1:] for plan in PLAN], ids=[plan[0] for plan in PLAN])
def test_20_deaths_lose_double_and_block_nothing(
    warehouse: Warehouse, pipeline_dsn: str, kill: Kill, points: list[str], most: int
) -> None:
    add_model(warehouse)
    products(warehouse, *[""] * TEXTS)
    for death in range(20):
        with warehouse.tenant("acme") as conn:
            conn.execute("update cdp.product_item set title = %s || product_key", (f"round {death} of ",))
        assert len(jobs(warehouse)) == TEXTS
        point, nth = points[death % len(points)], death % most + 1
        assert kill(point=point, nth=nth, dsn=pipeline_dsn, tenant="acme", lease=LEASE_S) == -9, (point, nth)

        # A killed client's transaction ends when the server notices; only then are its locks gone.
        gone = "select count(*) from pg_locks where relation = 'embedding.job'::regclass and pid <> pg_backend_pid()"
        while one(warehouse, gone) != (0,):
            time.sleep(0.01)
        # The vectors that stand and the jobs that are left are all texts, each once.
        written = one(
            warehouse,
            "select count(*) from embedding.product_embedding natural join embedding.product_text",
        )[0]
        assert written + len(jobs(warehouse)) == TEXTS, (point, nth)
        until = one(warehouse, "select coalesce(extract(epoch from max(available_at) - clock_timestamp()), 0) "
                    "from embedding.job")[0]  # fmt: skip
        assert until <= LEASE_S, "free within one lease of the death"

        if death < len(points):
            time.sleep(max(0.0, float(until)))
        else:  # what waiting comes to was seen; seventy more waits would take half a minute
            with warehouse.tenant("acme") as conn:
                conn.execute(
                    "update embedding.job set available_at = available_at - make_interval(secs => %s)",
                    (LEASE_S,),
                )
        provider = Scripted(batch_size=BATCH)
        drain(worker_of(warehouse, provider), warehouse, "product")
        assert len(provider.texts) == len(set(provider.texts)) == TEXTS - written, (point, nth)
        assert_in_step(warehouse)
