"""What the shop of the demo world says of itself: its orders beside LEO's, figures, links, a ledger of its faults."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from cdp_assets import demo
from cdp_assets.demo.advance import advance_tenant
from cdp_assets.demo.model import EMPTY_TRANSACTION
from cdp_assets.demo.shop import shop_at
from cdp_assets.demo.shop_state import Shop
from cdp_assets.demo.shop_truth import LEO_ORDERS, email_key, phone_key, shop_defects, shop_truth
from cdp_assets.sources.model import CONVERSION, TRACKING_EVENT
from cdp_assets.vocabulary.event_types import EVENT_TYPES, LEO_CONVERSIONS, LEO_NAMES, NAMES, event_type
from cdp_assets.vocabulary.order_statuses import UNKNOWN, order_status
from tests.demo_shop_support import STEPS, TENANTS, history, small, state_of


@pytest.fixture
def shops() -> list[Shop]:
    return history("acme-demo")[1]


# Beside LEO


@pytest.mark.parametrize("step", [0, 3])
@pytest.mark.parametrize("tenant", TENANTS)
def test_an_order_that_both_know_has_the_lines_person_and_currency_of_leo(tenant: str, step: int) -> None:
    world = demo.tenant_at(tenant, size="tiny", step=step)
    shop = shop_at(world)
    skus = {row.id: row.sku.strip().upper() for row in shop.products.rows.values()}
    here: dict[str, list[tuple[str, int, Decimal, str]]] = {}
    for item in shop.order_items.rows.values():
        order = shop.orders.rows[item.order_id]
        line = (skus[item.product_id], item.quantity, item.quantity * item.unit_price, order.currency)
        here.setdefault(order.order_number, []).append(line)
    products = {p.key: p.sku for p in world.model.products}
    leo: dict[str, list[tuple[str, int, Decimal, str]]] = {}
    for edge in world.database.documents(CONVERSION):
        if edge["transactionId"] == EMPTY_TRANSACTION:
            continue
        sku = products[edge["_to"].partition("/")[2]]
        value = Decimal(str(edge["transactionValue"]))
        leo.setdefault(edge["transactionId"], []).append((sku, edge["quantity"], value, edge["currencyCode"]))
    shared = shop_truth(world)["shared_orders"]
    assert set(shared) == here.keys() & leo.keys()
    assert len(shared) > 0.9 * len(here)
    for number in shared:
        assert sorted(here[number]) == sorted(leo[number])
    people = {
        purchase.order_id: purchase.profile.person.number
        for purchases in (world.model.purchases, *(day.purchases for day in world.days))
        for purchase in purchases
    }
    for order in shop.orders.rows.values():
        if order.order_number in people:
            assert shop.person_of[order.customer_id] == people[order.order_number]


def test_leo_itself_is_as_it_was_before_the_shop_was_rendered() -> None:
    untouched, rendered = (demo.tenant_at("acme-demo", size="tiny", step=1) for _ in range(2))
    shop_truth(rendered)
    shop_defects(rendered)
    advance_tenant(untouched)
    advance_tenant(rendered)
    assert demo.leo_documents(untouched) == demo.leo_documents(rendered)


def test_in_store_purchases_without_a_number_are_leo_only_and_telephone_orders_shop_only() -> None:
    truth = shop_truth(small())
    share = len(truth["only_in_shop"]) / truth["rows"]["orders"]
    assert 0.01 < share < 0.02
    assert all(number.startswith("TEL-") for number in truth["only_in_shop"])
    assert 0.008 < len(truth["only_in_leo"]) / truth["rows"]["orders"] < 0.013
    untracked = {p.order_id for p in small().model.purchases if not p.tracked}
    assert untracked.isdisjoint(truth["shared_orders"])


# The truth


@pytest.mark.parametrize("step", [0, 4])
@pytest.mark.parametrize("tenant", TENANTS)
def test_the_figures_of_the_truth_are_those_of_the_rows(tenant: str, step: int) -> None:
    world = demo.tenant_at(tenant, size="tiny", step=step)
    state, shop, truth = state_of(shop_at(world)), shop_at(world), shop_truth(world)
    assert truth["rows"] == {table: len(rows) for table, rows in state.items()}
    for currency, figures in truth["orders"].items():
        # orders of a small shop name no currency: they are in its tenant's
        orders = {
            i: o for i, o in state["orders"].items() if o.get("currency", world.spec.currency) == currency
        }
        items = [item for item in state["order_items"].values() if item["order_id"] in orders]
        assert figures["orders"] == len(orders)
        assert Decimal(figures["total_amount"]) == sum(o["total_amount"] for o in orders.values())
        assert Decimal(figures["lines"]) == sum(i["quantity"] * i["unit_price"] for i in items)
    assert sum(figures["orders"] for figures in truth["orders"].values()) == len(state["orders"])
    assert sum(truth["statuses"].values()) == len(state["orders"])
    assert truth["links"].keys() == {str(customer) for customer in state["customers"]}
    assert truth["persons"] == len(state["customers"]) - len(truth["twins"])
    assert json.loads(json.dumps(truth)) == truth
    numbers = {order["order_number"] for order in state["orders"].values()}
    assert numbers == set(truth["shared_orders"]) | set(truth["only_in_shop"])
    assert shop.missing.isdisjoint(numbers)


def test_customers_are_linkable_by_every_rule_and_strangers_are_a_twelfth() -> None:
    truth = shop_truth(small())
    rules = Counter(link["rule"] for link in truth["links"].values())
    assert {"crm_id", "email", "phone", "none", "stranger", "ambiguous"} <= rules.keys()
    assert 0.06 < truth["strangers"] / truth["rows"]["customers"] < 0.1
    assert len(truth["links"]) < 0.7 * len(small().model.people), "some people are in LEO only"
    for link in truth["links"].values():
        if link["rule"] in ("crm_id", "email", "phone"):
            assert link["profiles"]
        if link["rule"] == "stranger":
            assert not link["profiles"]


def test_a_link_that_finds_one_profile_finds_one_of_the_same_person() -> None:
    world = small()
    shop, truth = shop_at(world), shop_truth(world)
    by_crm = {p.crm_id: p.person.number for p in world.model.profiles if p.crm_id}
    for customer, row in shop.customers.rows.items():
        if row.crm_id:
            assert by_crm[row.crm_id] == shop.person_of[customer]
        if truth["links"][str(customer)]["rule"] == "stranger":
            assert row.crm_id is None


def test_keys_of_contacts_see_through_their_spelling() -> None:
    assert email_key(" An.Le+Shop@Example.COM ") == "an.le@example.com"
    assert email_key("khach12.example.com") == email_key("guest3@") == email_key("4@@example.com") == ""
    assert phone_key("0903 555 121", "VN") == phone_key("+84903555121", "GB") == "+84903555121"
    assert phone_key("07911 123456", "GB") == "+447911123456"
    assert phone_key("+1 (512) 555-0144", "VN") == "+15125550144"
    assert phone_key("gọi sau 17h: zalo", "VN") == phone_key("", "VN") == ""


# Planted faults


def _lines(shop: Shop) -> dict[int, Decimal]:
    """Order id -> sum of its items."""
    lines: dict[int, Decimal] = {}
    for item in shop.order_items.rows.values():
        lines[item.order_id] = lines.get(item.order_id, Decimal(0)) + item.quantity * item.unit_price
    return lines


def _found(shop: Shop) -> set[tuple[str, str, str]]:
    """The faults that can be seen in the rows of a shop: (collection, key, check)."""
    lines = _lines(shop)
    found = set()
    for order in shop.orders.rows.values():
        if abs(order.total_amount - lines[order.id]) > Decimal("0.01"):
            found.add(("raw.orders", str(order.id), "order_total_matches_lines"))
        meant = order_status(order.status)
        if meant == UNKNOWN:
            found.add(("raw.orders", str(order.id), "order_status_known"))
        assert meant == shop.status_of[order.id]
    for customer in shop.customers.rows.values():
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", customer.email):
            found.add(("raw.customers", str(customer.id), "email_is_valid"))
    for product in shop.products.rows.values():
        if product.category_id is not None and product.category_id not in shop.categories.rows:
            found.add(("raw.products", str(product.id), "category_exists"))
    return found


@pytest.mark.parametrize("step", [0, STEPS])
@pytest.mark.parametrize("tenant", TENANTS)
def test_the_ledger_names_exactly_the_faults_that_the_rows_show(tenant: str, step: int) -> None:
    world = demo.tenant_at(tenant, size="tiny", step=step)
    ledger = {(line["collection"], line["key"], line["expected_check"]) for line in shop_defects(world)}
    checks = {"order_total_matches_lines", "order_status_known", "email_is_valid", "category_exists"}
    assert {entry for entry in ledger if entry[2] in checks} == _found(shop_at(world))
    truth = shop_truth(world)
    unknown = {key for collection, key, check in ledger if check == "leo_order_in_shop"}
    assert unknown == set(truth["only_in_leo"])
    assert sum(check == "shop_order_in_leo" for _, _, check in ledger) == len(truth["only_in_shop"])
    assert all(entry[0] == LEO_ORDERS for entry in ledger if entry[2] == "leo_order_in_shop")


def test_every_kind_of_fault_is_planted_in_its_share() -> None:
    shop = shop_at(small())
    kinds = Counter(planted.name for planted in shop.planted)
    orders = len(shop.orders.rows)
    assert kinds.keys() == {
        "total_off_by_cents", "total_off", "status_unknown", "email_invalid", "category_missing",
        "customer_twice_email_case", "customer_twice_plus_tag", "customer_twice_phone_format",
        "customer_twice_accents_lost", "order_ahead", "order_long_ago", "discount_over_100", "promotion_since_1900",
    }  # fmt: skip
    assert 0.008 < kinds["total_off_by_cents"] / orders < 0.012
    assert 0.001 < kinds["total_off"] / orders < 0.003
    assert 0.01 < shop_truth(small())["misspelt_statuses"] / orders < 0.06
    lines = _lines(shop)
    surplus = {
        abs(shop.orders.rows[planted.id].total_amount - lines[planted.id])
        for planted in shop.planted
        if planted.name == "total_off_by_cents"
    }
    assert surplus <= {Decimal(n) for n in range(2, 6)} | {Decimal(n) / 100 for n in range(2, 6)}


def test_the_largest_tiny_shop_shows_every_kind_of_second_account() -> None:
    names = {planted.name for planted in history("acme-demo")[1][0].planted}
    assert len([name for name in names if name.startswith("customer_twice")]) == 4


def test_names_and_contacts_are_dirty() -> None:
    rows = shop_at(small()).customers.rows.values()
    assert any(row.name != row.name.strip() for row in rows)
    assert any(re.search("[\u0300-\u036f]", row.name) for row in rows)
    assert any("\N{LATIN CAPITAL LETTER ETH}" in row.name for row in rows)
    assert any(row.phone and re.search(r"\d[\u200b\u2011]\d", row.phone) for row in rows)
    said = " ".join(review.text for review in small().model.reviews)
    assert all(number in said for number in ("0912,345,678", "0903|555|121", "0987:654:321"))
    assert any(row.phone is None for row in rows)
    assert any(row.phone and row.phone.startswith("0") for row in rows)


def test_the_truth_folder_tells_of_the_shops(tmp_path: Path) -> None:
    demo.generate(tmp_path, size="tiny", tenants=["nova-demo"])
    demo.advance(tmp_path)
    world = demo.tenant_at("nova-demo", size="tiny", step=1)
    written = json.loads((tmp_path / "_truth" / "shop.json").read_text())
    assert written == {"step": 1, "tenants": {"nova-demo": shop_truth(world)}}
    lines = (tmp_path / "_truth" / "shop_defects.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == shop_defects(world)


def test_the_ledger_of_leo_has_the_same_orders_without_a_shop(shops: list[Shop]) -> None:
    """Tracked orders of LEO are those that its events carry, which is what the shop is rendered from."""
    world = demo.tenant_at("acme-demo", size="tiny")
    carried = {
        event["transactionId"]
        for event in world.database.documents(TRACKING_EVENT)
        if event["orderedItems"] and event["transactionId"]
    }
    numbers = {o.order_number for o in (*shops[0].orders.rows.values(), *shops[0].orders.held)}
    tracked = {number for number in numbers if not number.startswith("TEL-")}
    assert tracked | shops[0].missing == carried


# Words of others


def test_every_name_that_leo_has_for_an_event_is_used_and_purchases_have_edges_of_the_same_name() -> None:
    events = {
        event["metricName"] for event in small().database.documents(TRACKING_EVENT) if "metricName" in event
    }
    edges = {edge["eventMetricId"] for edge in small().database.documents(CONVERSION)}
    said_in_reviews = {name for name, meant in LEO_NAMES.items() if meant in {"review", "share"}}
    assert events >= LEO_NAMES.keys() - said_in_reviews
    assert edges == set(LEO_CONVERSIONS)
    flagged = {
        event["metricName"] for event in small().database.documents(TRACKING_EVENT) if event["isConversion"]
    }
    assert flagged == set(LEO_CONVERSIONS)


def test_a_shop_of_many_tools_uses_every_name_of_a_purchase_and_of_the_way_to_it() -> None:
    shop = shop_at(demo.tenant_at("lotus-demo", size="small", step=1))
    said = {event.event_type for event in shop.events.rows.values()}
    for meant in ("view", "add_to_cart", "checkout_start", "purchase"):
        assert said >= set(NAMES[meant]), meant
    assert {event_type(word) for word in said} <= set(EVENT_TYPES)
    states = [order.status for order in shop.orders.rows.values()]
    assert {"wc-completed", "hoàn thành", "wc-cancelled"} <= set(states)
