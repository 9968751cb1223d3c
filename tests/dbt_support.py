"""dbt run inside the test's process, and rows for it to work on.

Belongs here: calling dbt for a database and a tenant, and writing rows of schemas raw and cdp as the pipeline lands
them. Does not belong here: what the models should make of them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.behavior_flags import BehaviorFlagRendered
from psycopg.rows import dict_row

from cdp_assets.cleaning.contacts import email_key, name_key, phone_key
from tests.conftest import Server
from tests.rows import insert

PROJECT = Path(__file__).parents[1] / "dbt_project"

TODAY = "2026-06-30"
"""The tenant's clock, whatever day the suite runs on."""

_PLACEHOLDER = "cdp_of_no_test"
"""Database of the manifest that is parsed once per process; each test's copy names its own."""


_NO_STACK = (BehaviorFlagRendered, "_default_source", staticmethod(lambda: "dbt"))
"""dbt looks through all frames, of which pytest has many, for the author of each of its flags: 0.3 s per command."""


class DbtFailed(AssertionError):
    """dbt reported a failure; the message holds what it said of each failed node."""


@dataclass(frozen=True)
class Dbt:
    """dbt against one database. Parsing (2 s or more) happens once per process, whatever the database."""

    server: Server
    database: str
    folder: Path

    def __call__(self, *args: str, tenant: str | None = None) -> list[Any]:
        """Run a dbt command such as `dbt("run", "--select", "staging", tenant="acme")`; raises `DbtFailed`.

        Returns dbt's results, one per node.
        """
        results, said = self.attempt(*args, tenant=tenant)
        failed = [r for r in results if str(r.status) in {"error", "fail", "skipped", "runtime error"}]
        if failed or said:
            lines = [f"{r.node.name}: {r.status} {r.message}" for r in failed]
            raise DbtFailed("\n".join([*lines, said]))
        return results

    def attempt(self, *args: str, tenant: str | None = None) -> tuple[list[Any], str]:
        """Like a call, but failures are returned: the results of all nodes, and what stopped dbt as a whole."""
        command = [*args, *_common(self.folder)]
        with _session(self.server.socket, self.database, tenant):
            outcome = dbtRunner(manifest=_manifest_for(self.database)).invoke(command)
        results = list(getattr(outcome.result, "results", []))
        return results, "" if outcome.exception is None else str(outcome.exception)

    def read(self, statement: str, *, tenant: str, user: str = "cdp_transform") -> list[dict[str, Any]]:
        """Rows that a role sees in the session of a tenant, each as a dictionary."""
        dsn = self.server.dsn(self.database, user=user)
        with psycopg.connect(dsn, options=f"-c app.tenant_id={tenant}", row_factory=dict_row) as conn:
            return conn.execute(statement).fetchall()


def statuses(results: Sequence[Any]) -> dict[str, str]:
    """Node name -> what dbt said of it: success, pass, warn, fail, error or skipped."""
    return {result.node.name: str(result.status) for result in results}


@contextmanager
def tenant_rows(dsn: str, tenant: str) -> Iterator[psycopg.Connection[Any]]:
    """A transaction of cdp_pipeline (or whoever `dsn` names) for one tenant, to write rows in."""
    with psycopg.connect(dsn) as conn:
        conn.execute("select set_config('app.tenant_id', %s, false)", (tenant,))
        yield conn


def write(dsn: str, tenant: str, table: str, *rows: dict[str, Any]) -> None:
    """Insert rows into `raw.x` or `cdp.x`; what a row leaves out is null, or a sample where it must be given."""
    with tenant_rows(dsn, tenant) as conn:
        for row in rows:
            insert(conn, table, tenant_id=tenant, **_defaults(table, row), **row)


def customer_keys(row: dict[str, Any]) -> dict[str, str | None]:
    """Key columns that the landing gives a row of `raw.customers`."""
    name = row.get("name")
    return {
        "_email_key": email_key(row.get("email")),
        "_phone_key": phone_key(row.get("phone"), "VN"),
        "_name_key": None if name is None else name_key(name),
    }


def _defaults(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """What a row of `table` says unless it says otherwise: profiles speak for themselves and are active."""
    found: dict[str, Any] = {}
    if table == "cdp.customer_profile":
        found = {"root_profile_id": row["cdp_profile_id"], "status": "active", "data_context": "production"}
        found["email_key"] = email_key(row.get("email"))
    if table == "raw.customers":
        found = customer_keys(row)
    if "cdp_profile_id" in row and table in {
        "cdp.transactional_context",
        "cdp.tracking_event",
        "cdp.feedback",
    }:
        found = {"source_profile_id": row["cdp_profile_id"]}
    return {name: value for name, value in found.items() if name not in row}


@cache
def _manifest() -> Manifest:
    """The project, parsed once per process."""
    folder = Path(tempfile.mkdtemp(prefix="cdp-dbt-"))
    try:
        with _session("localhost", _PLACEHOLDER, None):
            outcome = dbtRunner().invoke(["parse", *_common(folder)])
    finally:
        shutil.rmtree(folder)
    if outcome.exception is not None:
        raise DbtFailed(str(outcome.exception))
    found = outcome.result
    assert isinstance(found, Manifest)
    return found


def _manifest_for(database: str) -> Manifest:
    """A copy of the manifest in which every relation is of this database; dbt writes into the one it is given."""
    copy = _manifest().deepcopy()
    for node in [*copy.nodes.values(), *copy.sources.values()]:
        if getattr(node, "database", None) == _PLACEHOLDER:
            node.database = database
            if node.relation_name:
                node.relation_name = node.relation_name.replace(_PLACEHOLDER, database)
    copy.build_flat_graph()
    return copy


def _common(folder: Path) -> list[str]:
    return [
        "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(folder / "target"),
        "--log-path", str(folder / "logs"), "--quiet", "--log-level-file", "none", "--no-use-colors",
        "--no-partial-parse", "--no-write-json",
    ]  # fmt: skip


@contextmanager
def _session(host: str, database: str, tenant: str | None) -> Iterator[None]:
    """The environment that dbt's profile reads, with the tenant in libpq's options; dbt's own warnings kept quiet."""
    values = {"CDP_DBT_HOST": host, "CDP_DBT_USER": "cdp_transform", "CDP_DBT_DATABASE": database}
    with mock.patch.dict(os.environ, values), mock.patch.object(*_NO_STACK), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ.pop("PGOPTIONS", None)
        if tenant is not None:
            os.environ["PGOPTIONS"] = f"-c app.tenant_id={tenant} -c app.today={TODAY}"
        yield
