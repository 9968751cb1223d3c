"""What assets, checks and sensors are handed: the warehouse, the tenants' sources, the embedders, the notifier.

Belongs here: opening and closing at the right moment. The things themselves know nothing of Dagster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import dagster as dg

from cdp_assets.embedding.providers.model import ModelSpec, Provider
from cdp_assets.notify import Notifier, notifier_of
from cdp_assets.settings import get_settings, secret
from cdp_assets.sources.factory import open_source
from cdp_assets.sources.model import Source
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.migrate import HEAD
from cdp_assets.warehouse.server import EmbeddedServer
from cdp_assets.warehouse.tenants import Tenant, active_tenant


def warehouse_dsn() -> str:
    """The warehouse of the settings as role cdp_pipeline; starts the embedded server when that is what they name."""
    settings = get_settings()
    if settings.warehouse_dsn is not None:
        return settings.warehouse_dsn.get_secret_value()
    return EmbeddedServer(settings.data_dir / "postgres").dsn(user="cdp_pipeline")


def open_warehouse(dsn: str | None = None) -> Warehouse:
    """Open and check the warehouse.

    Raises:
        WarehouseError: it cannot be used; the message says why and what to do.
    """
    settings = get_settings()
    warehouse = Warehouse(
        dsn or warehouse_dsn(), statement_timeout_s=settings.statement_timeout_s, pool_size=settings.pool_size
    )
    warehouse.require_ready(HEAD)
    return warehouse


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Hands out one `Warehouse` per process. `dsn` is for tests; blank means the settings."""

    dsn: str = ""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Warehouse]:
        """Open, check, hand out, close."""
        with open_warehouse(self.dsn or None) as warehouse:
            yield warehouse


class Sources:
    """Opens the LEO source of a tenant."""

    @contextmanager
    def open(self, tenant: Tenant) -> Iterator[Source]:
        """A source that is closed again at the end.

        Raises:
            SourceError: the registration or the source is unfit.
        """
        settings = get_settings()
        source = open_source(
            tenant.source_kind,
            tenant.source,
            secret=secret,
            timeout_s=settings.arango_timeout_s,
            page_size=settings.arango_page_size,
        )
        try:
            yield source
        finally:
            source.close()

    @contextmanager
    def of(self, warehouse: Warehouse, tenant_id: str) -> Iterator[tuple[Tenant, Source]]:
        """An active tenant and its source.

        Raises:
            TenantError: unknown or suspended.
            SourceError: the registration or the source is unfit.
        """
        tenant = active_tenant(warehouse, tenant_id)
        with self.open(tenant) as source:
            yield tenant, source


class SourcesResource(dg.ConfigurableResource[Sources]):
    """Hands out `Sources`."""

    def create_resource(self, context: dg.InitResourceContext) -> Sources:
        """Nothing is opened before a tenant is named."""
        return Sources()


class Embedders:
    """Opens the providers of models, each once per process: a local model takes a second to load."""

    def __init__(self) -> None:
        self._open: dict[str, Provider] = {}

    def configured(self) -> ModelSpec:
        """The model that the settings name, for tenants that have none yet.

        Raises:
            ProviderMisconfigured: there is no such model, or its dimension is not the configured one.
        """
        from cdp_assets.embedding.providers.factory import spec_of

        return spec_of(get_settings())

    def of(self, spec: ModelSpec) -> Provider:
        """The provider of a registered model.

        Raises:
            ProviderError: it cannot be opened, or is not what was registered any more.
        """
        from cdp_assets.embedding.providers.factory import open_spec

        if spec.model_id not in self._open:
            self._open[spec.model_id] = open_spec(spec, get_settings())
        return self._open[spec.model_id]

    def close(self) -> None:
        """Close what was opened."""
        while self._open:
            self._open.popitem()[1].close()


class EmbeddersResource(dg.ConfigurableResource[Embedders]):
    """Hands out one `Embedders` per process."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Embedders]:
        """Nothing is loaded before a model is asked for."""
        with closing(Embedders()) as embedders:
            yield embedders


class NotifierResource(dg.ConfigurableResource[Notifier]):
    """Hands out the notifier that the settings configure: log, Slack, mail."""

    def create_resource(self, context: dg.InitResourceContext) -> Notifier:
        """Build it from the settings."""
        return notifier_of(get_settings())
