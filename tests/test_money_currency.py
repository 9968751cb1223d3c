"""Amounts without a currency: one rule for marts and datasets, whoever reads, and no total that is silently 0."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg.types.json import Jsonb

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.checks.catalog import CHECKS as LEO_CHECKS
from cdp_assets.checks.catalog import evaluate as evaluate_leo
from cdp_assets.checks.subject import Table, read_source
from cdp_assets.datasets.assets import scope_of
from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.datasets.events.run import refresh
from cdp_assets.datasets.publish import InputMissing, build, checks_of, main_currency, read_inputs
from cdp_assets.datasets.sales import MONEY, money_in_main_currency
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.shop.checks import CHECKS as SHOP_CHECKS
from cdp_assets.landing.shop.checks import evaluate as evaluate_shop
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.quality import Check, Measure
from cdp_assets.sources.model import CONVERSION, PRODUCT_ITEM, PROFILE
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.options import DEFAULT_CURRENCY, TenantOptions
from cdp_assets.warehouse.registry import record_run
from cdp_assets.warehouse.tenants import Tenant, get_tenant, put_tenant
from tests.conftest import Server
from tests.landing_support import MemorySource, land_one
from tests.leo_documents import edge, iso, product, profile
from tests.marts_support import Marts, fresh_tenant, leo_line, order
from tests.shop_support import SMALL, shop_database

STRAY = leo_line("t1", transaction_id="L1", currency="EUR", amount=9)
ROLES = ("cdp_transform", "cdp_pipeline", "cdp_reader")


@pytest.fixture
def marts(postgres: Server) -> Marts:
    """A tenant of the test's own."""
    return fresh_tenant(postgres)


@pytest.fixture
def warehouse(marts: Marts) -> Iterator[Warehouse]:
    with Warehouse(marts.pipeline_dsn) as opened:
        yield opened


def register(marts: Marts, warehouse: Warehouse, **options: Any) -> None:
    tenant = Tenant(marts.tenant, marts.tenant, "active", "dump", {"folder": "-"}, options)
    put_tenant(warehouse, tenant, replace=True)


def line(number: int, order_id: int) -> dict[str, Any]:
    return {"id": number, "order_id": order_id, "product_id": 1, "quantity": 1, "unit_price": 10}


def land_without_currency(marts: Marts) -> None:
    """Two orders and a product that say no currency, a line of an order that is not there, a stray purchase in LEO."""
    marts.land("products", {"id": 1, "sku": "S1", "name": "Lamp", "price": 10})
    marts.land("orders", order(1, currency=None), order(2, currency=" "))
    marts.land("order_items", line(1, 1), line(2, 2), line(3, 99))
    marts.land_leo("transactional_context", STRAY)


@pytest.mark.parametrize(
    ("options", "currency"),
    [({"default_currency": "gbp"}, "GBP"), ({}, DEFAULT_CURRENCY)],
    ids=["said", "unsaid"],
)
def test_an_amount_without_a_currency_is_in_the_tenants_whoever_reads_it(
    marts: Marts, warehouse: Warehouse, options: dict[str, str], currency: str
) -> None:
    register(marts, warehouse, **options)
    land_without_currency(marts)
    for role in ROLES:
        for view, of_shop in (
            ("staging.stg_orders", "true"),
            ("staging.stg_products", "true"),
            ("intermediate.int_purchases", "source = 'shop'"),
            ("intermediate.int_products", "is_in_shop"),
        ):
            found = marts.dbt.read(
                f"select distinct currency from {view} where {of_shop}", tenant=marts.tenant, user=role
            )
            assert found == [{"currency": currency}], f"{role} in {view}"
    assert TenantOptions.of(options).default_currency == currency, "landing gives LEO's amounts the same"
    assert marts.read("select currency from intermediate.int_purchases where source = 'leo'") == [
        {"currency": "EUR"}
    ]
    assert main_currency(warehouse, marts.tenant) == currency


@pytest.mark.parametrize(
    ("options", "currencies", "main"),
    [
        ({}, [], DEFAULT_CURRENCY),
        ({}, ["VND", "VND", "EUR"], "VND"),
        ({}, ["VND", "EUR"], "EUR"),
        ({"default_currency": "GBP"}, ["VND", "VND", "EUR"], "GBP"),
        ({"default_currency": "GBP"}, [], "GBP"),
    ],
)
def test_totals_are_in_the_currency_that_the_tenant_names_else_in_that_of_most_purchases(
    marts: Marts, warehouse: Warehouse, options: dict[str, str], currencies: list[str], main: str
) -> None:
    register(marts, warehouse, **options)
    marts.land_leo(
        "transactional_context",
        *(leo_line(f"t{n}", transaction_id=f"L{n}", currency=code) for n, code in enumerate(currencies)),
    )
    for role in ROLES:
        view = "select * from intermediate.int_main_currency"
        assert marts.dbt.read(view, tenant=marts.tenant, user=role) == [
            {"tenant_id": marts.tenant, "currency": main}
        ]
    assert main_currency(warehouse, marts.tenant) == main
    assert scope_of(warehouse, get_tenant(warehouse, marts.tenant), None).currency == main


def test_the_option_of_another_tenant_is_asked_by_nobody(marts: Marts, warehouse: Warehouse) -> None:
    register(marts, warehouse, default_currency="GBP")
    register(marts.other(), warehouse, default_currency="VND")
    for role in ROLES:
        ask = "select ops.default_currency('{}') as code"
        assert marts.dbt.read(ask.format(marts.tenant), tenant=marts.tenant, user=role) == [{"code": "GBP"}]
        with pytest.raises(psycopg.errors.RaiseException, match="the call is for"):
            marts.dbt.read(ask.format("someone"), tenant=marts.tenant, user=role)


@pytest.mark.parametrize("stored", ["Dong", "", None, 5, ["GBP"]])
def test_a_stored_fault_is_no_currency(marts: Marts, warehouse: Warehouse, stored: Any) -> None:
    register(marts, warehouse)
    with warehouse.tenant(marts.tenant) as conn:
        conn.execute("update ops.tenant set options = %s", (Jsonb({"default_currency": stored}),))
    assert main_currency(warehouse, marts.tenant) == DEFAULT_CURRENCY


def test_views_that_are_not_there_yet_are_asked_for_by_name(acme: Tenant, pipeline_dsn: str) -> None:
    with (
        Warehouse(pipeline_dsn) as empty,
        pytest.raises(InputMissing, match="int_main_currency is not there yet"),
    ):
        main_currency(empty, acme.tenant_id)


# -- totals that would be 0 --------------------------------------------------------------------------------------------


def test_sales_of_which_none_is_in_the_main_currency_fail_a_blocking_test(
    marts: Marts, warehouse: Warehouse
) -> None:
    register(marts, warehouse, default_currency="GBP")
    marts.build()
    assert marts.test("sales_are_in_main_currency") == {"sales_are_in_main_currency": "pass"}, (
        "no sales, no fault"
    )
    marts.land("orders", order(1), order(2, status="cancelled", currency="GBP"))
    marts.land("order_items", line(1, 1), line(2, 2))
    marts.build()
    (result,), _ = marts.dbt.attempt("test", "--select", "sales_are_in_main_currency", tenant=marts.tenant)
    assert (str(result.status), result.failures) == ("fail", 1)
    register(marts, warehouse, default_currency="USD")
    assert marts.test("sales_are_in_main_currency") == {"sales_are_in_main_currency": "pass"}


@pytest.mark.parametrize(
    ("lines", "failing"),
    [
        ([], 0),
        ([("USD", 10, True)], 1),
        ([("USD", 10, True), (None, 5, True), ("GBP", 0, True), ("GBP", 7, False)], 2),
        ([("USD", 10, True), ("GBP", 7, True)], 0),
        ([("USD", 0, True)], 0),
    ],
)
def test_a_dataset_of_which_every_sum_would_be_0_is_not_published(
    lines: list[tuple[str | None, int, bool]], failing: int
) -> None:
    schema = {"currency": pl.String, "line_total": pl.Int64, "is_revenue": pl.Boolean}
    frame = pl.DataFrame(lines, schema=schema, orient="row").with_columns(pl.lit(1).alias("quantity"))
    audit: Any = SimpleNamespace(scope=SimpleNamespace(currency="GBP"), inputs={"purchases": frame})
    assert money_in_main_currency(audit).failing == failing


def test_every_dataset_that_adds_up_money_has_the_check() -> None:
    having = {name for name, dataset in DATASETS.items() if MONEY in checks_of(dataset)}
    assert having == {"user_item_interactions", "customer_features", "timeseries_daily", "timeseries_weekly"}
    assert MONEY.blocking


# -- the whole way -----------------------------------------------------------------------------------------------------

NOW = datetime(2026, 6, 30, tzinfo=UTC)
PEOPLE, THINGS, ORDERS = 40, 12, 150
NEEDED = tuple(SPECS)[:4]
BUILT = ("user_item_interactions", "customer_features", "timeseries_daily")


class Pounds:
    """A shop with the four tables that it must have, and LEO with orders of its own; nobody names a currency.

    Attributes:
        ddl: the shop's tables, rows and all.
        leo: LEO's documents, by collection; one purchase among them is in EUR.
        sales: what was sold in pounds.
    """

    def __init__(self) -> None:
        dice = random.Random(7)
        self.sales = Decimal("140.50")
        rows = [
            f"insert into customers (name, email) select 'P', 'p' || n || '@x.uk' from generate_series(1, {PEOPLE}) n",
            f"insert into products (name, price) select 'Thing ' || n, n * 3.33 from generate_series(1, {THINGS}) n",
        ]
        for number in range(1, ORDERS + 1):
            at = f"{NOW - timedelta(hours=dice.randint(30, 24 * 200)):%Y-%m-%d %H:%M}"
            status = dice.choice(["completed", "completed", "completed", "cancelled"])
            lines = [
                (dice.randint(1, THINGS), dice.randint(1, 3), Decimal(dice.randint(1, 9999)) / 100)
                for _ in range(dice.randint(1, 4))
            ]
            total = sum((quantity * price for _, quantity, price in lines), Decimal(0))
            self.sales += total if status == "completed" else 0
            person = dice.randint(1, PEOPLE)
            rows.append(
                "insert into orders (id, customer_id, order_date, status, total_amount) "
                f"values ({number}, {person}, '{at}', '{status}', {total})"
            )
            rows += [
                "insert into order_items (order_id, product_id, quantity, unit_price) "
                f"values ({number}, {thing}, {quantity}, {price})"
                for thing, quantity, price in lines
            ]
        self.ddl = SMALL + ";\n".join(rows)
        when = dict.fromkeys(("createdAt", "updatedAt"), iso(NOW - timedelta(days=10)))
        edges = [
            edge(
                f"e{n}",
                "leo",
                transactionId=f"L{n}",
                transactionValue=money,
                currencyCode=code,
                quantity=1,
                **when,
            )
            for n, (money, code) in enumerate([(19.99, None), (0.01, ""), (120.5, None), (77.0, "EUR")])
        ]
        self.leo = {
            PROFILE: [profile("leo", **when)],
            PRODUCT_ITEM: [product(edges[0]["_to"].partition("/")[2], **when)],
            CONVERSION: edges,
        }


def landing_gates(warehouse: Warehouse, tenant: Tenant, source: MemorySource) -> Iterator[tuple[str, bool]]:
    """Every blocking check of both landing stages, and whether it passed."""
    for collection, contract in CONTRACTS.items():
        facts = read_source(source, collection)
        yield from evaluated(
            evaluate_leo(
                warehouse, tenant.tenant_id, Table.of(contract), quarantine_share=0.05, options=tenant.options,
                source=facts,
            ),
            LEO_CHECKS[Table.of(contract)],
        )  # fmt: skip
    for name, spec in SPECS.items():
        names = {check.name for check in SHOP_CHECKS[name]}
        absent = None if name in NEEDED else "the shop has none"
        yield from evaluated(
            evaluate_shop(
                warehouse, tenant.tenant_id, spec, quarantine_share=0.05, told_absent=absent, names=names
            ),
            SHOP_CHECKS[name],
        )


def evaluated(
    found: Iterable[tuple[Check[Any], Measure]], planned: Sequence[Check[Any]]
) -> Iterator[tuple[str, bool]]:
    measured = list(found)
    assert [check.name for check, _ in measured] == [check.name for check in planned]
    yield from (
        (f"{check.name}: {measure.says}", measure.passed) for check, measure in measured if check.blocking
    )


@pytest.mark.slow
def test_a_shop_without_a_currency_column_is_added_up_to_the_penny_and_every_gate_runs(
    marts: Marts, warehouse: Warehouse, postgres: Server, tmp_path: Path
) -> None:
    pounds = Pounds()
    options = {"default_currency": "GBP", "default_region": "GB", "timezone": "Europe/London"}
    register(marts, warehouse, **options, as_of=NOW.isoformat())
    tenant = get_tenant(warehouse, marts.tenant)
    source = MemorySource(pounds.leo)
    for collection in CONTRACTS:
        land_one(warehouse, tenant.tenant_id, source, collection, tenant_options=tenant.options)
    with shop_database(postgres, pounds.ddl, timezone="Europe/London") as shop:
        shop.extract(warehouse, tenant.tenant_id, "sweep", tables=list(SPECS))
    gates = list(landing_gates(warehouse, tenant, source))
    assert [says for says, passed in gates if not passed] == []
    assert gates

    marts.dbt(
        "build", "--exclude-resource-type", "unit_test", tenant=tenant.tenant_id
    )  # models and their tests
    in_pounds = {"currency": "GBP", "money": pounds.sales}
    for table, amount, rows in (
        ("fct_sales", "line_total", "is_revenue"),
        ("fct_orders", "calculated_total", "is_revenue"),
        ("mart_daily_sales", "revenue", "true"),
        ("mart_customer_360", "revenue", "currency is not null"),
    ):
        query = (
            f"select currency, sum({amount}) as money from marts.{table} where {rows} group by 1 order by 1"
        )
        assert (
            marts.read(query) == [{"currency": "EUR", "money": 77}, in_pounds][table == "mart_customer_360" :]
        ), table
    query = "select currency, sum(revenue) as money from marts.mart_product_performance group by 1"
    assert marts.read(query) == [in_pounds]

    store, scope = ArtifactStore(tmp_path), scope_of(warehouse, tenant, None)
    with record_run(warehouse, tenant.tenant_id, "datasets.events"):
        assert refresh(warehouse, scope, NOW, full=True).blocked_by == []
    for name in BUILT:
        dataset = DATASETS[name]
        with record_run(warehouse, tenant.tenant_id, f"datasets.{name}") as summary:
            inputs = read_inputs(warehouse, scope, dataset.reads)
            built = build(warehouse, store, dataset, scope, inputs, summary.run_id)
        assert (built.blocked_by, len(built.measures)) == ([], len(checks_of(dataset)))
    for name, amount, rows in (
        ("user_item_interactions", "total_spent", "true"),
        ("customer_features", "total_amount_spent", "true"),
        ("timeseries_daily", "daily_revenue", "level = 'total'"),
    ):
        query = f"select round(sum({amount})::numeric, 2) as money from datasets.{name} where {rows}"
        assert marts.read(query) == [{"money": pounds.sales}], name
