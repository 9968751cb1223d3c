"""`cdp demo`: the synthetic world."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdp_assets.cli.terminal import err, out, table
from cdp_assets.environment import embedded_server
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
    """Write the world's first state, and the ledger of every planted defect beside it.

    Without --folder, the shops' databases on the embedded server are brought to that state as well.
    """
    from cdp_assets.demo import generate as write

    show(write(folder or demo_folder(), size=size, seed=seed))
    if folder is None:
        move_shops()


@demo.command()
@FOLDER
def advance(folder: Path | None) -> None:
    """Move the world on by one day: late imports, silent changes, deletes, merges, rewrites of nothing.

    Without --folder, the shops' databases on the embedded server live through the same day.
    """
    from cdp_assets.demo import advance as move

    show(move(folder or demo_folder()))
    if folder is None:
        move_shops()


def demo_folder() -> Path:
    """Where the demo world lies."""
    return get_settings().data_dir / "demo"


def move_shops() -> dict[str, dict[str, str]]:
    """Bring the shop database of each tenant to the day of the demo world; they lie on the embedded server.

    Returns:
        Tenant -> its shop as `ops.tenant.shop` holds it; empty where the warehouse is a server of one's own.
    """
    from cdp_assets.demo import put_shops, shop_database_name, world_in

    settings = get_settings()
    if not settings.embedded:
        return {}
    server = embedded_server(settings).start()
    world = world_in(demo_folder())
    for tenant_id, changes in put_shops(server.dsn, world.tenants.values()).items():
        if changes.inserted or changes.updated or changes.deleted:
            err.print(
                f"{tenant_id}: {changes.inserted:,} rows inserted into its shop, {changes.updated:,} updated, "
                f"{changes.deleted:,} deleted"
            )
    return {
        tenant_id: {
            "dsn": server.dsn(shop_database_name(tenant_id), user="shop_reader"),
            "timezone": tenant.spec.timezone,
        }
        for tenant_id, tenant in world.tenants.items()
    }


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
