"""The isolation matrix: every relation and routine of the catalog, tried as one role in one scope.

Belongs here: what is tried, and what it may give. `tests/test_isolation.py` goes through roles and scopes, and
plants leaks that the matrix must find. What the catalog promises without trying is in `tests/catalog.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from tests.catalog import NO_TENANT_DATA, RELATIONS, ROUTINES
from tests.rows import Conn, required

TENANTS = frozenset({"acme", "lotus"})

Outcome = frozenset[str] | int | str
"""Tenants of the rows that a statement returned, else how many it wrote, or the SQLSTATE that it failed with."""
Attempt = tuple[str, list[Any], set[Outcome]]
"""A statement, its values, and the outcomes that are right."""

NOT_ALLOWED = "42501"
TAKEN = "23505"  # a unique key is taken
NO_COPY = "0A000"  # COPY FROM does not work under row level security
NOT_THIS_KIND = {"42809", "55000"}  # truncating a view, writing to a view that joins
RAISED = "P0001"


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
        """What the roles are for: the pipeline works on everything, the others read cdp."""
        return self.role == "cdp_pipeline" or (action == "read" and relation.startswith("cdp."))

    def relations(self, conn: Conn) -> list[str]:
        """What can be read or written that must not, or cannot and should."""
        found = []
        for relation in objects(conn, RELATIONS):
            if relation.relkind == "S":
                attempts = _sequence(relation.name)
            elif not relation.has_tenant:
                attempts = _without_tenant(relation.name)
            elif relation.relkind in {"r", "p"}:
                attempts = self._table(relation.name, required(conn, relation.name))
            else:
                attempts = self._view(relation.name)
            for statement, values, right in attempts:
                if (got := self.run(statement, *values)) not in right:
                    found.append(f"{self.role} in {self.scope!r}: {statement} {values} gave {got}")
        return found

    def _table(self, name: str, row: dict[str, Any]) -> Iterator[Attempt]:
        sees = self.visible(name)
        may_write = self.may(name, "write")
        read: set[Outcome] = {sees if self.may(name, "read") else NOT_ALLOWED}
        yield f"select tenant_id from {name}", [], read
        yield f"copy {name} (tenant_id) to stdout", [], read
        # Without `where` and `returning`: those would bring in the policy for reading, and hide a gap in the others.
        yield f"delete from {name}", [], {len(sees) if may_write else NOT_ALLOWED}
        yield f"truncate {name}", [], {NOT_ALLOWED}
        for tenant in sorted(TENANTS):
            # The row is there already: a tenant hears of a collision with its own rows, never with another's.
            is_own = may_write and tenant in sees
            yield (
                f"insert into {name} ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
                list({**row, "tenant_id": tenant}.values()),
                {TAKEN if is_own else NOT_ALLOWED},
            )
            yield f"copy {name} (tenant_id) from stdin", [tenant], {NO_COPY, NOT_ALLOWED}
            right: Outcome = NOT_ALLOWED
            if may_write and sees <= {tenant}:
                right = len(sees)
            elif is_own:
                right = TAKEN
            yield f"update {name} set tenant_id = %s", [tenant], {right}

    def _view(self, name: str) -> Iterator[Attempt]:
        sees = self.visible(name)
        no_more: set[Outcome] = {0, len(sees), NOT_ALLOWED, *NOT_THIS_KIND}
        yield f"select tenant_id from {name}", [], {sees, NOT_ALLOWED}
        yield f"copy (select tenant_id from {name}) to stdout", [], {sees, NOT_ALLOWED}
        yield f"delete from {name}", [], no_more
        yield f"truncate {name}", [], {NOT_ALLOWED, *NOT_THIS_KIND}
        for tenant in sorted(TENANTS - sees):
            yield f"insert into {name} (tenant_id) values (%s)", [tenant], {NOT_ALLOWED, *NOT_THIS_KIND}
            yield f"update {name} set tenant_id = %s", [tenant], {0, NOT_ALLOWED, *NOT_THIS_KIND}

    def routines(self, conn: Conn) -> list[str]:
        """Routines that work for a tenant which is not the transaction's, or that take none and are open."""
        found = []
        for routine in objects(conn, ROUTINES):
            if routine.name == "ops.current_tenant":
                continue
            for tenant in sorted(TENANTS - {self.scope or ""}) if takes_tenant(routine) else [""]:
                right = {RAISED, NOT_ALLOWED} if tenant else {NOT_ALLOWED}
                if (got := self.run(call(routine, tenant))) not in right:
                    found.append(f"{self.role} in {self.scope!r}: {call(routine, tenant)} gave {got}")
        return found


def objects(conn: Conn, query: str) -> list[Any]:
    """What the catalog has, in the order of names, with columns as attributes."""
    return list(conn.cursor(row_factory=namedtuple_row).execute(f"{query} order by name"))


def takes_tenant(routine: Any) -> bool:
    """Whether the routine works for a tenant that it is told."""
    return "text" in routine.arguments[: routine.needed]


def call(routine: Any, tenant: str) -> str:
    """A call for this tenant; what has a default keeps it."""
    samples = {"text": f"'{tenant}'", "regclass": "'cdp.segment'"}
    arguments = ", ".join(samples.get(type_, "null") for type_ in routine.arguments[: routine.needed])
    return f"{'call' if routine.prokind == 'p' else 'select * from'} {routine.name}({arguments})"


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
