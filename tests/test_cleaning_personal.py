"""One list says which columns are personal: tombstones clear them, previews mask them, closed entries quote nothing."""

from __future__ import annotations

import pytest
from psycopg import sql

from cdp_assets.cleaning.personal import PERSONAL
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.preview import OPEN_COLUMNS, preview
from cdp_assets.warehouse.quarantine import Reject
from cdp_assets.warehouse.tenants import Tenant

T = "acme"
OF_A_PERSON = {
    "visitor_id", "session_id", "session_key", "url", "touchpoint_url", "comment", "email", "phone", "address", "name",
    "full_name", "birth_date", "crm_id", "shipping_address",
}  # fmt: skip
"""Names of columns that are personal in whatever table of people they stand."""


def test_what_is_personal_in_one_table_of_people_is_personal_in_all() -> None:
    columns = {f"cdp.{c.table}": set(c.target.columns) for c in CONTRACTS.values()}
    columns |= {spec.collection: {column.name for column in spec.columns} for spec in SPECS.values()}
    for table, known in PERSONAL.items():
        assert known
        assert set(known) <= columns[table] | {
            "_extra",
            *(key for key, _ in SPECS["customers"].keys),
        }
        assert columns[table] & OF_A_PERSON <= set(known), table


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_a_tombstone_of_leo_clears_every_personal_column(contract) -> None:  # type: ignore[no-untyped-def]
    cleared = {name for name, _ in contract.target.scrub}
    assert cleared == {contract.document_column, *PERSONAL.get(f"cdp.{contract.table}", ())}


def test_every_personal_column_may_be_empty(warehouse: Warehouse, acme: Tenant) -> None:
    with warehouse.tenant(T) as conn:
        for table, names in PERSONAL.items():
            found = conn.execute(
                "select attname::text, attnotnull, format_type(atttypid, null) from pg_attribute "
                "where attrelid = to_regclass(%s) and attname = any(%s)",
                (table, list(names)),
            ).fetchall()
            assert {name for name, *_ in found} == set(names), table
            assert all(not is_required or kind in {"text[]", "jsonb"} for _, is_required, kind in found), (
                table
            )


def test_a_preview_masks_personal_columns_whatever_they_hold(warehouse: Warehouse, acme: Tenant) -> None:
    assert not {f"{table}.{name}" for table, names in PERSONAL.items() for name in names} & OPEN_COLUMNS
    with warehouse.tenant(T) as conn:
        shown = preview(
            conn,
            sql.SQL(
                "(select 41 as age, 'Lan' as name, 'Vietnam' as country, 'active' as status) as t"
            ).format(),
            "cdp.customer_profile",
            ["age", "name", "country", "status"],
        )
    assert shown.splitlines()[-1] == "| *** | L*** | V*** | active |"


def test_a_closed_entry_quotes_no_value(warehouse: Warehouse, acme: Tenant) -> None:
    reject = Reject(
        "k1", "r1", "primaryPhone: 'call Lan 0912' is no phone", ("primaryPhone",), False, '{"a": "Lan"}'
    )
    with warehouse.tenant(T) as conn:
        quarantine.store(conn, T, "cdp_profile", [reject], run_id=None)
        quarantine.resolve(conn, T, "cdp_profile", ["k1"], "landed")
        row = conn.execute("select reason, fields, document, q::text from ops.quarantine as q").fetchone()
    assert row is not None
    assert row[:3] == ("primaryPhone at fault", ["primaryPhone"], None)
    assert "Lan" not in row[3]


def test_an_entry_is_renewed_when_more_of_it_is_a_secret(warehouse: Warehouse, acme: Tenant) -> None:
    before = Reject("k1", "r1", "age: broken", ("age",), False, '{"otp": "1"}')
    after = Reject("k1", "r1", "age: broken", ("age",), False, "{}")
    with warehouse.tenant(T) as conn:
        quarantine.store(conn, T, "cdp_profile", [before], run_id=None)
        quarantine.store(conn, T, "cdp_profile", [after], run_id=None)
        (entry,) = quarantine.open_entries(conn, T)
    assert entry.document == "{}"
