"""Search measured per tenant: the product's function under row level security against an exact scan.

`python -m benchmarks.vector_search` fills eight tenants of skewed size on a server of its own, and prints recall@10,
rows and queries per second of both ways, asked in turn. See README.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import click
import msgspec
import numpy as np
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.vectors import ENTITY, Bench, batch, bench, key, mixture, scalar
from cdp_assets.embedding.providers.model import Vectors
from cdp_assets.embedding.store import INDEX_FROM, VectorStore

SHARES = (0.7, 0.15, 0.07, 0.04, 0.02, 0.01, 0.0075, 0.0025)
"""Of all vectors, by tenant."""
K = 10
ROUNDS = 5
MIN_RECALL, MIN_LARGEST, MIN_SMALLEST = 0.95, 100.0, 1.0

SEARCH = f"select entity_key from embedding.search('{ENTITY}', %(query)s::public.vector, {K})"
EXACT = (
    f"select entity_key from embedding.{ENTITY}_embedding where tenant_id = %(tenant)s and model_id = %(model)s "
    f"order by embedding operator(public.<=>) %(query)s::public.vector limit {K}"
)
"""Planned for the one partition, which no index ranks."""
ACTIVE = "select model_id from embedding.active_model"


@dataclass(frozen=True, slots=True)
class Found:
    """One tenant.

    Attributes:
        rows: the fewest that a search gave.
        search_ms, exact_ms: a query, the mean of the best round.
    """

    tenant: str
    vectors: int
    index_s: float | None
    recall: float
    rows: int
    search_ms: float
    exact_ms: float

    @property
    def ratio(self) -> float:
        """Queries per second of the search over those of the exact scan."""
        return self.exact_ms / self.search_ms


def measure(server: Bench, tenant: str, count: int, dimension: int, queries: int, seed: int) -> Found:
    """Fill one tenant and ask it both ways in turn."""
    drawn = mixture(count + queries, dimension, seed=seed)
    vectors, asked = drawn[:count], drawn[count:]
    model = server.register(tenant, dimension)
    index_s = None
    with server.warehouse.session(tenant) as session:
        store = VectorStore(session)
        for start in range(0, count, 20_000):
            store.write(batch(tenant, model, vectors[start : start + 20_000], start=start))
        began = perf_counter()
        if store.index(ENTITY, model):
            index_s = perf_counter() - began
    with psycopg.connect(server.owner, autocommit=True) as conn:
        conn.execute(f"vacuum (analyze) {server.leaf(tenant, model)}")
    with psycopg.connect(server.reader, autocommit=True) as conn:
        conn.execute("select set_config('app.tenant_id', %s, false)", (tenant,))

        def search(query: Vectors) -> list[str]:
            return [row[0] for row in conn.execute(SEARCH, {"query": str(query.tolist())})]

        def exact(query: Vectors) -> list[str]:
            # without the function, too, somebody must ask first which model serves
            bind = {"query": str(query.tolist()), "tenant": tenant, "model": scalar(conn, ACTIVE)}
            return [row[0] for row in conn.execute(EXACT, bind)]

        answers = [search(query) for query in asked]
        rounds: dict[Callable[[Vectors], list[str]], list[float]] = {search: [], exact: []}
        # All queries one way, then all the other: an exact scan drives the index out of the processor's cache.
        for _ in range(ROUNDS):
            for way, spent in rounds.items():
                began = perf_counter()
                for query in asked:
                    way(query)
                spent.append((perf_counter() - began) / len(asked) * 1e3)
    recall = np.mean(
        [len(set(found) & _true(query, vectors)) / K for found, query in zip(answers, asked, strict=True)]
    )
    rows = min(len(found) for found in answers)
    return Found(tenant, count, index_s, float(recall), rows, min(rounds[search]), min(rounds[exact]))


def _true(query: Vectors, vectors: Vectors) -> set[str]:
    return {key(int(row)) for row in np.argpartition(-(vectors @ query), K)[:K]}


def missed(found: list[Found]) -> list[str]:
    """Targets that were not reached."""
    misses = [f"{one.tenant}: recall {one.recall:.3f}" for one in found if one.recall < MIN_RECALL]
    misses += [f"{one.tenant}: {one.rows} rows of {K}" for one in found if one.rows < K]
    for one, wanted in ((found[0], MIN_LARGEST), (found[-1], MIN_SMALLEST)):
        if one.ratio < wanted:
            misses.append(f"{one.tenant}: {one.ratio:.2f} times the exact scan, wanted {wanted:g}")
    return misses


@click.command()
@click.option("--vectors", default=200_000, show_default=True, help="Of all tenants together.")
@click.option("--dimension", default=384, show_default=True)
@click.option(
    "--queries", default=50, show_default=True, help="By tenant; each is asked five times both ways."
)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here."
)
def main(vectors: int, dimension: int, queries: int, json_file: Path | None) -> None:
    """Measure search per tenant against the exact scan, in one run on one server."""
    console = Console() if sys.stdout.isatty() else Console(width=110)
    found = []
    with bench() as server:
        for number, share in enumerate(SHARES):
            one = measure(server, f"tenant-{number + 1}", round(vectors * share), dimension, queries, number)
            console.print(f"  {one.tenant}: {one.vectors:,} vectors, {one.search_ms:.2f} ms", style="dim")
            found.append(one)
    table = Table(title=f"{vectors:,} vectors of {dimension}, index from {INDEX_FROM:,}")
    for heading in ("tenant", "vectors", "index s", "recall@10", "rows", "queries/s", "exact/s", "of exact"):
        table.add_column(heading, justify="left" if heading == "tenant" else "right", no_wrap=True)
    for one in found:
        table.add_row(
            one.tenant,
            f"{one.vectors:,}",
            f"{one.index_s:.1f}" if one.index_s is not None else "",
            f"{one.recall:.3f}",
            f"{one.rows}",
            f"{1e3 / one.search_ms:,.0f}",
            f"{1e3 / one.exact_ms:,.0f}",
            f"{one.ratio:.1f}",
        )
    console.print(table)
    for miss in missed(found):
        console.print(f"  below target: {miss}", style="bold red")
    if json_file:
        json_file.write_bytes(
            msgspec.json.format(msgspec.json.encode([asdict(one) for one in found]), indent=1)
        )


if __name__ == "__main__":
    main()
