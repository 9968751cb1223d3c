"""Dataset F beside pandas and DuckDB: all of F1 and F2, and one funnel, three ways, each in a process of its own.

`python -m benchmarks.datasets.events --events 5000000`. Each way makes every column of F1 and F2 (types in our words,
lateness, stitching, repeats, sessions with a day's cap and their ids, four rules for bots, pages, campaigns, orders and
revenue, stage, abandoned carts) and the members of a funnel of seven days by visitor, open ones among them. Left out
everywhere: reading, F3, `funnel_daily`, contracts, checks. pandas has money as doubles and seconds between steps as
columns. Both take an act from its first event, where the product merges all events of the act, and count an order once
for each of its events. Numbers of sessions and converted members must be equal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import polars as pl

from benchmarks.datasets.events_duckdb import duckdb_way
from benchmarks.datasets.events_pandas import pandas_way
from benchmarks.datasets.events_world import raw_events
from benchmarks.datasets.world import SCOPE
from benchmarks.ways import peak_memory
from cdp_assets.datasets.events.behaviour import counted
from cdp_assets.datasets.events.funnels import DEFAULTS, NEEDED, members
from cdp_assets.datasets.events.identity import stitch
from cdp_assets.datasets.events.summaries import enrich

MIB = 2**20
FUNNEL = DEFAULTS[1]
Found = tuple[dict[str, float], int, int]
"""Seconds of each part; sessions; converted members."""


def product(events: pl.DataFrame) -> Found:
    """As `build` does it."""
    began = perf_counter()
    enriched, sessions = enrich(SCOPE, stitch(events))
    middle = perf_counter()
    told = counted(enriched.lazy()).select(NEEDED).collect(engine="in-memory")
    found = members(FUNNEL, told, SCOPE.until)
    seconds = {"sessions": middle - began, "funnel": perf_counter() - middle}
    return seconds, sessions.height, found.filter(pl.col("state") == "completed").height


def pandas_timed(events: pl.DataFrame) -> Found:
    """Both parts in one."""
    frame = events.with_columns(pl.selectors.decimal().cast(pl.Float64)).to_pandas()
    del events
    began = perf_counter()
    found = pandas_way({"events": frame}, SCOPE)
    seconds = {"both": perf_counter() - began}
    return seconds, len(found["sessions"]), int((found["members"]["state"] == "completed").sum())


WAYS: dict[str, Callable[[pl.DataFrame], Found]] = {
    "product": product, "duckdb": lambda events: duckdb_way(events, SCOPE), "pandas": pandas_timed,
}  # fmt: skip


def _alone(name: str, path: Path, answer: Any) -> None:
    answer.put((*WAYS[name](pl.read_parquet(path)), peak_memory()))


@click.command()
@click.option("--events", "count", default=5_000_000, show_default=True)
def main(count: int) -> None:
    """Measure sessions and a funnel three ways, one after the other."""
    outcomes, totals = set(), {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        raw_events(count).write_parquet(path)
        for name in WAYS:
            context = get_context("spawn")
            answer = context.Queue()
            process = context.Process(target=_alone, args=(name, path, answer))
            process.start()
            seconds, sessions, done, peak = answer.get()
            process.join()
            outcomes.add((sessions, done))
            totals[name] = sum(seconds.values())
            parts = ", ".join(f"{part} {spent:.2f} s" for part, spent in seconds.items())
            click.echo(
                f"{name:8} {parts}; {count / totals[name]:,.0f} events/s, {peak / MIB:,.0f} MB; "
                f"{sessions:,} sessions, {done:,} converted"
            )
    for name in ("duckdb", "pandas"):
        click.echo(f"{totals[name] / totals['product']:.1f} times as long as the product: {name}")
    if len(outcomes) > 1:
        raise click.ClickException("the ways do not agree")


if __name__ == "__main__":
    main()
