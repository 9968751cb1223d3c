"""A small shop's landed rows: profiles, purchased lines, events and feedback of one tenant, as a test states them.

Belongs here: writing such rows the way the pipeline's role may, and calling the derivations on them. Nothing here
knows what the derivations should find.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from psycopg.rows import namedtuple_row

from cdp_assets.warehouse.connection import Warehouse
from tests.rows import insert

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""The day on which tests stand."""


_tenants = count(1)


class Shop:
    """Rows of one tenant, which no other shop has. Every method is one transaction."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse, self.tenant = warehouse, f"shop{next(_tenants)}"
        self._numbers = count(1)

    def profile(self, key: str = "a", *, into: str | None = None, **values: Any) -> None:
        """A profile as it has just landed: active, or merged into another."""
        status = "merged" if into else "active"
        self._insert(
            "customer_profile",
            **{
                "cdp_profile_id": key,
                "root_profile_id": key,
                "merged_into": into,
                "status": status,
                **values,
            },
        )

    def line(self, amount: object, days_ago: float = 5, *, profile: str = "a", **values: Any) -> str:
        """A purchased line, as long before `AS_OF`; returns its key."""
        key = f"t{next(self._numbers)}"
        self._insert(
            "transactional_context",
            **{"txn_id": key, "cdp_profile_id": profile, "source_profile_id": profile, "amount": amount,
               "txn_timestamp": AS_OF - timedelta(days=days_ago), **values},
        )  # fmt: skip
        return key

    def event(self, order: str, status: str | None, days_ago: float) -> str:
        """A tracking event about an order; returns its key."""
        key = f"e{next(self._numbers)}"
        at = AS_OF - timedelta(days=days_ago)
        self._insert("tracking_event", event_id=key, transaction_id=order, order_status=status, event_at=at)
        return key

    def about(self, table: str, key: str, profile: str | None) -> None:
        """A row of any table that names a profile as its owner."""
        column = {"transactional_context": "txn_id", "tracking_event": "event_id", "feedback": "feedback_id"}[
            table
        ]
        self._insert(table, **{column: key, "cdp_profile_id": profile, "source_profile_id": profile})

    def config(self, **values: Any) -> None:
        """How the tenant's metrics are to be computed."""
        self._insert("tenant_metrics_config", **values)

    def change(self, table: str, key: str, **values: Any) -> None:
        """Change one row, as a later version of its document would."""
        column = {"customer_profile": "cdp_profile_id", "transactional_context": "txn_id",
                  "tracking_event": "event_id", "feedback": "feedback_id"}[table]  # fmt: skip
        changed = ", ".join(f"{name} = %s" for name in values)
        with self._warehouse.tenant(self.tenant) as conn:
            statement = f"update cdp.{table} set {changed} where {column} = %s"
            assert conn.execute(statement, [*values.values(), key]).rowcount == 1

    def bury(self, table: str, key: str) -> None:
        """The source no longer has the document."""
        self.change(table, key, deleted_at=AS_OF)

    def derive(self, *functions: str) -> tuple[int, ...]:
        """Call functions of schema cdp for the tenant; what the last of them gave."""
        row: tuple[Any, ...] | None = None
        for function in functions:
            with self._warehouse.tenant(self.tenant) as conn:
                row = conn.execute(f"select * from cdp.{function}(%s)", (self.tenant,)).fetchone()
        assert row is not None
        return row

    def refresh(self, as_of: datetime = AS_OF) -> int:
        """Refresh the customer metrics; rows written or removed."""
        with self._warehouse.tenant(self.tenant) as conn:
            row = conn.execute("select cdp.refresh_customer_metrics(%s, %s)", (self.tenant, as_of)).fetchone()
        assert row is not None
        return int(row[0])

    def read(self, statement: str) -> list[Any]:
        """Rows of the tenant, with their columns as attributes."""
        with self._warehouse.tenant(self.tenant) as conn, conn.cursor(row_factory=namedtuple_row) as cur:
            return cur.execute(statement).fetchall()

    def metrics(self, profile: str = "a") -> Any:
        """The metrics of one profile; None when it has none."""
        rows = self.read("select *, xmin::text as version from cdp.customer_metrics")
        return next((row for row in rows if row.cdp_profile_id == profile), None)

    def _insert(self, table: str, **values: Any) -> None:
        with self._warehouse.tenant(self.tenant) as conn:
            insert(conn, f"cdp.{table}", tenant_id=self.tenant, **values)
