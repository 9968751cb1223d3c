"""The keys by which a shop's customers meet LEO's profiles are made by the same functions, and kept with the row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cdp_assets.landing.profile import map_profile
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.options import TenantOptions
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import Server
from tests.documents import profile_document
from tests.shop_support import PROMPT, TestShop, ask, assert_in_step, shop_database, written

T = "acme"
TYPED = [
    ("\u00d0ặng Văn A", "LAN+shop@X.vn", "0912 345 678"),
    ("dang van a", "la\u200bn@x.vn", "+840912345678"),
    ("ĐẶNG VĂN A", "lan@xn--bcher-kva.example", "912345678.0"),
    ("Đặng\u00a0Văn A.", "lan@bücher.example", "01692345678"),
    ("", "no address", "call me"),
    (None, None, None),
]
COLUMNS = "name, email, phone, _name_key, _email_key, _phone_key"
KEYS = f"select {COLUMNS} from raw.customers where _deleted_at is null order by id"


@pytest.fixture
def shop(postgres: Server) -> Iterator[TestShop]:
    with shop_database(postgres) as made:
        made.execute("alter table customers alter name drop not null")
        for row in TYPED:
            made.execute("insert into customers (name, email, phone) values (%s, %s, %s)", *row)
        yield made


def test_the_shop_and_leo_give_one_key_to_what_one_person_typed(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    shop.extract(warehouse, T, tables=["customers"])
    assert_in_step(shop, warehouse, T, ("customers",))
    rows = ask(warehouse, T, KEYS)
    assert [row[:3] for row in rows] == TYPED
    for name, email, phone, name_key, email_key, phone_key in rows:
        profile = map_profile(
            profile_document(
                firstName=name, middleName="", lastName="", primaryEmail=email, primaryPhone=phone
            ),
            TenantOptions(),
        ).values
        assert (email_key, phone_key) == (profile["email_key"], profile["phone"])
        assert name_key in ("dang van a", None)
    assert [row[4] for row in rows] == [
        "lan@x.vn",
        "lan@x.vn",
        "lan@bücher.example",
        "lan@bücher.example",
        None,
        None,
    ]
    assert [row[5] for row in rows] == [*["+84912345678"] * 3, "+84392345678", None, None]


def test_another_region_gives_every_row_its_key_anew(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    shop.execute("insert into customers (name, phone) values ('Kim', '07911 123456')")
    shop.extract(warehouse, T, tables=["customers"])
    british = replace(PROMPT, default_region="GB")
    assert written(shop.extract(warehouse, T, options=british, tables=["customers"])) > 0
    assert ask(warehouse, T, "select _phone_key from raw.customers where name = 'Kim'") == [
        ("+447911123456",)
    ]
    assert written(shop.extract(warehouse, T, options=british, tables=["customers"])) == 0


def test_rows_of_an_older_release_get_their_keys_at_the_next_load(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    shop.extract(warehouse, T, tables=["customers"])
    before = ask(warehouse, T, KEYS)
    with warehouse.tenant(T) as conn:
        conn.execute("update raw.customers set _name_key = null, _email_key = null, _phone_key = null")
        conn.execute(
            "update ops.watermark set contract_version = 'raw.customers/1/older' where collection = 'raw.customers'"
        )
    assert shop.extract(warehouse, T, tables=["customers"])["customers"].mode == "full"
    assert ask(warehouse, T, KEYS) == before


def test_a_changed_contact_changes_its_key_and_a_tombstone_clears_it(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    shop.extract(warehouse, T, tables=["customers"])
    shop.execute("update customers set phone = '0987 654 321' where id = 1")
    shop.extract(warehouse, T, tables=["customers"])
    assert ask(warehouse, T, "select _phone_key from raw.customers where id = 1") == [("+84987654321",)]
    shop.execute("delete from customers where id = 1")
    shop.extract(warehouse, T, "sweep", tables=["customers"])
    gone = ask(warehouse, T, f"select {COLUMNS} from raw.customers where _deleted_at is not null")
    assert gone == [(None,) * 6]
