"""`cdp embedding`: how far the vectors are, the long-lived worker, texts that were given up."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import closing

import click

from cdp_assets.cli.embedding_models import models as models_group
from cdp_assets.cli.tenants import TENANT
from cdp_assets.cli.terminal import ago, err, out, table
from cdp_assets.embedding import models, queue
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.embedding.service import Service
from cdp_assets.embedding.worker import Patience
from cdp_assets.opening import Embedders, open_warehouse
from cdp_assets.warehouse import tenants as registry
from cdp_assets.warehouse.connection import Warehouse

_log = logging.getLogger(__name__)

ENTITY = click.Choice(list(ENTITIES))


@click.group()
def embedding() -> None:
    """See and run what turns texts into vectors: queue, worker, models."""


embedding.add_command(models_group)


@embedding.command()
@click.option("--tenant", "tenant_id", type=TENANT, help="One tenant only.")
def status(tenant_id: str | None) -> None:
    """Show per tenant, model and entity how many texts have their vector, and what waits.

    ready: may be taken by a worker now. waiting: held by one, or put off after a failure. given up: dead letters.
    oldest: how long the first of the open ones has waited.
    """
    with open_warehouse() as warehouse:
        chosen = (
            [registry.get_tenant(warehouse, tenant_id)] if tenant_id else registry.list_tenants(warehouse)
        )
        for tenant in chosen:
            table(
                f"{tenant.tenant_id} ({tenant.status})",
                (
                    "model",
                    "role",
                    "entity",
                    "texts",
                    "with vector",
                    "%",
                    "ready",
                    "waiting",
                    "given up",
                    "oldest",
                ),
                _rows(warehouse, tenant.tenant_id),
                numeric=("texts", "with vector", "%", "ready", "waiting", "given up"),
            )
    if not chosen:
        table("no tenant is registered: `cdp tenants add`, or `cdp pipeline` for the demo", ("tenant",), [])


def _rows(warehouse: Warehouse, tenant_id: str) -> list[tuple[object, ...]]:
    with warehouse.tenant(tenant_id) as conn:
        standing = models.standing(conn, tenant_id)
        backlog = {(each.model_id, each.entity): each for each in queue.backlog(conn, tenant_id)}
        registered = models.registered(conn, tenant_id)
    rows: list[tuple[object, ...]] = []
    for model in registered:
        for entity, found in standing.get(model.model_id, {}).items():
            jobs = backlog.get((model.model_id, entity))
            rows.append((
                model.model_id, model.role, entity, found.texts, found.current,
                100.0 * found.current / found.texts if found.texts else None,
                jobs.ready if jobs else 0, jobs.waiting if jobs else 0, jobs.dead if jobs else 0,
                ago(jobs.oldest) if jobs and jobs.oldest else None,
            ))  # fmt: skip
    return rows


@embedding.command()
@click.option(
    "--tenant", "tenant_ids", type=TENANT, multiple=True, help="These tenants only; repeat for several."
)
@click.option("--once", is_flag=True, help="Stop when nothing is ready any more.")
def worker(tenant_ids: tuple[str, ...], once: bool) -> None:
    """Embed what changes, as soon as it changes, for all tenants in turn. Runs until SIGTERM or Ctrl-C.

    Several workers share the queue, on one machine or on many. A worker that dies loses nothing: others take its
    texts a minute later. A provider that fails is waited for. With --once, exit code 1 when a provider failed.
    """
    _log_to_terminal()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_warehouse() as warehouse, closing(Embedders()) as embedders:
        for tenant_id in tenant_ids:
            registry.active_tenant(warehouse, tenant_id)
        service = Service(warehouse, embedders.of, tenants=tenant_ids, stop=stop)
        _log.info("working for %s", ", ".join(tenant_ids) or "all active tenants")
        if once:
            service.patience = Patience()
            service.drain()
            for problem in service.problems.values():
                raise problem
        else:
            service.run()
        _log.info("stopped; what was not finished is back in the queue")


def _log_to_terminal() -> None:
    from rich.logging import RichHandler

    if err.is_terminal:
        handler: logging.Handler = RichHandler(console=err, show_path=False)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ours = logging.getLogger("cdp_assets")
    ours.setLevel(logging.INFO)
    ours.handlers = [handler]


@embedding.group("dead-letters")
def dead_letters() -> None:
    """List texts that were given up, and try them again."""


@dead_letters.command("list")
@click.option("--tenant", "tenant_id", type=TENANT, required=True)
@click.option("--entity", type=ENTITY, help="One entity only.")
@click.option("--key", help="One row only.")
@click.option("--limit", default=50, show_default=True, help="Entries shown.")
def list_(tenant_id: str, entity: str | None, key: str | None, limit: int) -> None:
    """List texts that no vector could be made of, the latest first, with the reason."""
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        with warehouse.tenant(tenant_id) as conn:
            found = queue.dead_letters(conn, tenant_id, entity=entity, key=key, limit=limit)
    table(
        f"{tenant_id}: {len(found)} given up" + (f" (the latest {limit})" if len(found) == limit else ""),
        ("model", "entity", "key", "attempts", "given up", "reason"),
        [
            (each.model_id, each.entity, each.entity_key, each.attempts, each.dead_at, each.error)
            for each in found
        ],
        numeric=("attempts",),
    )


@dead_letters.command()
@click.option("--tenant", "tenant_id", type=TENANT, required=True)
@click.option("--entity", type=ENTITY, help="One entity only.")
@click.option("--key", help="One row only.")
def replay(tenant_id: str, entity: str | None, key: str | None) -> None:
    """Put texts that were given up back into the queue. A text that changes comes back by itself."""
    with open_warehouse() as warehouse:
        registry.get_tenant(warehouse, tenant_id)
        with warehouse.tenant(tenant_id) as conn:
            count = queue.replay(conn, tenant_id, entity=entity, key=key)
    out.print(f"{count:,} back in the queue")
