"""The real sample: 2,357 CDNOW customers land to the cent, and landing them again writes nothing."""

from __future__ import annotations

from decimal import Decimal

from cdp_assets.landing import derived
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync, SyncResult
from cdp_assets.sources.dump import DumpSource
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import CDNOW


def land(warehouse: Warehouse, tenant_id: str) -> dict[str, SyncResult]:
    results = {}
    source = DumpSource(CDNOW)
    for collection, contract in CONTRACTS.items():
        with warehouse.session(tenant_id) as session:
            results[collection] = CollectionSync(session, source, contract).run("sweep")
    with warehouse.session(tenant_id) as session:
        results["membership"] = derived.refresh_profile_segment(session)  # type: ignore[assignment]
        results["consent"] = derived.refresh_consent(session)  # type: ignore[assignment]
        results["metrics"] = derived.refresh_customer_metrics(session, None)  # type: ignore[assignment]
    return results


def test_the_sample_lands_complete_and_to_the_cent(warehouse: Warehouse, acme: Tenant) -> None:
    land(warehouse, acme.tenant_id)
    with warehouse.tenant(acme.tenant_id) as conn:
        assert conn.execute("select count(*) from cdp.customer_profile").fetchone() == (2357,)
        assert conn.execute(
            "select count(*), sum(amount), array_agg(distinct currency) from cdp.transactional_context"
        ).fetchone() == (6919, Decimal("244091.94"), ["USD"])
        members = conn.execute(
            "select count(*) from cdp.profile_segment where left_at is null group by segment_id order by 1 desc"
        ).fetchall()
        assert members == [(1205,), (1152,), (280,)]
        assert conn.execute("select count(*) from ops.quarantine").fetchone() == (0,)


def test_landing_the_same_sample_again_writes_no_row(warehouse: Warehouse, acme: Tenant) -> None:
    land(warehouse, acme.tenant_id)
    second = land(warehouse, acme.tenant_id)
    for collection in CONTRACTS:
        assert second[collection].written.rows == 0, collection
    for name in ("membership", "consent", "metrics"):
        assert (second[name].written, second[name].removed) == (0, 0), name  # type: ignore[attr-defined]
