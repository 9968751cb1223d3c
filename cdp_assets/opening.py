"""Opening what the settings and registrations name: warehouse, the tenants' sources, embedders, artifacts.

Belongs here: what the command line and Dagster's resources both open. Knows nothing of Dagster, so that a command need
not import it. Closing is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.embedding.providers.model import ModelSpec, Provider
from cdp_assets.environment import embedded_server
from cdp_assets.settings import get_settings, secret
from cdp_assets.sources.factory import open_source
from cdp_assets.sources.model import Source, SourceRejected
from cdp_assets.sources.shop import ShopDatabase
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.migrate import HEAD
from cdp_assets.warehouse.tenants import Tenant, active_tenant


def warehouse_dsn() -> str:
    """The warehouse of the settings as role cdp_pipeline.

    Raises:
        WarehouseError: the settings name the embedded server, and it does not run. To look at a warehouse never starts
            or makes one.
    """
    settings = get_settings()
    if settings.warehouse_dsn is not None:
        return settings.warehouse_dsn.get_secret_value()
    return embedded_server(settings).require_running().dsn(user="cdp_pipeline")


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


def open_artifacts() -> ArtifactStore:
    """The versions of datasets, where the settings say."""
    settings = get_settings()
    return ArtifactStore(settings.artifact_root or settings.data_dir / "ml")


class Sources:
    """Opens the sources of a tenant: LEO CDP and the shop database."""

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

    def shop(self, tenant: Tenant) -> ShopDatabase:
        """The tenant's shop database; no connection is made yet.

        Raises:
            SourceRejected: the tenant has none, or its registration cannot be used.
        """
        if tenant.shop is None:
            raise SourceRejected(
                f"tenant {tenant.tenant_id} has no shop: register one with `cdp tenants add --shop-dsn`"
            )
        return ShopDatabase(tenant.shop, secret=secret, timeout_s=get_settings().statement_timeout_s)


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
