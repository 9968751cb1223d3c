"""`cdp search` and `cdp lookalike`: ask the vectors of a tenant."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cdp_assets.cli.tenants import TENANT
from cdp_assets.cli.terminal import out, table
from cdp_assets.embedding import search as finder
from cdp_assets.embedding.entities import ENTITIES, PRODUCT, PROFILE
from cdp_assets.embedding.providers.factory import open_spec
from cdp_assets.opening import open_warehouse
from cdp_assets.settings import get_settings
from cdp_assets.warehouse import tenants as registry

K = click.IntRange(1, 10_000)


@click.command()
@click.argument("text")
@click.option("--tenant", "tenant_id", type=TENANT, required=True, help="Whose rows are searched.")
@click.option(
    "--entity",
    type=click.Choice(list(ENTITIES)),
    default=PRODUCT.name,
    show_default=True,
    help="What to find.",
)
@click.option("--k", type=K, default=10, show_default=True, help="How many to find.")
def search(text: str, tenant_id: str, entity: str, k: int) -> None:
    """Find the rows whose texts are nearest in meaning to TEXT, in any language that the model knows.

    \b
    cdp search "giày chạy bộ màu đỏ" --tenant acme-demo --entity product
    cdp search "delivery took too long" --tenant acme-demo --entity review --k 5

    The score is the cosine: 1 is the same meaning. The model that serves the tenant embeds TEXT as well.
    """  # noqa: D301 - click wants the character \b itself
    settings = get_settings()
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        found = finder.search(warehouse, tenant_id, lambda spec: open_spec(spec, settings), text, entity, k)
    _show(found, entity)


@click.command()
@click.option("--tenant", "tenant_id", type=TENANT, required=True, help="Whose profiles are searched.")
@click.option("--profile", metavar="KEY", help="Profiles like this one.")
@click.option("--segment", metavar="ID", help="Profiles like the members of this segment.")
@click.option("--k", type=K, default=100, show_default=True, help="How many to find.")
def lookalike(tenant_id: str, profile: str | None, segment: str | None, k: int) -> None:
    """Find the profiles that are most like one profile, or like the centre of a segment's members.

    The profile itself, or the members, are left out. The score is the cosine: 1 is the same interests.
    """
    if (profile is None) == (segment is None):
        raise click.UsageError("give either --profile or --segment")
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        found = finder.lookalike(warehouse, tenant_id, profile=profile, segment=segment, k=k)
    _show(found, PROFILE.name)


def _show(found: Sequence[finder.Hit], entity: str) -> None:
    if not found:
        out.print(f"nothing found: no {entity} has a vector yet (`cdp embedding status`)")
        return
    table(
        f"by model {found[0].model_id}",
        ("", "score", entity, "what it is"),
        [(place, f"{hit.score:.3f}", hit.entity_key, hit.label) for place, hit in enumerate(found, 1)],
        numeric=("", "score"),
    )
