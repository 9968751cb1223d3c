"""The isolation matrix: every relation and routine of the catalog, tried as one role in one scope.

Belongs here: what is tried, and what it may give. `tests/test_isolation.py` goes through roles and scopes, and
plants leaks that the matrix must find. What the catalog promises without trying is in `tests/catalog.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from tests.catalog import NO_TENANT_DATA, RELATIONS, ROUTINES
from tests.rows import Conn, clear, required

TENANTS = frozenset({"acme", "lotus"})

Outcome = frozenset[str] | int | str
"""Tenants of the rows that a statement returned, else how many it wrote, or the SQLSTATE that it failed with."""
Attempt = tuple[str, list[Any], set[Outcome]]
"""A statement, its values, and the outcomes that are right."""

NOT_ALLOWED = "42501"
TAKEN = "23505"  # a unique key is taken
WRONG_PARTITION = "23514"
NO_COPY = "0A000"  # COPY FROM does not work under row level security
NOT_THIS_KIND = {"42809", "55000"}  # truncating a view, writing to a view that joins
RAISED = "P0001"

READABLE = re.compile(
    r"(cdp|raw|activation|datasets|audience)\..*|embedding\.(model|active_model|"
    r"(profile|transaction|product|review|marketing_event)_(embedding|text|[0-9a-f]{20}))"
)
"""What the roles beside the pipeline read: landed rows, datasets, plans, texts, models, and vectors with partitions."""


class Probe:
    """One role in one scope; nothing of what it does stays.

    The connection is a superuser's that becomes the role, so that a mutation can be probed before it is committed.
    """

    def __init__(self, conn: Conn, role: str, scope: str | None) -> None:
        self._conn, self.role, self.scope = conn, role, scope

    def run(self, statement: str, *values: Any) -> Outcome:
        """Run one statement; the first column of what it returns is tenant_id."""
        try:
            with self._conn.transaction(force_rollback=True):
                self._conn.execute(f"set local role {self.role}")
                if self.scope is not None:
                    self._conn.execute("select set_config('app.tenant_id', %s, true)", (self.scope,))
                return self._run(statement, values)
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            return error.sqlstate

    def _run(self, statement: str, values: tuple[Any, ...]) -> Outcome:
        cur = self._conn.cursor()
        if statement.startswith("copy") and "from stdin" in statement:
            with cur.copy(statement) as copy:
                copy.write(f"{values[0]}\n")
            return frozenset(values)
        if statement.startswith("copy"):
            with cur.copy(statement) as copy:
                return frozenset(bytes(line).decode().strip() for line in copy)
        cur.execute(statement, values or None)
        return frozenset(str(row[0]) for row in cur) if cur.description else cur.rowcount

    def visible(self, relation: str) -> frozenset[str]:
        """The tenants whose rows may be seen: its own; and all registrations for the pipeline outside a tenant."""
        if (relation, self.role) == ("ops.tenant", "cdp_pipeline") and self.scope in {None, ""}:
            return TENANTS
        return TENANTS & {self.scope or ""}

    def may(self, relation: str, action: str) -> bool:
        """What the roles are for: the pipeline works on everything, the others read what is theirs to read."""
        return self.role == "cdp_pipeline" or (action == "read" and READABLE.fullmatch(relation) is not None)

    def may_add(self, relation: str) -> bool:
        """Who writes also counts what it changes: dbt adds to the change counters, which it may not read."""
        return self.may(relation, "write") or (relation, self.role) == ("ops.change", "cdp_transform")

    def relations(self, conn: Conn) -> list[str]:
        """What can be read or written that must not, or cannot and should."""
        found = []
        for relation in objects(conn, RELATIONS):
            if relation.relkind == "S":
                attempts = _sequence(relation.name)
            elif not relation.has_tenant:
                attempts = _without_tenant(relation.name)
            elif relation.relkind in {"r", "p"}:
                attempts = self._table(relation, required(conn, relation.name), holds(conn, relation.name))
            else:
                attempts = self._view(relation.name, holds(conn, relation.name))
            for statement, values, right in attempts:
                if (got := self.run(statement, *values)) not in right:
                    found.append(f"{self.role} in {self.scope!r}: {statement} {values} gave {got}")
        return found

    def _table(self, table: Any, row: dict[str, Any], held: frozenset[str]) -> Iterator[Attempt]:
        name = table.name
        sees = self.visible(name) & held
        may_write = self.may(name, "write")
        read: set[Outcome] = {sees if self.may(name, "read") else NOT_ALLOWED}
        yield f"select tenant_id from {name}", [], read
        # PostgreSQL copies a partitioned table under row level security without its partitions: nothing
        yield (
            f"copy {name} (tenant_id) to stdout",
            [],
            read | ({frozenset()} if table.relkind == "p" else set()),
        )
        # Without `where` and `returning`: those would bring in the policy for reading, and hide a gap in the others.
        yield f"delete from {name}", [], {len(sees) if may_write else NOT_ALLOWED}
        yield f"truncate {name}", [], {NOT_ALLOWED}
        for tenant in sorted(TENANTS):
            # The row is there already: a tenant hears of a collision with its own rows, never with another's.
            # A partition of one tenant may refuse the other's row before row security does.
            is_own = tenant in self.visible(name)
            refused: set[Outcome] = {NOT_ALLOWED}
            if may_write and held != TENANTS:
                refused.add(WRONG_PARTITION)
            yield (
                f"insert into {name} ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
                list({**row, "tenant_id": tenant}.values()),
                {TAKEN} if is_own and self.may_add(name) and tenant in held else refused,
            )
            yield f"copy {name} (tenant_id) from stdin", [tenant], {NO_COPY, NOT_ALLOWED}
            if may_write and sees <= {tenant}:
                right: set[Outcome] = {len(sees)}
            else:
                right = {TAKEN} if is_own and may_write else refused
            yield f"update {name} set tenant_id = %s", [tenant], right

    def _view(self, name: str, held: frozenset[str]) -> Iterator[Attempt]:
        sees = self.visible(name) & held
        no_more: set[Outcome] = {0, len(sees), NOT_ALLOWED, *NOT_THIS_KIND}
        read: set[Outcome] = {sees if self.may(name, "read") else NOT_ALLOWED}
        yield f"select tenant_id from {name}", [], read
        yield f"copy (select tenant_id from {name}) to stdout", [], read
        yield f"delete from {name}", [], no_more
        yield f"truncate {name}", [], {NOT_ALLOWED, *NOT_THIS_KIND}
        for tenant in sorted(TENANTS - sees):
            yield f"insert into {name} (tenant_id) values (%s)", [tenant], {NOT_ALLOWED, *NOT_THIS_KIND}
            yield f"update {name} set tenant_id = %s", [tenant], {0, NOT_ALLOWED, *NOT_THIS_KIND}

    def routines(self, conn: Conn) -> list[str]:
        """Routines that work for a tenant which is not the transaction's, or whose answer depends on others' rows."""
        routines = [
            routine
            for routine in objects(conn, ROUTINES)
            if not routine.is_immutable and routine.name != "ops.current_tenant"
        ]
        found = [
            f"{self.role} in {self.scope!r}: {call(routine, tenant)} gave {got}"
            for routine in filter(takes_tenant, routines)
            for tenant in sorted(TENANTS - {self.scope or ""})
            if (got := self.run(call(routine, tenant))) not in {RAISED, NOT_ALLOWED}
        ]
        calls = [answer(routine) for routine in routines if not takes_tenant(routine)]
        among_others = [self.run(statement) for statement in calls]
        with self._conn.transaction(force_rollback=True):
            clear(self._conn, TENANTS - {self.scope or ""})
            alone = [self.run(statement) for statement in calls]
        for statement, got, right in zip(calls, among_others, alone, strict=True):
            if got != right:
                found.append(f"{self.role} in {self.scope!r}: {statement} gave {got}, alone {right}")
        return found


def holds(conn: Conn, relation: str) -> frozenset[str]:
    """The tenants that have rows in a relation; `conn` is a superuser's."""
    return frozenset(str(row[0]) for row in conn.execute(f"select distinct tenant_id from {relation}"))


def objects(conn: Conn, query: str) -> list[Any]:
    """What the catalog has, in the order of names, with columns as attributes."""
    return list(conn.cursor(row_factory=namedtuple_row).execute(f"{query} order by name"))


ARGUMENTS = {
    "p_entity": "'profile'",
    "p_model": "'k'",
    "p_key": "'k'",
    "p_segment": "'k'",
    "p_worker": "'w'",
    "p_name": "'k'",
    "p_keys": "'{k}'",
    "p_profiles": "'{k}'",
    "p_hashes": r"'{\\x01}'",
    "p_query": "'[1]'",
    "p_without": "'{}'",
    "p_k": "10",
    "p_limit": "10",
    "p_lease": "'1 minute'",
    "p_source": "'cdp.product_item'",
    "p_table": "'k'",
    "target": "'cdp.segment'",
}
"""Values by the name of an argument. A text of any other name is taken for the tenant, all else is null."""


def takes_tenant(routine: Any) -> bool:
    """Whether the routine works for a tenant that it is told."""
    return any(
        type_ == "text" and name not in ARGUMENTS
        for name, type_ in zip(routine.names, routine.arguments[: routine.needed], strict=False)
    )


def _arguments(routine: Any, tenant: str) -> str:
    return ", ".join(
        ARGUMENTS.get(name, f"'{tenant}'" if type_ == "text" else "null")
        for name, type_ in zip(routine.names, routine.arguments[: routine.needed], strict=False)
    )


def call(routine: Any, tenant: str) -> str:
    """A call for this tenant; what has a default keeps it."""
    verb = "call" if routine.prokind == "p" else "select * from"
    return f"{verb} {routine.name}({_arguments(routine, tenant)})"


def answer(routine: Any) -> str:
    """A call that gives all that the routine answers in one row."""
    if routine.prokind == "p":
        return call(routine, "")
    whole = "count(*) || coalesce(string_agg(r::text, ' ' order by r::text), '')"
    return f"select {whole} from {routine.name}({_arguments(routine, '')}) as r"


def _sequence(name: str) -> Iterator[Attempt]:
    for statement in (
        f"select last_value from {name}",
        f"select nextval('{name}')",
        f"select setval('{name}', 9)",
    ):
        yield statement, [], {NOT_ALLOWED}


def _without_tenant(name: str) -> Iterator[Attempt]:
    if name not in NO_TENANT_DATA:
        yield f"select t::text from {name} as t", [], {NOT_ALLOWED}
    for statement in (f"insert into {name} default values", f"delete from {name}", f"truncate {name}"):
        yield statement, [], {NOT_ALLOWED}
