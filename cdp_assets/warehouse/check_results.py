"""`ops.check_result`: the result that stands of every check, and what of it holds a build.

Belongs here: keeping results and asking for them, inside a transaction of the tenant. Which checks a build asks for is
told by the graph (`asset_gates`); what is measured, by the stages.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from cdp_assets.quality import Severity
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.storable import storable_text

Scope = Literal["segment", "window", "sweep", "build"]
"""What a run had looked at before it measured, from narrow to wide; a build looks at everything."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found: `asset` is `schema.table`, `says` holds no personal data."""

    asset: str
    check: str
    blocking: bool
    passed: bool
    severity: Severity
    failing: int
    says: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A check whose result a build asks for: `asset` is `schema.table`.

    Attributes:
        is_needed: whether it must have a result; else it holds only once it has failed.
    """

    asset: str
    check: str
    segment_id: str = ""
    is_needed: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """A result that lets nothing be built on an asset.

    Attributes:
        why: failed; unmeasured (nobody measured it); outdated (the rows have changed since).
        failing, says, scope, measured_at: of the result that stands; None where nobody measured.
    """

    asset: str
    check: str
    why: Literal["failed", "unmeasured", "outdated"]
    failing: int | None
    says: str | None
    scope: Scope | None
    measured_at: datetime | None


def version_of(connection: Connection, tenant_id: str, asset: str) -> str:
    """The change counter of a table; ask before measuring, so that a write in between makes the result outdated."""
    schema, _, table = asset.partition(".")
    row = connection.execute("select ops.change_of(%s, %s, %s)", (tenant_id, schema, table)).fetchone()
    assert row is not None
    return str(row[0])


def keep(
    connection: Connection,
    tenant_id: str,
    results: Sequence[Result],
    *,
    scope: Scope,
    run_id: str,
    data_version: str | None = None,
    segment_id: str = "",
) -> None:
    """Keep what a run has measured; a failed result stands until one of equal or wider scope replaces it.

    Args:
        connection: in a transaction of the tenant.
        tenant_id: whose rows.
        results: of checks.
        scope: what the run had looked at.
        run_id: of the orchestrator.
        data_version: of the rows that were measured; None: the results do not age.
        segment_id: the segment that was measured; blank for the whole tenant.
    """
    connection.cursor().executemany(
        "insert into ops.check_result as r (tenant_id, asset, check_name, segment_id, blocking, passed, severity, "
        "failing, says, scope, data_version, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "on conflict (tenant_id, asset, check_name, segment_id) do update set blocking = excluded.blocking, "
        "passed = excluded.passed, severity = excluded.severity, failing = excluded.failing, says = excluded.says, "
        "scope = excluded.scope, data_version = excluded.data_version, run_id = excluded.run_id, measured_at = now() "
        "where r.passed or r.severity = 'warn' or array_position('{segment,window,sweep,build}', excluded.scope) "
        ">= array_position('{segment,window,sweep,build}', r.scope)",
        [
            (tenant_id, each.asset, each.check, segment_id, each.blocking, each.passed, each.severity.value,
             each.failing, storable_text(each.says), scope, data_version, run_id)
            for each in results
        ],
    )  # fmt: skip


def holding(connection: Connection, tenant_id: str, asked: Collection[Asked]) -> list[Held]:
    """Those of the checks asked for that have not passed, by asset and check; of `raw` none where there is no shop."""
    with connection.cursor(row_factory=class_row(Held)) as cur:
        return cur.execute(
            "with asked as (select distinct a.* from unnest(%(assets)s::text[], %(checks)s::text[], "
            "%(segments)s::text[], %(needed)s::bool[]) as a (asset, check_name, segment_id, is_needed)), "
            "ageing as materialized (select asset, "
            "ops.change_of(%(tenant)s, split_part(asset, '.', 1), split_part(asset, '.', 2))::text as version "
            "from (select distinct asset from asked where split_part(asset, '.', 1) in ('cdp', 'raw')) as a) "
            "select a.asset, a.check_name as check, case when r.asset is null then 'unmeasured' "
            "when not r.passed and r.severity = 'error' then 'failed' else 'outdated' end as why, "
            "r.failing, r.says, r.scope, r.measured_at "
            "from asked as a left join ops.check_result as r on r.tenant_id = %(tenant)s and r.asset = a.asset "
            "and r.check_name = a.check_name and r.segment_id = a.segment_id "
            "left join ageing as g on g.asset = a.asset "
            "where ((r.asset is null and a.is_needed) or (not r.passed and r.severity = 'error') "
            "or r.data_version <> g.version) "
            "and not (split_part(a.asset, '.', 1) = 'raw' "
            "and exists (select from ops.tenant where tenant_id = %(tenant)s and shop is null)) order by 1, 2",
            {
                "tenant": tenant_id,
                "assets": [each.asset for each in asked],
                "checks": [each.check for each in asked],
                "segments": [each.segment_id for each in asked],
                "needed": [each.is_needed for each in asked],
            },
        ).fetchall()
