"""`cdp demo`: the synthetic world."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdp_assets.cli.terminal import out, table
from cdp_assets.settings import get_settings

if TYPE_CHECKING:
    from cdp_assets.demo import WorldSummary

FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the world; <data dir>/demo when left out.",
)


@click.group()
def demo() -> None:
    """Generate a world of three tenants as LEO dumps, and move it on by a day."""


@demo.command()
@FOLDER
@click.option("--size", type=click.Choice(["tiny", "small", "medium"]), default="small", show_default=True)
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same bytes.")
def generate(folder: Path | None, size: str, seed: int) -> None:
    """Write the world's first state, and the ledger of every planted defect beside it."""
    from cdp_assets.demo import generate as write

    show(write(folder or demo_folder(), size=size, seed=seed))


@demo.command()
@FOLDER
def advance(folder: Path | None) -> None:
    """Move the world on by one day: late imports, silent changes, deletes, merges, rewrites of nothing."""
    from cdp_assets.demo import advance as move

    show(move(folder or demo_folder()))


def demo_folder() -> Path:
    """Where the demo world lies."""
    return get_settings().data_dir / "demo"


def show(summary: WorldSummary) -> None:
    """Print what was written."""
    table(
        f"demo world in {summary.folder}: size {summary.size}, seed {summary.seed}, day {summary.step}",
        ("tenant", "collection", "documents"),
        [
            (tenant, name, count)
            for tenant, counts in summary.documents.items()
            for name, count in counts.items()
        ],
        numeric=("documents",),
    )
    out.print(
        f"{summary.defects} planted defects, {summary.changes} documents written or removed by the last step"
    )
