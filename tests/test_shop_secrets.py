"""No secret of a shop lands, whatever its name's style and however deep it stands in a column that no spec knows."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import Server
from tests.shop_support import ROWS, TestShop, ask, shop_database

T = "acme"
CANARY = "CANARY-79f1"


@pytest.fixture
def shop(postgres: Server) -> Iterator[TestShop]:
    with shop_database(postgres, rows=ROWS) as made:
        yield made


def test_columns_with_the_names_of_secrets_are_left_out(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    for name in ("encrypted_password", "resetPasswordToken", "so_cccd", "cardNo", "otp", "mật_khẩu"):
        shop.execute(f"alter table customers add \"{name}\" text default '{CANARY}'")
    shop.execute("alter table customers add loyalty text default 'gold'")
    result = shop.extract(warehouse, T, tables=["customers"])["customers"]
    assert ask(warehouse, T, "select distinct _extra from raw.customers") == [({"loyalty": "gold"},)]
    assert "cardNo" in "".join(result.drift)


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_payloads_are_freed_of_secrets_at_any_depth(
    shop: TestShop, warehouse: Warehouse, acme: Tenant, kind: str
) -> None:
    shop.execute(f"alter table orders add meta {kind}, add note text")
    inner = json.dumps({"mat_khau": CANARY, "kept": 1})
    payload = {
        "a": [{"cardNumber": CANARY, "deep": json.dumps([json.dumps({"otp": CANARY}), "\ufeff" + inner])}],
        "b": "ok",
    }
    shop.execute("update orders set meta = %s where id <= 3", json.dumps(payload))
    shop.execute("update orders set note = %s where id = 4", f"https://x.vn/?id=7&access_token={CANARY}#top")
    shop.execute("update orders set note = %s where id = 5", f"citizen:{CANARY}")
    shop.extract(warehouse, T, tables=["orders"])
    rows = ask(warehouse, T, "select _extra::text from raw.orders order by id")
    assert len(rows) == 7
    assert not [row for row in rows if CANARY in row[0]]
    assert "kept" in rows[0][0]
    assert "id=7" in rows[3][0]


def test_a_rejected_row_shows_no_secret(shop: TestShop, warehouse: Warehouse, acme: Tenant) -> None:
    shop.execute("alter table orders add meta jsonb")
    shop.execute(
        "update orders set meta = %s, order_date = '0001-01-01' where id = 1", json.dumps({"userPin": CANARY})
    )
    shop.extract(warehouse, T, tables=["orders"])
    with warehouse.tenant(T) as conn:
        (entry,) = quarantine.open_entries(conn, T)
    assert entry.document is not None
    assert CANARY not in entry.document


def test_rows_of_an_older_release_are_cleaned_by_the_next_load(
    shop: TestShop, warehouse: Warehouse, acme: Tenant
) -> None:
    shop.execute("alter table orders add meta jsonb, add encrypted_password text default 'x'")
    shop.execute("update orders set meta = %s", json.dumps({"otp": CANARY}))
    shop.extract(warehouse, T, tables=["orders"])
    with warehouse.tenant(T) as conn:
        conn.execute("update raw.orders set _extra = jsonb_build_object('otp', %s::text)", (CANARY,))
        conn.execute(
            "update ops.watermark set contract_version = 'raw.orders/1/older' where collection = 'raw.orders'"
        )
    shop.extract(warehouse, T, tables=["orders"])
    assert ask(warehouse, T, "select distinct _extra::text from raw.orders") == [('{"meta": {}}',)]
