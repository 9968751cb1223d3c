"""A process whose workers kill themselves with SIGKILL: driven by `test_embedding_worker_kill` through its input.

Belongs here: the points at which a worker may die, as wrappers around the product's functions. Does not belong here:
what must be true afterwards. Each job is a line of JSON, runs in a fork (no import is paid twice) and is answered by a
line with its exit code: -9 when the point was reached, 0 when the worker came to its end.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg

from cdp_assets.embedding import queue
from cdp_assets.embedding.store import VectorStore
from cdp_assets.warehouse.connection import Warehouse
from tests.embedding_queue_support import Scripted, drain, worker_of
from tests.kill_worker import Trap

BATCH = 8
CLAIM = 16

Point = Callable[[Trap, Scripted], None]


def before(owner: Any, name: str) -> Point:
    def install(trap: Trap, provider: Scripted) -> None:
        original = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            trap.spring()
            return original(*args, **kwargs)

        setattr(owner, name, wrapped)

    return install


def after(owner: Any, name: str) -> Point:
    def install(trap: Trap, provider: Scripted) -> None:
        original = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            trap.spring()
            return result

        setattr(owner, name, wrapped)

    return install


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


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                run(json.loads(line))
            except BaseException:  # noqa: BLE001 - a fork must never return into its parent's loop
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
