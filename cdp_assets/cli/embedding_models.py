"""`cdp embedding models`: how one model takes over from another while searches go on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cdp_assets.cli.tenants import TENANT
from cdp_assets.cli.terminal import err, out, table
from cdp_assets.embedding import models as registry_of_models
from cdp_assets.embedding import queue
from cdp_assets.embedding.compare import Side
from cdp_assets.embedding.compare import compare as compare_models
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.service import Service, Turn
from cdp_assets.embedding.worker import Patience
from cdp_assets.opening import Embedders, open_warehouse
from cdp_assets.settings import get_settings
from cdp_assets.warehouse import tenants as registry

if TYPE_CHECKING:
    from cdp_assets.warehouse.connection import Warehouse

ONE_TENANT = click.option("--tenant", "tenant_id", type=TENANT, required=True, help="Whose models.")
MODEL = click.argument("model_id", metavar="MODEL")


@click.group()
def models() -> None:
    """Register, fill, compare, activate, take back and drop the models of a tenant.

    \b
    A new model takes over without a gap:
      cdp embedding models add --tenant mycompany --provider sentence-transformers
      cdp embedding models fill NEW --tenant mycompany         beside the one that serves
      cdp embedding models compare OLD NEW --tenant mycompany
      cdp embedding models activate NEW --tenant mycompany     from the next search on
      cdp embedding models rollback --tenant mycompany         at once, if people like it less
    """  # noqa: D301 - click wants the character \b itself


@models.command("list")
@ONE_TENANT
def list_(tenant_id: str) -> None:
    """List a tenant's models, the one that serves first.

    active: serves searches. previous: served before, `rollback` brings it back. shadow: kept in step only.
    """
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        with warehouse.tenant(tenant_id) as conn:
            found = registry_of_models.registered(conn, tenant_id)
            standing = registry_of_models.standing(conn, tenant_id)
    rows = []
    for model in found:
        entities = standing.get(model.model_id, {}).values()
        rows.append((
            model.model_id, model.role, model.provider, model.name, model.revision[:12] or None, model.dimension,
            sum(each.texts for each in entities), sum(each.current for each in entities), model.created_at,
        ))  # fmt: skip
    table(
        tenant_id,
        ("model", "role", "provider", "name", "revision", "dimension", "texts", "with vector", "registered"),
        rows,
        numeric=("dimension", "texts", "with vector"),
    )


@models.command()
@ONE_TENANT
@click.option(
    "--provider",
    type=click.Choice(["bundled", "sentence-transformers", "openai", "vertex", "placeholder"]),
    help="Who embeds; CDP_EMBEDDING_PROVIDER when left out.",
)
@click.option(
    "--model-id", "name", help="Model as the provider knows it; the provider's default when left out."
)
@click.option("--revision", help="Branch, tag or commit of a hub model.")
def add(tenant_id: str, provider: str | None, name: str | None, revision: str | None) -> None:
    """Register a model and put every text in its queue; it does not serve yet.

    Without options the model of the settings. The first model of a tenant comes by itself with its first vectors.
    """
    from cdp_assets.embedding.providers.factory import spec_of

    settings = get_settings()
    chosen = {"embedding_provider": provider, "embed_model_id": name, "embed_model_revision": revision}
    if provider not in {None, settings.embedding_provider}:
        # name and revision of the settings are those of the settings' provider
        chosen = {field: value or "" for field, value in chosen.items()}
    given = {field: value for field, value in chosen.items() if value is not None}
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        with err.status("looking the model up"):
            spec = spec_of(settings.model_copy(update=given))
        with warehouse.tenant(tenant_id) as conn:
            model_id = registry_of_models.add(conn, tenant_id, spec)
            waiting = sum(
                each.ready + each.waiting
                for each in queue.backlog(conn, tenant_id)
                if each.model_id == model_id
            )
    out.print(f"{model_id} is registered; {waiting:,} texts wait for it")
    out.print(f"  cdp embedding models fill {model_id} --tenant {tenant_id}", soft_wrap=True)


@models.command()
@ONE_TENANT
@MODEL
def fill(tenant_id: str, model_id: str) -> None:
    """Make the vectors that MODEL lacks, beside the one that serves; can be stopped and begun again at any time.

    Every text is compared with its vector first, so this also mends what was changed while triggers were off.
    """
    with open_warehouse() as warehouse, closing(Embedders()) as embedders:
        registry.active_tenant(warehouse, tenant_id)
        with err.status("comparing texts with vectors"), warehouse.tenant(tenant_id) as conn:
            registry_of_models.model_of(conn, tenant_id, model_id)
            for entity in ENTITIES:
                queue.enqueue(conn, entity, model_id=model_id)
            backlog = [each for each in queue.backlog(conn, tenant_id) if each.model_id == model_id]
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=err) as progress:
            bar = progress.add_task(tenant_id, total=sum(each.ready for each in backlog))

            def advance(turn: Turn) -> None:
                progress.update(bar, description=f"{tenant_id} {turn.entity}", advance=turn.done)

            service = Service(
                warehouse,
                embedders.of,
                tenants=(tenant_id,),
                model_id=model_id,
                patience=Patience(),
                report=advance,
            )
            service.drain()
        _say_filled(warehouse, tenant_id, model_id)
    for problem in service.problems.values():
        raise problem


def _say_filled(warehouse: Warehouse, tenant_id: str, model_id: str) -> None:
    with warehouse.tenant(tenant_id) as conn:
        found = registry_of_models.standing(conn, tenant_id).get(model_id, {}).values()
    texts, current, dead = (
        sum(getattr(each, name) for each in found) for name in ("texts", "current", "dead")
    )
    out.print(f"{model_id}: {current:,} of {texts:,} texts have their vector, {dead:,} were given up")
    if texts - current > dead:
        out.print(
            "The others are held by another worker, or put off after a failure; `cdp embedding status` shows them"
        )


@models.command()
@ONE_TENANT
@click.argument("first", metavar="MODEL")
@click.argument("second", metavar="OTHER")
def compare(tenant_id: str, first: str, second: str) -> None:
    """Compare two models of a tenant: coverage, norms, mean similarity, neighbours.

    same neighbours: mean share of a text's nearest ten that both models agree on, among up to 5,000 sampled texts.
    similarity: mean cosine of all pairs of these texts; near 1 a model tells them poorly apart.
    """
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        with err.status("comparing"), warehouse.tenant(tenant_id) as conn:
            found = compare_models(conn, tenant_id, first, second)
            pair = [registry_of_models.model_of(conn, tenant_id, model_id) for model_id in (first, second)]
    table(
        "",
        ("model", "role", "name", "revision", "dimension"),
        [(each.model_id, each.role, each.name, each.revision[:12] or None, each.dimension) for each in pair],
        numeric=("dimension",),
    )
    table(
        "each cell: MODEL | OTHER",
        ("entity", "texts", "with vector", "norms", "similarity", "compared", "same neighbours"),
        [
            (each.entity, each.first.coverage.texts, _both(each.first, each.second, _covered),
             _both(each.first, each.second, _norms), _both(each.first, each.second, _similarity), each.texts,
             None if each.overlap is None else f"{each.overlap:.2f}")
            for each in found
        ],
        numeric=("texts", "compared", "same neighbours"),
    )  # fmt: skip


def _both(first: Side, second: Side, show: Callable[[Side], str]) -> str:
    return f"{show(first)} | {show(second)}"


def _covered(side: Side) -> str:
    return f"{side.coverage.current:,}"


def _norms(side: Side) -> str:
    return "-" if side.norm_min is None else f"{side.norm_min:.4f} to {side.norm_max:.4f}"


def _similarity(side: Side) -> str:
    return "-" if side.similarity is None else f"{side.similarity:.3f}"


@models.command()
@ONE_TENANT
@MODEL
@click.option("--allow-incomplete", is_flag=True, help="Although texts have no vector of it yet.")
def activate(tenant_id: str, model_id: str, allow_incomplete: bool) -> None:
    """Let MODEL serve from the next search on. The one before is kept in step, for `rollback`."""
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        with warehouse.tenant(tenant_id) as conn:
            registry_of_models.activate(conn, tenant_id, model_id, allow_incomplete=allow_incomplete)
    out.print(f"{model_id} serves {tenant_id}")


@models.command()
@ONE_TENANT
def rollback(tenant_id: str) -> None:
    """Let the model before serve again, from the next search on. Done twice, it changes nothing."""
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        with warehouse.tenant(tenant_id) as conn:
            model_id = registry_of_models.rollback(conn, tenant_id)
    out.print(f"{model_id} serves {tenant_id}")


@models.command()
@ONE_TENANT
@MODEL
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(tenant_id: str, model_id: str, yes: bool) -> None:
    """Remove MODEL with all its vectors. The one that serves cannot be dropped."""
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        if not yes:
            click.confirm(f"Drop {model_id} and all its vectors of {tenant_id}?", abort=True)
        with warehouse.tenant(tenant_id) as conn:
            registry_of_models.drop(conn, tenant_id, model_id)
    out.print(f"{model_id} is dropped")
