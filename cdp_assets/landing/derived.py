"""What follows from landed rows: membership, consent, customer metrics. Each is one set-based SQL function.

Belongs here: calling them for one tenant. Their formulas stand in `warehouse/migrations/sql`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cdp_assets.warehouse.connection import TenantSession


@dataclass(frozen=True, slots=True)
class Derived:
    """Rows written and rows ended or removed."""

    written: int
    removed: int


def refresh_profile_segment(session: TenantSession) -> Derived:
    """Begin and end stays in `cdp.profile_segment` so that open ones equal the profiles' `inSegments`."""
    return _call(session, "select joined, departed from cdp.refresh_profile_segment(%s)", session.tenant_id)


def refresh_consent(session: TenantSession) -> Derived:
    """Bring `cdp.consent` in step with the profiles' `receive*` flags and merges."""
    return _call(session, "select written, removed from cdp.refresh_consent(%s)", session.tenant_id)


def refresh_customer_metrics(session: TenantSession, as_of: datetime | None) -> Derived:
    """Recompute `cdp.customer_metrics` as of a point in time (None: now)."""
    return _call(
        session,
        "select cdp.refresh_customer_metrics(%s, coalesce(%s, now())), 0",
        session.tenant_id,
        as_of,
    )


def _call(session: TenantSession, statement: str, *parameters: object) -> Derived:
    with session.transaction() as conn:
        row = conn.execute(statement, parameters).fetchone()
    assert row is not None
    return Derived(written=int(row[0]), removed=int(row[1]))
