"""A tenant outside Vietnam whose shop has four tables and no currencies: every sum is right to the penny.

Belongs here: the demo's small shop through marts and datasets, without planted faults. What each stage does with an
absent table is in its own tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from cdp_assets.demo import TENANTS, shop_truth, tenant_at
from cdp_assets.demo.tenant import TenantWorld
from tests.conftest import Server
from tests.demo_world_support import DemoTenant, Found, demo_tenant, failed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world() -> TenantWorld:
    (spec,) = (spec for spec in TENANTS if spec.small_shop)
    return tenant_at(spec.id, size="small", clean=True)


@pytest.fixture(scope="module")
def built(
    world: TenantWorld, postgres: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DemoTenant, Found]]:
    with demo_tenant(postgres, tmp_path_factory.mktemp("small"), "shop_small") as tenant:
        tenant.arrive(world)
        tenant.marts.build()
        yield tenant, tenant.build() | tenant.audiences()


def test_no_check_raises_a_false_alarm(built: tuple[DemoTenant, Found]) -> None:
    assert failed(built[1]) == {}


def test_the_money_of_the_facts_is_the_shops_to_the_penny(
    built: tuple[DemoTenant, Found], world: TenantWorld
) -> None:
    rows = built[0].marts.read(
        "select currency, count(*) as orders, sum(order_total) as total from marts.fct_orders "
        "where source = 'shop' group by currency"
    )
    truth = shop_truth(world)["orders"]
    assert {row["currency"]: (row["orders"], row["total"]) for row in rows} == {
        currency: (found["orders"], Decimal(found["total_amount"])) for currency, found in truth.items()
    }
    assert list(truth) == ["GBP"]


def test_the_money_of_the_datasets_is_that_of_the_facts(built: tuple[DemoTenant, Found]) -> None:
    """Up to the end of the last whole day in London, an hour before that in UTC."""
    tenant, _ = built
    late = {
        row["purchase_key"]
        for row in tenant.marts.read(
            "select purchase_key from intermediate.int_purchases where purchased_at >= '2026-06-29 23:00+00'"
        )
    }
    facts = [
        row
        for row in tenant.marts.read(
            "select purchase_key, customer_key, line_total from marts.fct_sales "
            "where is_revenue and currency = 'GBP'"
        )
        if row["purchase_key"] not in late
    ]
    known = sum(row["line_total"] for row in facts if row["customer_key"] != "unknown")
    daily = tenant.audits["timeseries_daily"].table.filter(level="total")
    assert daily["daily_revenue"].sum() == sum(row["line_total"] for row in facts) > 10_000
    assert tenant.audits["customer_features"].table["total_amount_spent"].sum() == known
    assert tenant.audits["user_item_interactions"].table["total_spent"].sum() == known
