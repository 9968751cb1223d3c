"""Members of a segment as numbered snapshots that never change.

Belongs here: taking a snapshot. Members are kept as stays from one snapshot to another, so that a segment of a million
with a hundred changes a day costs a hundred rows a day and not a million; `audience.members` gives those of any number.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import class_row

from cdp_assets.warehouse.connection import Connection, without_loops


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One row of `audience.segment_snapshot`; counts are of customers."""

    snapshot: int
    segment_name: str | None
    definition_hash: str
    members: int
    added: int
    removed: int
    members_hash: str


def find_segment(connection: Connection, tenant_id: str, segment_id: str) -> tuple[str | None, str] | None:
    """Name and hash of the definition of a live segment; None when the tenant has no such segment."""
    return connection.execute(
        "select name, encode(sha256(convert_to(concat_ws(E'\\n', segment_type, query_rules, query_filter), 'UTF8')), "
        "'hex') from cdp.segment where tenant_id = %s and segment_id = %s and deleted_at is null "
        "and status <> 'deleted'",
        (tenant_id, segment_id),
    ).fetchone()


def latest(connection: Connection, tenant_id: str, segment_id: str) -> Snapshot | None:
    """The newest snapshot; None before the first."""
    with connection.cursor(row_factory=class_row(Snapshot)) as cur:
        return cur.execute(
            "select snapshot, segment_name, definition_hash, members, added, removed, members_hash "
            "from audience.segment_snapshot where tenant_id = %s and segment_id = %s order by snapshot desc limit 1",
            (tenant_id, segment_id),
        ).fetchone()


def take(
    connection: Connection,
    tenant_id: str,
    segment_id: str,
    run_id: str,
    name: str | None,
    definition_hash: str,
) -> tuple[Snapshot, bool]:
    """Compare who is in the segment with the newest snapshot; a difference makes the next one.

    Inside a transaction of the tenant. The caller keeps two runs of a segment apart (`warehouse.locks`).

    Returns:
        The newest snapshot, and whether it was taken now.
    """
    scope = {
        "tenant": tenant_id,
        "segment": segment_id,
        "run": run_id,
        "name": name,
        "definition": definition_hash,
    }
    with without_loops(connection):
        connection.execute(
            "create temporary table found_members on commit drop as "
            "with members as materialized (select profile_id, joined_at from staging.stg_leo__segments "
            "where segment_id = %(segment)s), links as materialized (select source_id, customer_key "
            "from intermediate.int_customer_links where source = 'leo') "
            "select links.customer_key as customer_id, min(members.profile_id) as cdp_profile_id, "
            "min(members.joined_at) as joined_at from members inner join links on members.profile_id = links.source_id "
            "group by links.customer_key",
            scope,
        )
        connection.execute("analyze found_members")
        before = latest(connection, tenant_id, segment_id)
        number = before.snapshot + 1 if before else 1
        gone = connection.execute(
            "update audience.segment_member as m set until_snapshot = %(number)s where m.tenant_id = %(tenant)s "
            "and m.segment_id = %(segment)s and m.until_snapshot is null "
            "and not exists (select from found_members as f where f.customer_id = m.customer_id)",
            {**scope, "number": number},
        ).rowcount
        new = connection.execute(
            "insert into audience.segment_member (tenant_id, segment_id, customer_id, from_snapshot, cdp_profile_id, "
            "joined_at) select %(tenant)s, %(segment)s, f.customer_id, %(number)s, f.cdp_profile_id, f.joined_at "
            "from found_members as f where not exists (select from audience.segment_member as m "
            "where m.tenant_id = %(tenant)s and m.segment_id = %(segment)s and m.customer_id = f.customer_id "
            "and m.until_snapshot is null)",
            {**scope, "number": number},
        ).rowcount
    connection.execute("drop table found_members")
    if before is not None and not new and not gone and before.definition_hash == definition_hash:
        return before, False
    connection.execute(
        "insert into audience.segment_snapshot (tenant_id, segment_id, run_id, snapshot, segment_name, "
        "definition_hash, members, added, removed, members_hash) select %(tenant)s, %(segment)s, %(run)s, "
        "%(number)s, %(name)s, %(definition)s, count(*), %(added)s, %(removed)s, audience.members_hash(%(segment)s) "
        "from audience.members(%(segment)s)",
        {**scope, "number": number, "added": new, "removed": gone},
    )
    taken = latest(connection, tenant_id, segment_id)
    assert taken is not None
    return taken, True


def changed_since(connection: Connection, tenant_id: str, segment_id: str, last: int) -> list[int]:
    """Numbers of the last snapshots whose members are not those whose hash was stored."""
    rows = connection.execute(
        "select s.snapshot from audience.segment_snapshot as s where s.tenant_id = %s and s.segment_id = %s "
        "and s.members_hash <> audience.members_hash(s.segment_id, s.snapshot) "
        "and s.snapshot > (select max(n.snapshot) - %s from audience.segment_snapshot as n "
        "where n.tenant_id = s.tenant_id and n.segment_id = s.segment_id) order by s.snapshot",
        (tenant_id, segment_id, last),
    )
    return [number for (number,) in rows]
