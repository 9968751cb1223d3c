"""The demo world through both sources into the marts: every planted fault is found, and nothing else is.

Belongs here: comparing the model with the world's truth. What each model does with rows that a test states is in the
other `test_dbt_*`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from cdp_assets.demo import shop_defects, shop_truth, tenant_at
from cdp_assets.warehouse.connection import Warehouse
from tests.conftest import Server
from tests.demo_world_support import demo_shop, land_world
from tests.marts_support import Marts, fresh_tenant

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Built:
    """A tenant of the demo world in the warehouse, with what is true of it."""

    marts: Marts
    truth: dict[str, Any]
    defects: list[dict[str, str]]

    def keys(self, check: str) -> set[str]:
        """Keys of the faults that a check must find."""
        return {defect["key"] for defect in self.defects if defect["expected_check"] == check}

    def found(self, statement: str) -> set[str]:
        """The first column of what a statement of the tenant reads."""
        return {str(next(iter(row.values()))) for row in self.marts.read(statement)}


@pytest.fixture(scope="module")
def built(postgres: Server) -> Built:
    """acme-demo two days on, landed and modelled; its defects count as they are in the sources that day."""
    world = tenant_at("acme-demo", size="tiny", step=2)
    marts = fresh_tenant(postgres)
    with demo_shop(postgres, "demo_shop") as shop, Warehouse(marts.pipeline_dsn) as warehouse:
        land_world(postgres, warehouse, marts.tenant, world, shop)
    marts.build()
    return Built(marts, shop_truth(world), shop_defects(world))


def test_orders_whose_total_differs_from_their_lines_are_reported_each_and_no_other(built: Built) -> None:
    reported = "select order_id from marts.mart_reconciliation where finding = 'total_differs_from_lines'"
    assert built.found(reported) == built.keys("order_total_matches_lines")
    assert len(built.keys("order_total_matches_lines")) >= 2


def test_orders_of_one_source_are_reported_both_ways(built: Built) -> None:
    shop = "select order_id from marts.mart_reconciliation where finding = 'only_in_shop'"
    assert built.found(shop) == built.keys("shop_order_in_leo") != set()
    leo = (
        "select order_number from marts.mart_reconciliation "
        "where finding = 'only_in_leo' and order_number is not null"
    )
    assert built.found(leo) == built.keys("leo_order_in_shop") != set()


@pytest.mark.parametrize(
    ("check", "statement"),
    [
        (
            "order_status_known",
            "select order_id from staging.stg_orders where order_status = 'unknown'",
        ),
        (
            "not_in_future",
            "select order_id from staging.stg_orders where order_date > '2026-07-03'",
        ),
        (
            "email_is_valid",
            "select customer_id from staging.stg_customers where customer_email is not null and not is_valid_email",
        ),
        (
            "category_exists",
            "select product_id from staging.stg_products as p where category_id is not null and not exists ("
            "select from staging.stg_categories as c where c.category_id = p.category_id)",
        ),
    ],
)
def test_dirt_of_the_shop_is_found_and_nothing_else(built: Built, check: str, statement: str) -> None:
    assert built.found(statement) == built.keys(check)


def test_the_facts_hold_the_shops_money_to_the_cent(built: Built) -> None:
    sums = built.marts.read(
        "select currency, count(*) as orders, sum(order_total) as total from marts.fct_orders "
        "where source = 'shop' group by currency"
    )
    assert {row["currency"]: (row["orders"], row["total"]) for row in sums} == {
        currency: (amounts["orders"], Decimal(amounts["total_amount"]))
        for currency, amounts in built.truth["orders"].items()
    }


def test_accounts_of_one_person_are_one_customer(built: Built) -> None:
    keys = {
        row["source_id"]: row["customer_key"]
        for row in built.marts.read(
            "select source_id, customer_key from intermediate.int_customer_links where source = 'shop'"
        )
    }
    assert set(keys) == set(built.truth["links"])
    for twin, first in built.truth["twins"].items():
        assert keys[twin] == keys[str(first)]
