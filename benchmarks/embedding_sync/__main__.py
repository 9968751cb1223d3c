"""From documents to vectors, side by side: seed 000, CocoIndex, dlt, and the product.

`python -m benchmarks.embedding_sync` starts a server of its own in a temporary folder and prints seconds, ratios and
embedder calls. The peers are no dependencies of the project; they go beside its pins without changing one of them:

    pip install -c constraints.txt "cocoindex[postgres]==1.0.26" "dlt[postgres]==1.31.0" "pyarrow==26.0.1"

A way whose package is missing is left out.
"""

from __future__ import annotations

import json
import signal
import statistics
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table

from benchmarks.embedding_sync.compare import (
    FIRST,
    NOTHING,
    PHASES,
    TEXT,
    Contestant,
    Measured,
    Step,
    compare,
    write_steps,
)
from cdp_assets.warehouse.server import EmbeddedServer

WAYS = {
    "product": "benchmarks.embedding_sync.product:ProductWay",
    "seed": "benchmarks.embedding_sync.seed:SeedWay",
    "cocoindex": "benchmarks.embedding_sync.cocoindex_peer:CocoindexWay",
    "dlt": "benchmarks.embedding_sync.dlt_peer:DltWay",
}
"""Module and class of every way; a new one is one line here."""

TARGETS = {
    (FIRST, "cocoindex"): 5.0,
    (TEXT, "seed"): 30.0,
    (TEXT, "cocoindex"): 5.0,
    (NOTHING, "seed"): 100.0,
    (NOTHING, "cocoindex"): 10.0,
}
"""How many times faster than another way the product must be, by phase."""

Results = dict[str, dict[str, list[Measured]]]
"""By phase, by way, in the order of the rounds."""


def times(results: Results, phase: str, way: str, other: str) -> float:
    """How many times faster `way` is than `other`: the median of the rounds, each compared within itself."""
    pairs = zip(results[phase][other], results[phase][way], strict=True)
    return statistics.median(theirs.seconds / ours.seconds for theirs, ours in pairs)


def missed(results: Results) -> list[str]:
    """Targets that the product did not reach; none where it or the other way did not run."""
    found = []
    for (phase, other), wanted in TARGETS.items():
        if {"product", other} <= results[phase].keys():
            reached = times(results, phase, "product", other)
            if reached < wanted:
                found.append(f"{phase}: {reached:.1f} times {other}, wanted {wanted:.0f}")
    return found


def report(console: Console, title: str, results: Results) -> None:
    """Print medians, and ratios to seed 000 (without it, to the first way)."""
    base = "seed" if "seed" in results[FIRST] else next(iter(results[FIRST]))
    table = Table(title=title)
    for heading in ("phase", "way"):
        table.add_column(heading, no_wrap=True)
    for heading in ("seconds", f"times {base}", "texts", "calls", "embedder s", "WAL MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for phase in PHASES:
        for way, runs in results[phase].items():
            table.add_row(
                phase,
                way,
                f"{statistics.median(run.seconds for run in runs):.3f}",
                f"{times(results, phase, way, base):.2f}",
                f"{runs[-1].texts:,}",
                f"{runs[-1].calls:,}",
                f"{statistics.median(run.embedding for run in runs):.2f}",
                f"{statistics.median(run.wal for run in runs) / 1e6:.2f}",
            )
        table.add_section()
    console.print(table)
    for miss in missed(results):
        console.print(f"  below target: {miss}", style="bold red")


def _contestants(
    server: EmbeddedServer, folder: Path, names: tuple[str, ...], console: Console
) -> list[Contestant]:
    found = []
    for name in names:
        try:
            found.append(Contestant(server, folder / name, name, WAYS[name]))
        except ModuleNotFoundError as error:
            console.print(
                f"  {name} is left out ({error}); its packages: see benchmarks/embedding_sync/__main__.py"
            )
    return found


def _measure(contestants: list[Contestant], steps: list[Step], console: Console) -> Results:
    results: Results = {phase: {contestant.name: [] for contestant in contestants} for phase in PHASES}
    for phase, way, measured in compare(contestants, steps):
        results[phase][way].append(measured)
        console.print(f"  {phase}, {way}: {measured.seconds:.3f} s, {measured.texts:,} texts", style="dim")
    return results


@click.command()
@click.option("--documents", default=5_000, show_default=True, help="Profiles and products, four to one.")
@click.option(
    "--rounds", default=3, show_default=True, help="How often the three phases after the first are made."
)
@click.option(
    "--way", "ways", multiple=True, type=click.Choice(list(WAYS)), help="Only these ways, in this order."
)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here."
)
def main(documents: int, rounds: int, ways: tuple[str, ...], json_file: Path | None) -> None:
    """Measure every way from the same documents to the same number of vectors, in one run on one server."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    console = Console() if sys.stdout.isatty() else Console(width=110)
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(TemporaryDirectory(prefix="cdp-bench-", ignore_cleanup_errors=True))
        )
        server = EmbeddedServer(folder / "server").start()
        stack.callback(server.stop)
        console.print(f"writing {documents:,} documents in {1 + 2 * rounds} states", style="dim")
        steps = write_steps(folder / "documents", documents, rounds)
        contestants = _contestants(server, folder / "ways", ways or tuple(WAYS), console)
        for contestant in contestants:
            stack.callback(contestant.close)
        results = _measure(contestants, steps, console)
    report(console, f"{documents:,} documents to vectors, medians of {rounds}", results)
    if json_file:
        runs = {
            phase: {way: [asdict(run) for run in measured] for way, measured in found.items()}
            for phase, found in results.items()
        }
        figures = {"runs": runs, "below_target": missed(results)}
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
