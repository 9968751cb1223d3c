"""Writing vectors measured side by side: the product, the way of seed 000, and COPY BINARY as the limit.

`python -m benchmarks.vector_write` writes the same vectors into the same partition three ways in turn, then rewrites
a part of it under its index. See README.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import click
import msgspec
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.vectors import ENTITY, Bench, batch, bench, mixture
from benchmarks.ways import wal_position
from cdp_assets.embedding.store import VectorStore, packed, register
from cdp_assets.embedding.vectors import VectorBatch

TENANT = "bench"
SEED_CHUNK = 200
COPY_CHUNK = 1 << 18
TARGETS = {"of seed 000": 12.0, "of COPY": 0.7}

COLUMNS = "(tenant_id, model_id, entity_key, text_hash, embedding)"
SEED_UPSERT = (
    "insert into {leaf} " + COLUMNS + " values (%s, %s, %s, %s, %s::public.vector) "
    "on conflict (tenant_id, entity_key, model_id) do update set text_hash = excluded.text_hash, "
    "embedding = excluded.embedding, embedded_at = now()"
)


class Writing:
    """One set of vectors and the partition that they are written into."""

    def __init__(self, server: Bench, rows: int, dimension: int) -> None:
        self.rows = rows
        self._server = server
        self._tenant = f"{TENANT}-{dimension}"
        self._model = server.register(self._tenant, dimension)
        self._leaf = server.leaf(self._tenant, self._model)
        self._vectors = mixture(rows, dimension, seed=dimension)
        self._batch = self.version(0, rows)
        self._encoded = self._encode()

    def version(self, number: int, rows: int) -> VectorBatch:
        """The first rows, with the hashes of another version of their texts."""
        return batch(self._tenant, self._model, self._vectors[:rows], version=number)

    def product(self, given: VectorBatch | None = None) -> float:
        """Seconds of `VectorStore.write` as role cdp_pipeline, under row level security, from arrays to commit."""
        with self._server.warehouse.session(self._tenant) as session:
            began = perf_counter()
            VectorStore(session).write(given or self._batch)
            return perf_counter() - began

    def seed(self) -> float:
        """Seconds of seed 000: each vector a list, sent as text, `executemany` of every row in chunks."""
        lists, given = self._vectors.tolist(), self._batch  # as its embedder hands them over
        statement = SEED_UPSERT.format(leaf=self._leaf)
        with psycopg.connect(self._server.owner) as conn, conn.cursor() as cur:
            began = perf_counter()
            for start in range(0, self.rows, SEED_CHUNK):
                rows = range(start, min(start + SEED_CHUNK, self.rows))
                cur.executemany(
                    statement,
                    [
                        (self._tenant, self._model, given.keys[row], given.text_hashes[row], str(lists[row]))
                        for row in rows
                    ],
                )
            conn.commit()
            return perf_counter() - began

    def copy(self) -> float:
        """Seconds of COPY BINARY of bytes that were encoded beforehand, as owner, past row level security."""
        with psycopg.connect(self._server.owner) as conn:
            began = perf_counter()
            with conn.cursor() as cur, cur.copy(f"copy {self._leaf} from stdin (format binary)") as copy:
                for start in range(0, len(self._encoded), COPY_CHUNK):
                    copy.write(self._encoded[start : start + COPY_CHUNK])
            conn.commit()
            return perf_counter() - began

    def empty(self) -> None:
        """Bring partition and server to rest."""
        with psycopg.connect(self._server.owner, autocommit=True) as conn:
            conn.execute(f"truncate {self._leaf}")
            conn.execute("checkpoint")

    def index(self) -> None:
        """Build the partition's index."""
        with self._server.warehouse.session(self._tenant) as session:
            VectorStore(session).index(ENTITY, self._model, index_from=1)

    def _encode(self) -> bytes:
        with psycopg.connect(self._server.owner) as conn:
            register(conn)
            conn.execute("create temporary table encoded (like embedding.product_embedding)")
            now = datetime.now(UTC)
            with conn.cursor() as cur:
                with cur.copy("copy encoded from stdin (format binary)") as copy:
                    copy.set_types(["text", "text", "text", "bytea", "vector", "timestamptz"])
                    rows = zip(self._batch.keys, self._batch.text_hashes, packed(self._vectors), strict=True)
                    for key, text_hash, vector in rows:
                        copy.write_row((self._tenant, self._model, key, text_hash, vector, now))
                with cur.copy("copy encoded to stdout (format binary)") as copy:
                    found = b"".join(bytes(part) for part in copy)
            conn.rollback()
        return found


def first_write(writing: Writing, rounds: int) -> dict[str, float]:
    """Seconds by way, the best of the rounds; the ways take turns."""
    ways: dict[str, Callable[[], float]] = {
        "product": writing.product,
        "seed 000": writing.seed,
        "COPY": writing.copy,
    }
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            writing.empty()
            best[name] = min(best.get(name, float("inf")), way())
    return best


def rewrite(server: Bench, writing: Writing) -> dict[str, tuple[int, float, float]]:
    """Rows, seconds and MB of WAL of writing again, under a live index."""
    writing.empty()
    writing.product()
    writing.index()
    tenth = writing.rows // 10
    found = {}
    with psycopg.connect(server.owner, autocommit=True) as conn:
        for name, given in (
            ("a tenth, all of it new", writing.version(1, tenth)),
            ("a tenth, unchanged", writing.version(1, tenth)),
        ):
            before = wal_position(conn)
            seconds = writing.product(given)
            found[name] = (tenth, seconds, (wal_position(conn) - before) / 1e6)
    return found


@click.command()
@click.option("--rows", default=30_000, show_default=True)
@click.option("--rounds", default=4, show_default=True, help="The best of them counts.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here."
)
def main(rows: int, rounds: int, json_file: Path | None) -> None:
    """Measure writing vectors against the way of seed 000 and COPY BINARY, in one run on one server."""
    console = Console() if sys.stdout.isatty() else Console(width=110)
    figures: dict[str, object] = {}
    with bench() as server:
        for dimension in (384, 768):
            writing = Writing(server, rows, dimension)
            best = first_write(writing, rounds)
            table = Table(title=f"{rows:,} vectors of {dimension} into an empty partition")
            for heading in ("way", "seconds", "rows/s"):
                table.add_column(heading, justify="left" if heading == "way" else "right", no_wrap=True)
            for name, seconds in best.items():
                table.add_row(name, f"{seconds:.2f}", f"{rows / seconds:,.0f}")
            console.print(table)
            ratios = {f"of {name}": best[name] / best["product"] for name in ("seed 000", "COPY")}
            for name, ratio in ratios.items():
                missed = f", below the target of {TARGETS[name]:g}" if ratio < TARGETS[name] else ""
                console.print(f"  product: {ratio:.2f} {name}{missed}", style="bold red" if missed else None)
            again = rewrite(server, writing)
            for name, (count, seconds, wal) in again.items():
                console.print(
                    f"  under a live index, {name}: {count:,} rows in {seconds:.3f} s, {wal:.2f} MB of WAL"
                )
            figures[str(dimension)] = {"seconds": best, "ratios": ratios, "rewritten": again}
    if json_file:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1))


if __name__ == "__main__":
    main()
