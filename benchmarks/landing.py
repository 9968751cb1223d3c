"""Landing measured side by side: the pipeline, the way of seed 000, and COPY BINARY as the limit.

`python -m benchmarks.landing` starts a server of its own in a temporary folder, makes every pass once, each in a
fresh process, and prints rates, ratios, write-ahead log, memory and where the time went. See README.md.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks import ways
from benchmarks.source import BenchmarkSource, generate
from benchmarks.ways import Measured
from cdp_assets.sources.model import CONVERSION, PROFILE
from cdp_assets.warehouse.migrate import migrate
from cdp_assets.warehouse.server import EmbeddedServer

MIB = 2**20
TARGETS = {
    ("first load", "c"): 0.5,
    ("first load", "b"): 2.0,
    ("nothing changed", "b"): 25.0,
    ("1 % changed", "b"): 15.0,
}
"""What must be reached of the rate of (b) or (c), by scenario."""

MAX_PEAK = 600 * MIB

Results = dict[str, Measured]


class Bench:
    """One server and one set of documents."""

    def __init__(self, server: EmbeddedServer, documents: Path, console: Console) -> None:
        self._owner = server.dsn()
        self._pipeline = server.dsn(user="cdp_pipeline")
        self._documents = documents
        self._console = console
        migrate(self._owner)
        with psycopg.connect(self._owner, autocommit=True) as conn:
            conn.execute("alter system set autovacuum = off")  # `settle` does it between the passes
            conn.execute("select pg_reload_conf()")
            conn.execute(ways.SEED_TABLES)

    def compare(self, collection: str) -> Results:
        """All passes over one collection."""
        folder = self._documents
        return {
            "a first load": self._pass(ways.pipeline, self._pipeline, folder, collection, "first"),
            "c first load": self._pass(ways.limit, self._owner, collection),
            "b first load": self._pass(ways.seed, self._owner, folder, collection, "first"),
            "a nothing changed": self._pass(ways.pipeline, self._pipeline, folder, collection, "first"),
            "a 1 % changed": self._pass(ways.pipeline, self._pipeline, folder, collection, "one_percent"),
            "a every _rev changed": self._pass(
                ways.pipeline, self._pipeline, folder, collection, "rewritten"
            ),
            "b every run": self._pass(ways.seed, self._owner, folder, collection, "rewritten"),
        }

    def _pass(self, way: Callable[..., Measured], *arguments: Any) -> Measured:
        with psycopg.connect(self._owner, autocommit=True) as conn:
            ways.settle(conn)
            before = ways.wal_position(conn)
            measured = in_process(way, *arguments)
            measured.wal = measured.wal or ways.wal_position(conn) - before
        name = " ".join(
            [way.__name__, *(part for part in arguments if isinstance(part, str) and "=" not in part)]
        )
        self._console.print(f"  {name}: {measured.seconds:.2f} s, {measured.rows:,} rows", style="dim")
        return measured


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result, from a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def ratios(results: Results) -> dict[str, dict[str, float]]:
    """Rate of (a) over the rates of (b) and (c), by scenario; (b) does the same work whatever has changed."""
    found = {}
    for name, measured in results.items():
        if name.startswith("a "):
            scenario = name[2:]
            seed = results["b first load" if scenario == "first load" else "b every run"]
            found[scenario] = {
                "b": measured.rate / seed.rate,
                "c": measured.rate / results["c first load"].rate,
            }
    return found


def missed(results: Results) -> list[str]:
    """Targets that were not reached."""
    found = ratios(results)
    misses = [
        f"{scenario}: {found[scenario][way]:.2f} times ({way}), wanted {wanted}"
        for (scenario, way), wanted in TARGETS.items()
        if found[scenario][way] < wanted
    ]
    misses += [
        f"{name[2:]}: peak memory {measured.peak / MIB:.0f} MB"
        for name, measured in results.items()
        if name.startswith("a ") and measured.peak > MAX_PEAK
    ]
    return misses


def report(console: Console, collection: str, size: tuple[int, int], results: Results) -> None:
    """Print what was measured for one collection."""
    count, octets = size
    table = Table(title=f"{collection}: {count:,} documents, {octets / max(count, 1) / 1000:.1f} kB each")
    table.add_column("pass", no_wrap=True)
    for heading in ("seconds", "documents/s", "of (b)", "of (c)", "rows", "WAL MB", "peak MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    shares = ratios(results)
    for name, measured in results.items():
        share = shares.get(name[2:]) if name.startswith("a ") else None
        table.add_row(
            f"({name[0]}) {name[2:]}",
            f"{measured.seconds:.2f}",
            f"{measured.rate:,.0f}",
            f"{share['b']:.1f}" if share else "",
            f"{share['c']:.2f}" if share else "",
            f"{measured.rows:,}",
            f"{measured.wal / 1e6:,.2f}",
            f"{measured.peak / MIB:.0f}",
        )
    console.print(table)
    for name, measured in results.items():
        if measured.phases:
            parts = sorted(measured.phases.items(), key=lambda item: -item[1])
            text = ", ".join(f"{phase} {seconds:.2f} s" for phase, seconds in parts if seconds >= 0.005)
            console.print(f"  {name[2:]}: {text}")
    for miss in missed(results):
        console.print(f"  below target: {miss}", style="bold red")


@click.command()
@click.option("--profiles", default=100_000, show_default=True, help="Profile documents, 5 to 10 KB each.")
@click.option("--edges", default=300_000, show_default=True, help="Conversion edges, 0.5 KB each.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here."
)
def main(profiles: int, edges: int, json_file: Path | None) -> None:
    """Measure landing against the way of seed 000 and against COPY BINARY, in one run on one server."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    console = Console() if sys.stdout.isatty() else Console(width=110)
    folder = Path(tempfile.mkdtemp(prefix="cdp-bench-"))
    server = EmbeddedServer(folder / "server")
    try:
        console.print(f"generating {profiles:,} profiles and {edges:,} edges", style="dim")
        in_process(_generate, folder / "documents", profiles, edges)
        bench = Bench(server.start(), folder / "documents", console)
        found = {collection: bench.compare(collection) for collection in (PROFILE, CONVERSION)}
        source = BenchmarkSource(folder / "documents", "first")
        for collection, results in found.items():
            report(console, collection, source.size(collection), results)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if json_file:
        figures = {
            collection: {
                "passes": {name: asdict(measured) for name, measured in results.items()},
                "ratios": ratios(results),
                "below_target": missed(results),
            }
            for collection, results in found.items()
        }
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _generate(folder: Path, profiles: int, edges: int) -> None:
    generate(folder, profiles=profiles, edges=edges)


if __name__ == "__main__":
    main()
