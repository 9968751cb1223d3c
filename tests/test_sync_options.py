"""A row is made of a document and the tenant's options: a changed option rewrites what it changes and mends rejects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdp_assets.checks.money import amount_reconciliation
from cdp_assets.checks.subject import Subject, Table, read_source
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.replay import Replayed, replay
from cdp_assets.landing.sync import Mode
from cdp_assets.sources.model import CONVERSION, PRODUCT_ITEM, PROFILE, TRACKING_EVENT
from cdp_assets.warehouse import quarantine
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.options import TenantOptions
from tests.conftest import Server
from tests.databases import shared_database
from tests.landing_support import MemorySource, land_one, snapshot
from tests.leo_documents import at, edge, event, product, profile

VN = TenantOptions(default_currency="VND", default_region="VN", timezone="Asia/Ho_Chi_Minh")
DE = TenantOptions(default_currency="EUR", default_region="DE", timezone="Europe/Berlin")


@pytest.fixture(scope="module")
def warehouse(postgres: Server) -> Iterator[Warehouse]:
    """One for all tests of this module: each has a tenant of its own."""
    with (
        shared_database(postgres, "test_sync_options") as name,
        Warehouse(postgres.dsn(name, user="cdp_pipeline")) as opened,
    ):
        yield opened


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    return f"t{abs(hash(request.node.nodeid)):x}"


def column(warehouse: Warehouse, tenant: str, collection: str, name: str) -> dict[str, object]:
    with warehouse.tenant(tenant) as conn:
        return {key: row[name] for (key,), row in snapshot(conn, CONTRACTS[collection].table).items()}


@pytest.mark.parametrize("mode", ["sweep", "window"])
@pytest.mark.parametrize(
    ("collection", "documents", "name", "before", "after"),
    [
        (
            CONVERSION,
            [edge("said", "p", currencyCode="USD"), edge("unsaid", "p", currencyCode=None)],
            "currency",
            {"said": "USD", "unsaid": "VND"},
            {"said": "USD", "unsaid": "EUR"},
        ),
        (
            PRODUCT_ITEM,
            [product("said", priceCurrency="USD"), product("unsaid", priceCurrency="")],
            "currency",
            {"said": "USD", "unsaid": "VND"},
            {"said": "USD", "unsaid": "EUR"},
        ),
        (
            TRACKING_EVENT,
            [event("worth", "p", transactionValue=5.0, transactionCurrency=None), event("nothing", "p")],
            "currency",
            {"worth": "VND", "nothing": None},
            {"worth": "EUR", "nothing": None},
        ),
        (
            PROFILE,
            [
                profile("said", primaryPhone="+84912345678"),
                profile("unsaid", primaryPhone="0176 123456789"),
            ],
            "phone",
            {"said": "+84912345678", "unsaid": None},
            {"said": "+84912345678", "unsaid": "+49176123456789"},
        ),
        (
            PROFILE,
            [
                profile("said", dateOfBirth="1990-05-04T00:00:00.000Z"),
                profile("unsaid", dateOfBirth="1990-05-03T17:00:00.000Z"),
            ],
            "birth_date",
            {"said": "1990-05-04", "unsaid": "1990-05-04"},
            {"said": "1990-05-04", "unsaid": "1990-05-03"},
        ),
    ],
    ids=["currency of a line", "currency of an item", "currency of an event", "phone", "birthday"],
)
def test_a_changed_option_rewrites_exactly_the_rows_that_it_changes(
    warehouse: Warehouse,
    tenant: str,
    collection: str,
    documents: list[dict[str, object]],
    name: str,
    before: dict[str, object],
    after: dict[str, object],
    mode: Mode,
) -> None:
    source = MemorySource({collection: documents})
    land_one(warehouse, tenant, source, collection, tenant_options=VN)

    def shown() -> dict[str, object]:
        found = column(warehouse, tenant, collection, name)
        return {key: None if value is None else str(value) for key, value in found.items()}

    assert shown() == before
    changed = land_one(warehouse, tenant, source, collection, mode, tenant_options=DE)
    assert shown() == after
    assert (changed.written.added, changed.written.changed, changed.written.unchanged) == (0, 1, 1)
    source.given.clear()
    again = land_one(warehouse, tenant, source, collection, tenant_options=DE)
    assert again.written.rows == 0
    assert set(source.given) == {"keys"}


def test_lines_and_money_agree_with_the_source_after_the_currency_has_changed(
    warehouse: Warehouse, tenant: str
) -> None:
    """One line of an order changes in the source after the option did; a sweep brings the other with it."""
    lines = [
        edge(key, "p", transactionId="o1", currencyCode=None, transactionValue=10.0) for key in ("a", "b")
    ]
    source = MemorySource({CONVERSION: lines})
    land_one(warehouse, tenant, source, CONVERSION, tenant_options=VN)
    source.patch(CONVERSION, "a", transactionValue=12.0, updatedAt=at(days=2))
    land_one(warehouse, tenant, source, CONVERSION, tenant_options=DE)
    assert column(warehouse, tenant, CONVERSION, "currency") == {"a": "EUR", "b": "EUR"}
    table = Table.of(CONTRACTS[CONVERSION])
    with warehouse.tenant(tenant) as conn:
        subject = Subject(conn, tenant, table, DE, 0.05, read_source(source, CONVERSION))
        assert amount_reconciliation(subject).passed


def open_keys(warehouse: Warehouse, tenant: str) -> dict[str, list[str]]:
    with warehouse.tenant(tenant) as conn:
        return quarantine.open_keys(conn, tenant)


def test_replay_lands_what_an_option_has_mended_and_closes_nothing_else(
    warehouse: Warehouse, tenant: str
) -> None:
    source = MemorySource(
        {PROFILE: [profile("german", primaryPhone="0176 123456789"), profile("nobody", primaryPhone="12")]}
    )
    land_one(warehouse, tenant, source, PROFILE, tenant_options=VN)
    assert set(open_keys(warehouse, tenant)[PROFILE]) == {"german", "nobody"}
    assert replay(warehouse, tenant, source, tenant_options=VN) == Replayed(2, 0, 0, 2)
    assert column(warehouse, tenant, PROFILE, "phone") == {"german": None, "nobody": None}
    assert replay(warehouse, tenant, source, tenant_options=DE) == Replayed(2, 1, 0, 1)
    assert column(warehouse, tenant, PROFILE, "phone") == {"german": "+49176123456789", "nobody": None}
    assert open_keys(warehouse, tenant) == {PROFILE: ["nobody"]}


def test_replay_writes_the_row_whatever_was_remembered_of_it(warehouse: Warehouse, tenant: str) -> None:
    """The ledger may know the hash of a row that is not in the table any more, as after a restored backup."""
    source = MemorySource({PROFILE: [profile("p", primaryPhone="0176 123456789")]})
    land_one(warehouse, tenant, source, PROFILE, tenant_options=VN)
    with warehouse.tenant(tenant) as conn:
        conn.execute("delete from cdp.customer_profile where tenant_id = %s", (tenant,))
    replay(warehouse, tenant, source, tenant_options=VN)
    assert column(warehouse, tenant, PROFILE, "phone") == {"p": None}
    assert open_keys(warehouse, tenant) == {PROFILE: ["p"]}


def test_a_second_document_of_a_key_closes_no_entry_of_the_first(warehouse: Warehouse, tenant: str) -> None:
    source = MemorySource({PROFILE: [profile("p", primaryPhone="12")]})
    land_one(warehouse, tenant, source, PROFILE, tenant_options=VN)
    source.patch(PROFILE, "p", lastName="Other")
    land_one(warehouse, tenant, source, PROFILE, tenant_options=VN)
    assert open_keys(warehouse, tenant) == {PROFILE: ["p"]}
