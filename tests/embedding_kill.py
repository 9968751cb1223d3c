"""A process whose workers kill themselves with SIGKILL: driven by `test_embedding_worker_kill` through its input.

Belongs here: the points at which a worker may die, as wrappers around the product's functions. Does not belong here:
what must be true afterwards, and the process itself (`killing`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

from cdp_assets.embedding import queue
from cdp_assets.embedding.store import VectorStore
from cdp_assets.warehouse.connection import Warehouse
from tests.embedding_queue_support import Scripted, drain, worker_of
from tests.killing import Point, Trap, after, before, serve

BATCH = 8
CLAIM = 16


def amid_claim(trap: Trap, provider: Scripted) -> None:
    """After the statement that claims, before its transaction is committed."""
    execute = psycopg.Cursor.execute

    def wrapped(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        result = execute(self, query, *args, **kwargs)
        if "embedding.claim(" in str(query):
            trap.spring()
        return result

    psycopg.Cursor.execute = wrapped  # type: ignore[method-assign]


def during_call(trap: Trap, provider: Scripted) -> None:
    provider.before = lambda _: trap.spring()


def after_call(trap: Trap, provider: Scripted) -> None:
    embed = provider.embed

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = embed(*args, **kwargs)
        trap.spring()
        return result

    provider.embed = wrapped  # type: ignore[method-assign]


POINTS: dict[str, Point] = {
    "amid the claim": amid_claim,
    "after the claim": after(queue, "claim"),
    "during the call": during_call,
    "after the call": after_call,
    "before the copy": before(VectorStore, "_stage"),
    "after the copy": after(VectorStore, "_stage"),
    "before the commit": after(VectorStore, "_complete"),
    "after the commit": after(VectorStore, "write"),
}


def run(job: dict[str, Any]) -> None:
    provider = Scripted(batch_size=BATCH)
    POINTS[job["point"]](Trap(job["nth"]), provider)
    with Warehouse(job["dsn"]) as warehouse:
        lease = timedelta(seconds=job["lease"])
        worker = worker_of(warehouse, provider, tenant=job["tenant"], claim=CLAIM, lease=lease)
        drain(worker, warehouse, "product", tenant=job["tenant"])


if __name__ == "__main__":
    serve(run)
