"""Whether a build would make what is there: asked before a run is started, recorded by the run.

Belongs here: what a build is made from, as one value in `ops.etl_runs`, and comparing it with today's. Rows are
compared by the change counters of their tables (`ops.change`), which move in the transaction that writes. Does not
belong here: what each stage reads and makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.tenants import Tenant

PACKAGE = Path(__file__).parent.parent

FOLDED_FROM = 1_000
"""Rows of counted changes of a tenant: to add up so many takes a millisecond, and a build adds up some dozen times."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the rows of a build follow from.

    Attributes:
        reads: tables (`schema.table`) and whole schemas whose rows are read.
        makes: those whose rows are written, by this build alone.
        facts: all else that the rows follow from, JSON.
    """

    reads: tuple[str, ...]
    makes: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def facts_of(tenant: Tenant) -> dict[str, Any]:
    """What every build of a tenant follows from: options, zone among them, the day by the tenant's clock, code.

    Raises:
        TenantError: an option of the tenant cannot be used.
    """
    return {
        "options": tenant.options.digest,
        "day": str(tenant.today()),
        "code": code_digest(),
    }


def changes(connection: Connection, tenant_id: str, names: Iterable[str]) -> dict[str, int]:
    """Change counter of each of these tables and schemas, inside a transaction of the tenant."""
    found = connection.execute(
        "select name, ops.change_of(%s, split_part(name, '.', 1), nullif(split_part(name, '.', 2), '')) "
        "from unnest(%s::text[]) as name",
        (tenant_id, sorted(names)),
    ).fetchall()
    return dict(found)


def made_from(connection: Connection, tenant_id: str, recipe: Recipe) -> dict[str, Any]:
    """What a build is made from that reads its rows from now on, inside a transaction of the tenant."""
    return {**recipe.facts, "changes": changes(connection, tenant_id, recipe.reads)}


def left_at(connection: Connection, tenant_id: str, recipe: Recipe) -> int:
    """Change counter of what the build makes."""
    return sum(changes(connection, tenant_id, recipe.makes).values())


def fold(connection: Connection, tenant_id: str) -> None:
    """Make few rows of many counted changes, where they are many; inside a transaction of the tenant."""
    row = connection.execute("select count(*) from ops.change where tenant_id = %s", (tenant_id,)).fetchone()
    if row is not None and row[0] > FOLDED_FROM:
        connection.execute("call ops.fold_changes(%s)", (tenant_id,))


def current_run(
    connection: Connection, tenant_id: str, dataset: str, recipe: Recipe, partition_key: str | None = None
) -> dict[str, Any] | None:
    """Metrics of the last run of a dataset if a run now would make the same rows; None if it might not.

    It would when the last run succeeded, was made from what is there now, and nobody wrote into its tables since: no
    run that died half way, and no person. `partition_key` is the tenant when left out. Inside a transaction of the
    tenant.
    """
    row = connection.execute(
        "select metrics from ("
        "select status, made_from, metrics from ops.etl_runs where tenant_id = %(tenant)s "
        "and dataset = %(dataset)s and partition_key = %(partition)s and status <> 'skipped' "
        "order by started_at desc limit 1) as last "
        "where status = 'success' and made_from = %(made_from)s and %(left_at)s = ("
        # of all partitions: they share the tables
        "select max(left_at) from ops.etl_runs where tenant_id = %(tenant)s and dataset = %(dataset)s)",
        {
            "tenant": tenant_id,
            "dataset": dataset,
            "partition": partition_key or tenant_id,
            "made_from": Jsonb(made_from(connection, tenant_id, recipe)),
            "left_at": left_at(connection, tenant_id, recipe),
        },
    ).fetchone()
    return None if row is None else row[0]


@cache
def code_digest() -> str:
    """Digest of the package's own files: a release, and a working copy with any edit in it, has another."""
    found = sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(f"{path.relative_to(PACKAGE)}\0".encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
