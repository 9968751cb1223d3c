"""What assets, checks and sensors are handed: warehouse, the tenants' sources, embedders, dbt, artifacts, notifier.

Belongs here: opening and closing at the right moment. The things themselves know nothing of Dagster.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.embedding.providers.model import ModelSpec, Provider
from cdp_assets.environment import dbt_environment
from cdp_assets.modeling.outcome import failure_of
from cdp_assets.modeling.project import EXECUTABLE, PROJECT, parsed_for
from cdp_assets.notify import Notifier, notifier_of
from cdp_assets.settings import get_settings, secret
from cdp_assets.sources.factory import open_source
from cdp_assets.sources.model import Source, SourceRejected
from cdp_assets.sources.shop import ShopDatabase
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.migrate import HEAD
from cdp_assets.warehouse.server import EmbeddedServer
from cdp_assets.warehouse.tenants import Tenant, active_tenant

if TYPE_CHECKING:
    from dagster_dbt import DbtCliResource


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


@cache
def _dbt() -> DbtCliResource:
    """One per process: it asks dbt for its version once, which takes 2 s."""
    from dagster_dbt import DbtCliResource

    class WithoutAdapter(DbtCliResource):
        """Does not load dbt's macros into this process, too (1.5 s of each run): nothing here asks dbt for counts."""

        def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
            return None

    return WithoutAdapter(project_dir=str(PROJECT), profiles_dir=str(PROJECT), dbt_executable=EXECUTABLE)


class Transform:
    """Runs dbt in the warehouse, for one tenant at a time."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def build(self, context: dg.AssetExecutionContext, tenant: Tenant) -> Iterator[Any]:
        """`dbt build` of the selected assets for one tenant; yields Dagster's events.

        What dbt leaves on disk (3 MB per run) is removed, unless it failed.

        Raises:
            ProjectError: the dbt project does not parse.
            BuildFailed: a model or a test of severity error failed.
        """
        from dagster_dbt.errors import DagsterDbtCliRuntimeError

        settings = get_settings()
        with dbt_environment(settings, self._dsn, tenant.tenant_id, tenant.timezone):
            parsed_for(settings.dbt_target, self._dsn)
            # unit tests say something of the code and nothing of the rows: they belong to the project's own tests
            invocation = _dbt().cli(["build", "--exclude-resource-type", "unit_test"], context=context)
        try:
            yield from invocation.stream()
        except DagsterDbtCliRuntimeError as error:
            raise failure_of(invocation.target_path) or error from error
        shutil.rmtree(invocation.target_path)


class TransformResource(dg.ConfigurableResource[Transform]):
    """Hands out `Transform`. `dsn` is for tests; blank means the warehouse of the settings."""

    dsn: str = ""

    def create_resource(self, context: dg.InitResourceContext) -> Transform:
        """Nothing is started before a run asks for it."""
        return Transform(self.dsn or warehouse_dsn())


def open_artifacts() -> ArtifactStore:
    """The versions of datasets, where the settings say."""
    settings = get_settings()
    return ArtifactStore(settings.artifact_root or settings.data_dir / "ml")


class ArtifactsResource(dg.ConfigurableResource[ArtifactStore]):
    """Hands out the artifact store. `root` is for tests; blank means the settings."""

    root: str = ""

    def create_resource(self, context: dg.InitResourceContext) -> ArtifactStore:
        """Nothing is opened before a run asks for it."""
        return ArtifactStore(self.root) if self.root else open_artifacts()


class NotifierResource(dg.ConfigurableResource[Notifier]):
    """Hands out the notifier that the settings configure: log, Slack, mail."""

    def create_resource(self, context: dg.InitResourceContext) -> Notifier:
        """Build it from the settings."""
        return notifier_of(get_settings())
