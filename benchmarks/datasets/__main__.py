"""`python -m benchmarks.datasets`: each dataset's build beside pandas, each in a process of its own.

Belongs here: running and printing. Frames are made once (`world`) and read by each process before its clock starts.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.datasets.ways import FOLDERS, Figure, alone, pandas, product
from benchmarks.datasets.world import frames

TARGET = 5.0

WAYS = {way.__name__: way for way in (product, pandas)}


@click.command()
@click.option("--purchases", default=1_000_000, show_default=True)
@click.option("--events", default=5_000_000, show_default=True)
@click.option("--only", default="".join(FOLDERS), show_default=True, help="Letters of the datasets.")
@click.option(
    "--way", "ways", multiple=True, type=click.Choice(list(WAYS)), default=list(WAYS), help="One or both."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures here.")
def main(purchases: int, events: int, only: str, ways: tuple[str, ...], json_file: Path | None) -> None:
    """Measure the build of each dataset against pandas, side by side in one run."""
    console = Console()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for frame_name, frame in frames(purchases, events).items():
            frame.write_parquet(folder / f"{frame_name}.parquet")
        for letter in only:
            for way in ways:
                figures.append(alone(WAYS[way], folder, letter))
                console.print(
                    f"  {letter} {figures[-1].way}: {figures[-1].seconds:.2f} s, {figures[-1].peak_mb:,} MB"
                )
    _show(console, figures, purchases, events)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


def _show(console: Console, figures: list[Figure], purchases: int, events: int) -> None:
    table = Table(title=f"{purchases:,} purchased lines, {events:,} events")
    for column in ("dataset", "way", "seconds", "rows in", "rows in / s", "rows out", "peak MB"):
        table.add_column(column, justify="left" if column in {"dataset", "way"} else "right")
    for each in figures:
        table.add_row(
            each.dataset, each.way, f"{each.seconds:.2f}", f"{each.rows_in:,}", f"{each.rows_in / each.seconds:,.0f}",
            f"{each.rows_out:,}", f"{each.peak_mb:,}",
        )  # fmt: skip
    console.print(table)
    by_way = {(each.dataset, each.way): each.seconds for each in figures}
    for letter in dict.fromkeys(each.dataset for each in figures):
        if {(letter, way) for way in WAYS} <= set(by_way):
            ratio = by_way[letter, "pandas"] / by_way[letter, "product"]
            console.print(
                f"  {letter}: {ratio:.1f} times pandas" + ("" if ratio >= TARGET else f", wanted {TARGET}")
            )


if __name__ == "__main__":
    main()
