"""What assets, checks and sensors are handed: warehouse, the tenants' sources, embedders, dbt, artifacts, notifier.

Belongs here: opening and closing at the moment that Dagster says. How each is opened is in `opening`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache, cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import dagster as dg
from packaging.version import Version

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.environment import dbt_environment
from cdp_assets.modeling.outcome import failure_of
from cdp_assets.modeling.project import EXECUTABLE, PROJECT, parsed_for
from cdp_assets.notify import Notifier, notifier_of
from cdp_assets.opening import Embedders, Sources, open_artifacts, open_warehouse, warehouse_dsn
from cdp_assets.settings import get_settings
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant

if TYPE_CHECKING:
    from dagster_dbt import DbtCliResource


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Hands out one `Warehouse` per process. `dsn` is for tests; blank means the settings."""

    dsn: str = ""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Warehouse]:
        """Open, check, hand out, close."""
        with open_warehouse(self.dsn or None) as warehouse:
            yield warehouse


class SourcesResource(dg.ConfigurableResource[Sources]):
    """Hands out `Sources`."""

    def create_resource(self, context: dg.InitResourceContext) -> Sources:
        """Nothing is opened before a tenant is named."""
        return Sources()


class EmbeddersResource(dg.ConfigurableResource[Embedders]):
    """Hands out one `Embedders` per process."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Embedders]:
        """Nothing is loaded before a model is asked for."""
        with closing(Embedders()) as embedders:
            yield embedders


@cache
def _dbt() -> DbtCliResource:
    from dagster_dbt import DbtCliResource

    class InstalledDbt(DbtCliResource):
        """Spares each process 2 s, and each run 1.5 s more."""

        @cached_property
        def _cli_version(self) -> Version:
            """Of the package, which is what `EXECUTABLE` runs; asking it takes a process of its own."""
            return Version(version("dbt-core"))

        def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
            """Not dbt's macros in this process, too: nothing here asks dbt for counts or columns."""
            return None

    return InstalledDbt(project_dir=str(PROJECT), profiles_dir=str(PROJECT), dbt_executable=EXECUTABLE)


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
        with dbt_environment(settings, self._dsn, tenant):
            parsed_for(settings.dbt_target, self._dsn)
            # Unit tests say something of the code and nothing of the rows: they belong to the project's own tests.
            # dbt's threads wait for each other to write its debug log: a build took 25 s with it and 21 s without.
            invocation = _dbt().cli(
                ["--log-level-file", "info", "build", "--exclude-resource-type", "unit_test"], context=context
            )
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
