"""All ways through all steps, interleaved on one server, each step's outcome checked.

Belongs here: steps, processes, databases, one measured run. Does not belong here: a way, the report.
"""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.embedding_sync.documents import (
    Documents,
    change_counters,
    change_text,
    write_first,
    write_next,
)
from benchmarks.embedding_sync.way import Way
from benchmarks.ways import wal_position
from cdp_assets.warehouse.server import EmbeddedServer

FIRST, TEXT, COUNTERS, NOTHING = "first fill", "5 % text changed", "5 % counters changed", "nothing changed"
PHASES = (FIRST, TEXT, COUNTERS, NOTHING)


@dataclass(frozen=True, slots=True)
class Measured:
    """One way in one step.

    Attributes:
        calls, texts: what it asked of the embedder, and `embedding` the seconds spent there.
        wal: bytes of write-ahead log.
    """

    seconds: float
    calls: int
    texts: int
    embedding: float
    wal: int


@dataclass(frozen=True, slots=True)
class Step:
    """`changed` are the keys of the documents whose text is another one than in the step before."""

    phase: str
    documents: Documents
    changed: frozenset[str]


def write_steps(folder: Path, count: int, rounds: int) -> list[Step]:
    """The first fill, then `rounds` times: texts, counters, nothing."""
    documents = write_first(folder / "0", count)
    steps = [Step(FIRST, documents, frozenset(documents.revisions()))]
    for number in range(1, 2 * rounds, 2):
        before = documents.revisions()
        documents = write_next(documents, folder / str(number), number, change_text)
        changed = frozenset(key for key, rev in documents.revisions().items() if rev != before[key])
        steps.append(Step(TEXT, documents, changed))
        documents = write_next(documents, folder / str(number + 1), number + 1, change_counters)
        steps += [Step(COUNTERS, documents, frozenset()), Step(NOTHING, documents, frozenset())]
    return steps


class Contestant:
    """One way in its process and its database.

    Raises:
        ModuleNotFoundError: the way's package is not installed.
    """

    def __init__(self, server: EmbeddedServer, folder: Path, name: str, place: str) -> None:
        database = f"sync_{name}"
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute("alter system set autovacuum = off")  # `run` vacuums before it measures
            conn.execute("select pg_reload_conf()")
            conn.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
        folder.mkdir(parents=True)
        self.name = name
        self._dsn = server.dsn(database)
        self._vectors: dict[str, str] = {}
        self._process = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        try:
            self._call(_prepare, place, folder, self._dsn)
        except BaseException:
            self._process.shutdown()
            raise

    def run(self, step: Step) -> Measured:
        """The way's run over one step, on a server at rest.

        Raises:
            AssertionError: a document has no vector, kept a stale one, or got another one for the same text.
        """
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            # what one run leaves behind is not to be paid for by the next one
            conn.execute("vacuum (analyze)")
            conn.execute("checkpoint")
            before = wal_position(conn)
            seconds, calls, texts, embedding = self._call(_run, step.documents.folder)
            wal = wal_position(conn) - before
        self._check(step)
        return Measured(seconds, calls, texts, embedding, wal)

    def _check(self, step: Step) -> None:
        found: dict[str, str] = self._call(_vectors, self._dsn)
        changed = {key for key, vector in found.items() if self._vectors.get(key) != vector}
        assert found.keys() == step.documents.revisions().keys(), f"{self.name}: vectors are missing"
        assert changed == step.changed, (
            f"{self.name}: {len(changed)} vectors changed, not {len(step.changed)}"
        )
        self._vectors = found

    def close(self) -> None:
        """End the way and its process."""
        self._call(_close)
        self._process.shutdown()

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._process.submit(function, *arguments).result()


def compare(contestants: list[Contestant], steps: list[Step]) -> Iterator[tuple[str, str, Measured]]:
    """Phase, way, figures: every way makes a step before any makes the next one, so that all share the noise."""
    for step in steps:
        for contestant in contestants:
            yield step.phase, contestant.name, contestant.run(step)


# -- in the way's process --------------------------------------------------------------------------------------------

_way: list[Way] = []


def _prepare(place: str, folder: Path, dsn: str) -> None:
    module, _, name = place.partition(":")
    way: Way = getattr(importlib.import_module(module), name)(folder)
    way.prepare(dsn)
    _way.append(way)


def _run(folder: Path) -> tuple[float, int, int, float]:
    way, documents = _way[0], Documents(folder)
    embedder = way.embedder
    calls, texts, embedding = embedder.calls, embedder.texts, embedder.seconds
    began = perf_counter()
    way.run(documents)
    seconds = perf_counter() - began
    return seconds, embedder.calls - calls, embedder.texts - texts, embedder.seconds - embedding


def _vectors(dsn: str) -> dict[str, str]:
    with psycopg.connect(dsn) as conn:
        return dict(
            conn.execute(f"select id, md5(vector) from ({_way[0].vectors}) as found (id, vector)").fetchall()
        )


def _close() -> None:
    _way[0].close()
