"""The canonical model over rows of both sources as they land: who is one customer, one product, one purchase."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.conftest import Server
from tests.databases import shared_database
from tests.dbt_support import Dbt, write

_tenants = count(1)


@pytest.fixture(scope="module")
def dbt(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dbt]:
    """dbt on a database that has every view."""
    with shared_database(postgres, "dbt_canonical") as name:
        opened = Dbt(postgres, name, tmp_path_factory.mktemp("dbt"))
        opened("run", "--select", "staging", "intermediate")
        yield opened


class World:
    """Rows of one tenant in both sources, and what the views make of them."""

    def __init__(self, dbt: Dbt) -> None:
        self._dbt, self.tenant = dbt, f"world{next(_tenants)}"
        self._dsn = dbt.server.dsn(dbt.database, user="cdp_pipeline")

    def account(self, customer_id: int, **values: Any) -> None:
        """An account in the shop."""
        write(self._dsn, self.tenant, "raw.customers", {"id": customer_id, **values})

    def profile(self, key: str, *, into: str | None = None, **values: Any) -> None:
        """A LEO profile, merged `into` another or active."""
        merged = {"root_profile_id": into, "merged_into": into, "status": "merged"} if into else {}
        write(self._dsn, self.tenant, "cdp.customer_profile", {"cdp_profile_id": key, **merged, **values})

    def order(self, order_id: int, *lines: tuple[int, int, str], **values: Any) -> None:
        """An order of the shop with its lines: product, quantity, price."""
        write(self._dsn, self.tenant, "raw.orders", {"id": order_id, **values})
        for place, (product, quantity, price) in enumerate(lines):
            row = {"order_id": order_id, "product_id": product, "quantity": quantity, "unit_price": price}
            write(self._dsn, self.tenant, "raw.order_items", {"id": order_id * 10 + place, **row})

    def row(self, table: str, **values: Any) -> None:
        """One row of any landing table."""
        write(self._dsn, self.tenant, table, values)

    def change(self, statement: str) -> None:
        """An update or delete by the pipeline."""
        with psycopg.connect(self._dsn, options=f"-c app.tenant_id={self.tenant}") as conn:
            assert conn.execute(statement).rowcount > 0

    def read(self, statement: str) -> list[dict[str, Any]]:
        """Rows as dbt's role sees them."""
        return self._dbt.read(statement, tenant=self.tenant)

    def keys(self) -> dict[str, str]:
        """`shop 1` or `leo p1` -> customer key."""
        links = self.read(
            "select source || ' ' || source_id as record, customer_key from intermediate.int_customer_links"
        )
        return {row["record"]: row["customer_key"] for row in links}


@pytest.fixture
def world(dbt: Dbt) -> World:
    """A tenant without rows."""
    return World(dbt)


def test_a_person_typed_in_many_ways_is_one_customer(world: World) -> None:
    world.profile("p1", email="ana@x.vn", full_name="Ana Nguyễn")
    world.profile("p0", into="p1", phone="+84912345678")
    world.account(1, name="ANA NGUYEN", email="Ana+Shop@X.vn ")
    world.account(2, name="Ana Nguyễn ", email="other@x.vn", phone="0912 345 678")
    assert set(world.keys().values()) == {"leo:p1"}
    (customer,) = world.read("select * from intermediate.int_customers")
    assert customer["customer_name"] == "Ana Nguyễn"
    assert (customer["shop_customer_ids"], customer["profile_ids"]) == ([1, 2], ["p1", "p0"])
    assert (customer["customer_email"], customer["phone_key"]) == ("ana@x.vn", "+84912345678")


def test_a_household_phone_joins_nobody(world: World) -> None:
    world.profile("p1", phone="+84912345678", full_name="Lan")
    world.account(1, name="Lan", email="lan@x.vn", phone="0912345678")
    world.account(2, name="Mai", email="mai@x.vn", phone="0912345678")
    assert world.keys() == {"leo p1": "leo:p1", "shop 1": "shop:1", "shop 2": "shop:2"}


def test_an_address_that_two_profiles_hold_links_to_neither(world: World) -> None:
    world.profile("p1", email="office@x.vn")
    world.profile("p2", email="office@x.vn")
    world.account(1, email="office@x.vn")
    assert world.keys()["shop 1"] == "shop:1"


def test_a_removed_profile_is_no_customer_and_its_purchases_are_of_nobody(world: World) -> None:
    world.profile("p1", email="ana@x.vn", status="removed")
    world.account(1, email="ana@x.vn")
    world.row("cdp.transactional_context", txn_id="t1", cdp_profile_id="p1", product_key="k1", currency="VND")
    assert world.keys() == {"shop 1": "shop:1"}
    assert [row["customer_key"] for row in world.read("select * from intermediate.int_customers")] == [
        "shop:1"
    ]
    assert [row["customer_key"] for row in world.read("select * from intermediate.int_purchases")] == [
        "unknown"
    ]


def test_a_deleted_account_leaves_its_orders_to_nobody(world: World) -> None:
    world.account(1, email="ana@x.vn")
    world.order(5, (1, 2, "3.50"), customer_id=1, status="done")
    assert world.read("select customer_key from intermediate.int_purchases") == [{"customer_key": "shop:1"}]
    world.change("update raw.customers set _deleted_at = now() where id = 1")
    assert world.read("select customer_key from intermediate.int_purchases") == [{"customer_key": "unknown"}]
    (order,) = world.read("select * from intermediate.int_orders_enriched")
    assert (order["customer_id"], order["customer_name"]) == (1, None)


def test_an_order_known_to_both_counts_once_with_the_shops_lines(world: World) -> None:
    line = {"cdp_profile_id": "p1", "product_key": "k1", "currency": "VND"}
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    world.order(
        5, (1, 2, "3.50"), (2, 1, "4"), order_number="O-5", status="done", currency="vnd", order_date=noon
    )
    world.row(
        "cdp.transactional_context", txn_id="t1", transaction_id="O-5", amount=999, txn_timestamp=noon, **line
    )
    world.row("cdp.transactional_context", txn_id="t2", transaction_id="O-6", amount=8, quantity=2, **line)
    purchases = world.read("select * from intermediate.int_purchases order by purchase_key")
    assert [(p["purchase_key"], p["line_total"], p["is_known_to_both"]) for p in purchases] == [
        ("leo:t2", 8, False), ("shop:50", 7, True), ("shop:51", 4, True)]  # fmt: skip
    assert {p["currency"] for p in purchases} == {"VND"}


def test_a_number_alone_joins_no_orders(world: World) -> None:
    """A shop without order numbers: its order 5 is not the one that LEO knew as 5 two years ago."""
    world.order(5, (1, 1, "90"), status="done", order_date=datetime(2026, 6, 1, tzinfo=UTC))
    line = {"cdp_profile_id": "p9", "product_key": "k1", "txn_timestamp": datetime(2024, 1, 1, tzinfo=UTC)}
    world.row("cdp.transactional_context", txn_id="t1", transaction_id="5", amount=7, **line)
    purchases = world.read(
        "select order_key, line_total, is_known_to_both from intermediate.int_purchases order by 1"
    )
    assert [tuple(row.values()) for row in purchases] == [("leo:5", 7, False), ("shop:5", 90, False)]


def test_a_number_that_two_people_used_is_two_orders(world: World) -> None:
    for place, profile in enumerate(("p1", "p2")):
        world.profile(profile)
        world.row(
            "cdp.transactional_context", txn_id=f"t{place}", transaction_id="T-1", amount=10 * (place + 1),
            cdp_profile_id=profile, product_key="k1", txn_timestamp=datetime(2026, 6, 1 + place, tzinfo=UTC),
        )  # fmt: skip
    purchases = world.read(
        "select order_key, customer_key, line_total from intermediate.int_purchases order by 3"
    )
    assert [tuple(row.values()) for row in purchases] == [
        ("leo:T-1", "leo:p1", 10), ("leo:T-1:leo:p2", "leo:p2", 20)]  # fmt: skip


def test_a_stock_code_of_two_products_is_one_of_them_everywhere(world: World) -> None:
    """By number, not by letter: 9 comes before 10."""
    for product in (9, 10):
        world.row("raw.products", id=product, sku="AB-1", name="Cup")
    world.row("cdp.product_item", product_key="k1", item_id="ab-1")
    world.row("cdp.transactional_context", txn_id="t1", cdp_profile_id="p1", product_key="k1", amount=1)
    bought = world.read("select product_key from intermediate.int_purchases")
    seen = world.read(
        "select key as product_key from intermediate.int_event_links where reference = 'sku:AB-1'"
    )
    assert bought == seen == [{"product_key": "shop:9"}]


def test_an_order_that_the_shop_loses_is_told_by_leo_again(world: World) -> None:
    world.order(5, (1, 2, "3.50"), order_number="O-5")
    world.row(
        "cdp.transactional_context", txn_id="t1", transaction_id="O-5", cdp_profile_id="p1", product_key="k1"
    )
    world.change("update raw.orders set _deleted_at = now()")
    world.change("update raw.order_items set _deleted_at = now()")
    assert world.read("select purchase_key from intermediate.int_purchases") == [{"purchase_key": "leo:t1"}]


def test_a_line_that_comes_before_its_order_is_kept_and_repaired_later(world: World) -> None:
    world.account(1)
    world.row("raw.order_items", id=50, order_id=5, product_id=1, quantity=1, unit_price=2)
    columns = "select purchase_key, order_key, order_status, customer_key from intermediate.int_purchases"
    assert [tuple(row.values()) for row in world.read(columns)] == [
        ("shop:50", "shop:5", "unknown", "unknown")
    ]
    world.order(5, customer_id=1, status="done")
    assert [tuple(row.values()) for row in world.read(columns)] == [
        ("shop:50", "shop:5", "completed", "shop:1")
    ]


def test_a_shop_without_the_newer_columns_has_numbers_and_currency_all_the_same(world: World) -> None:
    world.order(5, (1, 1, "2"), status="done")
    assert world.read("select order_number, currency, channel from intermediate.int_purchases") == [
        {"order_number": "5", "currency": "USD", "channel": "unknown"}]  # fmt: skip
    world.row("cdp.transactional_context", txn_id="t1", cdp_profile_id="p1", product_key="k1", currency="VND")
    found = world.read("select source, currency from intermediate.int_purchases order by source desc")
    assert [tuple(row.values()) for row in found] == [("shop", "USD"), ("leo", "VND")]


def test_a_product_of_both_sources_is_one_with_its_category_path(world: World) -> None:
    world.row("raw.categories", id=1, name="Home")
    world.row("raw.categories", id=2, name="Kitchen", parent_id=1)
    world.row("raw.products", id=1, sku="ab-1", name="Cup", price=5, category_id=2)
    world.row(
        "cdp.product_item", product_key="k1", item_id="AB-1 ", brand="Acme", title="A cup", currency="VND"
    )
    world.row("cdp.product_item", product_key="k2", item_id="zz", title="Card", currency="VND")
    products = world.read("select * from intermediate.int_products order by product_key desc")
    assert [(p["product_key"], p["product_name"], p["brand"], p["category_path"]) for p in products] == [
        ("shop:1", "Cup", "Acme", "Home > Kitchen"), ("leo:k2", "Card", None, None)]  # fmt: skip


def test_categories_in_a_circle_come_to_an_end(world: World) -> None:
    world.row("raw.categories", id=1, name="A", parent_id=2)
    world.row("raw.categories", id=2, name="B", parent_id=1)
    world.row("raw.categories", id=3, name="Own", parent_id=3)
    paths = world.read(
        "select category_path, is_in_circle from intermediate.int_category_paths order by category_id"
    )
    assert [tuple(row.values()) for row in paths] == [("B > A", True), ("A > B", True), ("Own", True)]


HANDLES = st.sampled_from(["a", "b", "c", None])
ACCOUNTS = st.lists(st.tuples(HANDLES, HANDLES, HANDLES, HANDLES), max_size=6)
PROFILES = st.lists(st.tuples(HANDLES, HANDLES, HANDLES, st.booleans()), max_size=5)


@pytest.mark.slow
@given(accounts=ACCOUNTS, profiles=PROFILES)
@hypothesis_settings(max_examples=25)
def test_links_are_what_the_rules_say_read_one_record_at_a_time(
    dbt: Dbt,
    accounts: list[tuple[str | None, str | None, str | None, str | None]],
    profiles: list[tuple[str | None, str | None, str | None, bool]],
) -> None:
    world = World(dbt)
    roots: list[tuple[str, str | None, str | None, str | None]] = []
    root = ""
    for place, (email, phone, crm, is_merged) in enumerate(profiles):
        into = root if is_merged and root else None
        key = f"p{place}"
        root = into or key
        roots.append((root, email, phone, crm))
        world.profile(
            key, into=into, email=email and f"{email}@x.vn", phone=phone and number(phone), crm_id=crm
        )
    for place, (email, phone, name, crm) in enumerate(accounts):
        world.account(
            place, email=email and f"{email}@x.vn", phone=phone and number(phone), name=name, crm_id=crm
        )
    found = world.keys()
    assert {key: value for key, value in found.items() if key.startswith("shop ")} == expected(
        accounts, roots
    )
    assert len(found) == len(accounts) + len(profiles)
    seen = world.read("select customer_key from intermediate.int_customers")
    assert sorted(row["customer_key"] for row in seen) == sorted(set(found.values()))


def number(letter: str) -> str:
    """A Vietnamese mobile number for a letter."""
    return f"+8491234567{ord(letter) - ord('a')}"


def expected(
    accounts: list[tuple[str | None, str | None, str | None, str | None]],
    profiles: list[tuple[str, str | None, str | None, str | None]],
) -> dict[str, str]:
    """Customer of each account by the rules, slowly; accounts are (email, phone, name, crm), profiles (root, …)."""
    speaker = [
        min(j for j, b in enumerate(accounts) if i == j or (a[0] and a[0] == b[0]))
        for i, a in enumerate(accounts)
    ]
    person = {
        i: min(
            j
            for j in set(speaker)
            if i == j or (accounts[i][1] and accounts[i][2] and accounts[i][1:3] == accounts[j][1:3])
        )
        for i in set(speaker)
    }
    of = [person[speaker[i]] for i in range(len(accounts))]
    keys = {}
    for i in range(len(accounts)):
        members = [j for j in range(len(accounts)) if of[j] == of[i]]
        choices = []
        for mine, theirs in ((3, 3), (0, 1), (1, 2)):
            for j in members:
                handle = accounts[j][mine]
                holders = {profile[0] for profile in profiles if profile[theirs] == handle}
                shared = {of[k] for k in range(len(accounts)) if accounts[k][mine] == handle}
                if handle and len(holders) == 1 and (mine != 1 or len(shared) == 1):
                    choices.append(f"leo:{holders.pop()}")
        keys[f"shop {i}"] = choices[0] if choices else f"shop:{of[i]}"
    return keys
