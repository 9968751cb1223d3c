"""The shop of the demo world as rows: reproducible, whole, moving as a shop moves.

Beside LEO, and with its faults, it is tested in `test_demo_shop_truth`; as a real database in
`test_demo_shop_database`.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from phonenumbers import is_valid_number, parse

from cdp_assets import demo
from cdp_assets.demo.shop import shop_at, shop_rows
from cdp_assets.demo.shop_orders import NEXT_STATUS
from cdp_assets.demo.shop_schema import ROWS, columns_of
from cdp_assets.demo.shop_state import Shop
from tests.demo_shop_support import STEPS, TENANTS, State, history


@pytest.fixture(params=TENANTS)
def states(request: pytest.FixtureRequest) -> list[State]:
    return history(request.param)[0]


@pytest.fixture
def shops() -> list[Shop]:
    return history("acme-demo")[1]


def _day(shop: Shop) -> tuple[datetime, datetime]:
    end = shop.local(demo.end_of_step(shop.step))
    return end - timedelta(days=1), end


# Reproducible


def test_one_seed_gives_the_same_rows_and_another_seed_other_ones() -> None:
    first, second, other = (
        shop_rows(demo.tenant_at("acme-demo", size="tiny", seed=s, step=2)) for s in (7, 7, 8)
    )
    assert first == second
    assert all(first[table] != other[table] for table in ("customers", "orders", "products", "events"))


def test_rows_are_in_order_of_ids_with_the_columns_of_their_table() -> None:
    for tenant in ("lotus-demo", "nova-demo"):
        world = demo.tenant_at(tenant, size="tiny")
        columns = columns_of(world.spec.small_shop)
        rows = shop_rows(world)
        assert list(rows) == list(columns)
        for table, found in rows.items():
            assert [row[0] for row in found] == sorted({row[0] for row in found})
            assert {len(row) for row in found} == {len(columns[table])}


def test_one_shop_is_small_has_no_currencies_and_lies_outside_vietnam() -> None:
    (spec,) = (spec for spec in demo.TENANTS if spec.small_shop)
    columns = columns_of(small=True)
    assert list(columns) == ["customers", "products", "orders", "order_items"]
    assert not [name for names in columns.values() for name in names if "currency" in name]
    assert (spec.currency, spec.region, spec.timezone) == ("GBP", "GB", "Europe/London")
    world = demo.tenant_at(spec.id, size="tiny")
    assert {product.currency for product in world.model.products} == {"GBP"}
    phones = {person.phone for person in world.model.people if person.phone}
    assert all(is_valid_number(parse(phone)) and phone.startswith("+44") for phone in phones)
    typed = {row.phone for row in shop_at(world).customers.rows.values() if row.phone}
    assert {phone[0] for phone in typed} == {"0", "+"}, "some as they are dialled at home"


def test_an_id_means_the_same_row_at_every_step(states: list[State]) -> None:
    fixed = {
        "categories": ("parent_id",),
        "promotions": ("code",),
        "customers": ("email", "name", "crm_id"),
        "products": ("sku", "name"),
        "orders": ("order_number", "customer_id", "order_date"),
        "order_items": ("order_id", "product_id", "quantity", "unit_price"),
        "reviews": ("product_id", "customer_id"),
        "events": ("event_type", "event_time"),
    }
    seen: dict[tuple[str, int], tuple[Any, ...]] = {}
    for state in states:
        for table, rows in state.items():
            for row_id, row in rows.items():
                value = (row["created_at"], *(row[column] for column in fixed[table]))
                assert seen.setdefault((table, row_id), value) == value


# Times


def test_the_time_of_a_row_moves_exactly_when_the_row_changes_and_into_the_day_of_the_change() -> None:
    for tenant in TENANTS:
        states, shops = history(tenant)
        changed: Counter[str] = Counter()
        for before, after, shop in zip(states[:-1], states[1:], shops[1:], strict=True):
            start, end = _day(shop)
            for table, rows in after.items():
                for row_id in rows.keys() & before[table].keys():
                    old, new = dict(before[table][row_id]), dict(rows[row_id])
                    was, is_now = old.pop("updated_at"), new.pop("updated_at")
                    assert (old != new) == (was != is_now)
                    if old != new:
                        changed[table] += 1
                        assert start <= is_now < end
        edited = {"categories", "promotions", "customers", "products", "orders"} & states[0].keys()
        assert min(changed[table] for table in edited) > 0


def test_a_new_row_is_of_its_day_unless_its_transaction_committed_late_or_it_was_restored() -> None:
    late: Counter[str] = Counter()
    restored = 0
    for tenant in TENANTS:
        states, shops = history(tenant)
        for step, (before, after, shop) in enumerate(
            zip(states[:-1], states[1:], shops[1:], strict=True), start=1
        ):
            start, end = _day(shop)
            for table, rows in after.items():
                for row_id in rows.keys() - before[table].keys():
                    row = rows[row_id]
                    assert row["created_at"] <= row["updated_at"] < end
                    if row["updated_at"] >= start:
                        continue
                    # An hour behind the batch of the day before: out of reach of any overlap.
                    assert row["updated_at"] < start - timedelta(hours=1)
                    known_before = any(row_id in state[table] for state in states[:step])
                    restored += known_before
                    late[table] += not known_before
    assert late.keys() == ROWS.keys()
    assert restored


def test_rows_are_hard_deleted_and_some_orders_come_back_as_they_were(states: list[State]) -> None:
    gone = [before["orders"].keys() - after["orders"].keys() for before, after in pairwise(states)]
    assert all(len(ids) <= 0.05 * len(states[0]["orders"]) for ids in gone)
    assert any(gone)
    back = [
        (step, row_id)
        for step, ids in enumerate(gone)
        for row_id in ids
        if step + 2 <= STEPS and row_id in states[step + 2]["orders"]
    ]
    assert back
    for step, row_id in back:
        assert states[step]["orders"][row_id] == states[step + 2]["orders"][row_id]
        items = [item for item in states[step]["order_items"].values() if item["order_id"] == row_id]
        assert items
        assert all(states[step + 2]["order_items"][item["id"]] == item for item in items)


def test_customers_and_reviews_are_hard_deleted_too() -> None:
    states = history("acme-demo")[0]
    for table in ("customers", "reviews"):
        assert any(b[table].keys() - a[table].keys() for b, a in pairwise(states))


def test_the_nightly_batch_ties_many_rows_at_one_instant(states: list[State]) -> None:
    for table in ("customers", "products"):
        last = Counter(row["updated_at"] for row in states[-1][table].values())
        assert max(last.values()) > 1


def test_statuses_move_forward_with_their_time(shops: list[Shop]) -> None:
    moved = 0
    for before, after in pairwise(shops):
        for order in before.orders.rows.keys() & after.orders.rows.keys():
            old, new = before.status_of[order], after.status_of[order]
            if old != new:
                moved += 1
                assert new in {NEXT_STATUS.get(old), "completed", "cancelled"}
                assert after.orders.rows[order].updated_at > before.orders.rows[order].updated_at
    assert moved > 5


def test_an_order_that_leo_restates_is_restated_in_the_shop_on_the_same_day(shops: list[Shop]) -> None:
    checked = 0
    days = demo.tenant_at("acme-demo", size="tiny", step=STEPS).days
    for shop, day in zip(shops[1:], days, strict=True):
        for number, status in day.restated:
            order = shop.order_of.get(number)
            if order in shop.orders.rows.keys() - shop.orders.late and shop.status_of[order] != "unknown":
                checked += 1
                assert shop.status_of[order] == ("cancelled" if status == "refunded" else status)
    assert checked


# References and shape


def test_every_reference_has_its_row_save_the_planted_category(states: list[State]) -> None:
    for state in states:
        for item in state["order_items"].values():
            assert item["order_id"] in state["orders"]
            assert item["product_id"] in state["products"]
        for order in state["orders"].values():
            assert order["customer_id"] in state["customers"]
            assert order.get("promotion_id") is None or order["promotion_id"] in state["promotions"]
        if "categories" not in state:
            continue  # a small shop
        for review in state["reviews"].values():
            assert review["customer_id"] in state["customers"]
            assert review["product_id"] in state["products"]
        orphans = [
            product["id"]
            for product in state["products"].values()
            if product["category_id"] not in {None, *state["categories"]}
        ]
        assert len(orphans) == 1
        named = {product["category_id"] for product in state["products"].values()} & state[
            "categories"
        ].keys()
        assert named
        assert all(state["categories"][category]["parent_id"] for category in named), "products lie in leaves"


def test_every_order_has_items_and_addresses_are_unique_in_their_spelling(states: list[State]) -> None:
    for state in states:
        assert {item["order_id"] for item in state["order_items"].values()} == state["orders"].keys()
        emails = [customer["email"] for customer in state["customers"].values()]
        assert len(set(emails)) == len(emails)
        skus = [product["sku"] for product in state["products"].values()]
        assert len(set(skus)) == len(skus)
