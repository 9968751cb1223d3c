"""Registrations on the command line: what a person registered is kept, and one tenant never holds two databases."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from cdp_assets.cli import pipeline_tenants
from cdp_assets.cli.pipeline_tenants import demo_tenants, own_tenant
from cdp_assets.cli.tenants import tenants
from cdp_assets.demo import TENANTS, generate, leo_documents, options_of, tenant_at
from cdp_assets.demo.dumpfile import write_dump
from cdp_assets.landing.contracts import CONTRACTS
from cdp_assets.landing.sync import CollectionSync
from cdp_assets.sources.dump import DumpSource
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import (
    Tenant,
    TenantError,
    get_tenant,
    list_tenants,
    put_demo_tenant,
    put_tenant,
    set_status,
)
from tests.conftest import Server
from tests.shop_support import FULL, ROWS, SMALL, TestShop, shop_database

SHOP = {"dsn": "host=shop.example.com dbname=shop", "timezone": "Europe/London"}
OPTIONS = {"default_currency": "GBP", "max_delete_share": 0.5}

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def _opened(monkeypatch: pytest.MonkeyPatch, warehouse: Warehouse) -> None:
    """The commands work on the test's warehouse, without Dagster."""

    @contextmanager
    def opened() -> Iterator[Warehouse]:
        yield warehouse

    # the package has the group under the module's name
    module: ModuleType = sys.modules["cdp_assets.cli.tenants"]
    monkeypatch.setattr(module, "open_warehouse", opened)
    monkeypatch.setattr(module, "_with_partitions", lambda change: None)
    monkeypatch.setattr(pipeline_tenants, "open_warehouse", opened)


@pytest.fixture
def run() -> Run:
    """`cdp tenants`; what it prints."""

    def called(*words: str) -> str:
        done = CliRunner().invoke(tenants, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return called


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Dumps of two LEO databases, and of the first at a later day in another folder."""
    folder = tmp_path_factory.mktemp("worlds")
    made = {"first": ("nova-demo", 0), "other": ("lotus-demo", 0), "moved": ("nova-demo", 2)}
    for name, (tenant, step) in made.items():
        documents = leo_documents(tenant_at(tenant, size="tiny", step=step))
        write_dump(folder / name, "leo", 1, {c: iter(found) for c, found in documents.items()})
    return {name: folder / name for name in made}


def registered(warehouse: Warehouse, tenant_id: str, folder: Path, **more: Any) -> Tenant:
    tenant = Tenant(tenant_id, "Mine", "active", "dump", {"folder": str(folder)}, OPTIONS, SHOP, **more)
    put_tenant(warehouse, tenant)
    return tenant


# -- cdp pipeline -----------------------------------------------------------------------------------------------------


def test_a_folder_that_is_registered_is_built_as_it_is_registered(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    tenant = registered(warehouse, "mine", tmp_path)
    assert own_tenant(tmp_path, "mine") == tenant
    (tmp_path / "there").mkdir()
    assert own_tenant(tmp_path / "there" / "..", "mine") == tenant, "the same folder by another name"
    assert list_tenants(warehouse) == [tenant]


def test_a_new_folder_becomes_a_tenant_named_after_it(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = tmp_path / "My Company"
    folder.mkdir()
    assert own_tenant(folder, None).tenant_id == "my-company"
    assert [tenant.source for tenant in list_tenants(warehouse)] == [{"folder": str(folder)}]


@pytest.mark.parametrize(
    "taken",
    [
        Tenant("mine", "Mine", "active", "dump", {"folder": "/somewhere/else"}, OPTIONS, SHOP),
        Tenant("mine", "Mine", "active", "arango", {"hosts": ["https://leo.example.com"], "database": "leo"}, OPTIONS),
        Tenant("mine", "Demo", "active", "dump", {"folder": "/demo"}, {}, is_demo=True),
    ],
    ids=["another folder", "a server", "the demo's"],
)  # fmt: skip
def test_a_folder_never_takes_the_id_of_another_source(
    warehouse: Warehouse, tmp_path: Path, taken: Tenant
) -> None:
    put_tenant(warehouse, taken)
    with pytest.raises(TenantError, match="--tenant ID"):
        own_tenant(tmp_path, "mine")
    assert list_tenants(warehouse) == [taken]


def test_a_suspended_tenant_stays_suspended(warehouse: Warehouse, tmp_path: Path) -> None:
    registered(warehouse, "mine", tmp_path)
    set_status(warehouse, "mine", "suspended")
    with pytest.raises(TenantError, match="cdp tenants resume mine"):
        own_tenant(tmp_path, "mine")
    assert get_tenant(warehouse, "mine").status == "suspended"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A demo world without shops."""
    monkeypatch.setattr(pipeline_tenants, "demo_folder", lambda: tmp_path / "demo")
    monkeypatch.setattr(pipeline_tenants, "move_shops", dict)
    generate(tmp_path / "demo", size="tiny", tenants=["nova-demo"])
    return tmp_path / "demo"


def test_an_id_of_the_demo_that_a_person_took_stays_theirs(
    warehouse: Warehouse, demo: Path, tmp_path: Path
) -> None:
    mine = registered(warehouse, "nova-demo", tmp_path)
    with pytest.raises(TenantError, match="cdp tenants remove nova-demo"):
        demo_tenants("tiny", None)
    assert get_tenant(warehouse, "nova-demo") == mine


def test_the_demos_tenants_are_marked_and_those_of_a_person_are_left_alone(
    warehouse: Warehouse, demo: Path, tmp_path: Path, run: Run
) -> None:
    mine = registered(warehouse, "mine", tmp_path)
    names = [spec.id for spec in TENANTS]
    assert [tenant.tenant_id for tenant in demo_tenants("tiny", None)] == names
    assert {tenant.tenant_id for tenant in list_tenants(warehouse) if tenant.is_demo} == set(names)
    assert get_tenant(warehouse, "mine") == mine
    lines = run("list").splitlines()
    assert all(("│ yes " in line) == ("-demo " in line) for line in lines if line.startswith("│"))


def test_the_demos_registration_follows_the_world_and_keeps_what_a_person_set(warehouse: Warehouse) -> None:
    def world(step: int) -> Tenant:
        options = options_of("nova-demo", step)
        shop = {"dsn": f"dbname=day_{step}", "timezone": "UTC"}
        source = {"folder": f"{step}"}
        return Tenant("nova-demo", "Nova", "active", "dump", source, options, shop, is_demo=True)

    put_demo_tenant(warehouse, world(0))
    person = {**options_of("nova-demo", 0), "default_currency": "EUR", "max_delete_share": 0.5}
    put_tenant(
        warehouse,
        Tenant("nova-demo", "Mine", "suspended", "dump", {"folder": "0"}, person, world(0).shop),
        replace=True,
    )
    found = put_demo_tenant(warehouse, world(1))
    assert found.is_demo
    assert (found.source, found.shop) == (world(1).source, world(1).shop)
    assert found.given == {**person, "as_of": world(1).given["as_of"]}
    assert (found.name, found.status) == ("Mine", "suspended")


def test_suspended_tenants_of_the_demo_are_left_out(warehouse: Warehouse, demo: Path) -> None:
    demo_tenants("tiny", None)
    set_status(warehouse, "lotus-demo", "suspended")
    assert [tenant.tenant_id for tenant in demo_tenants("tiny", None)] == ["acme-demo", "nova-demo"]
    with pytest.raises(TenantError, match="cdp tenants resume lotus-demo"):
        demo_tenants("tiny", "lotus-demo")


# -- cdp tenants add --replace ----------------------------------------------------------------------------------------


def land(warehouse: Warehouse, folder: Path) -> None:
    for contract in CONTRACTS.values():
        with warehouse.session("mine") as session:
            CollectionSync(session, DumpSource(folder), contract).run("sweep")


def test_replace_changes_what_is_named_and_keeps_the_rest(
    warehouse: Warehouse, worlds: dict[str, Path], run: Run, postgres: Server
) -> None:
    with shop_database(postgres, SMALL) as shop:
        dsn = postgres.dsn(shop.database, user="postgres")
        run("add", "mine", "--dump", str(worlds["first"]), "--shop-dsn", dsn, "--option", "default_currency=GBP",
            "--option", "default_region=GB", "--shop-timezone", "Europe/London")  # fmt: skip
        set_status(warehouse, "mine", "suspended")
        before = get_tenant(warehouse, "mine")
        run("add", "mine", "--replace", "--option", "default_currency=EUR", "--option", "default_region=null")
        after = get_tenant(warehouse, "mine")
        assert after.given == {"default_currency": "EUR"}
        assert (after.source, after.shop, after.status) == (before.source, before.shop, "suspended")
        run("add", "mine", "--replace", "--shop-timezone", "Europe/Berlin")
        assert get_tenant(warehouse, "mine").shop == {"dsn": dsn, "timezone": "Europe/Berlin"}


def test_a_source_may_move_but_not_be_another_database(
    warehouse: Warehouse, worlds: dict[str, Path], run: Run
) -> None:
    run("add", "mine", "--dump", str(worlds["first"]))
    run("add", "mine", "--replace", "--dump", str(worlds["other"]))  # nothing was landed so far
    run("add", "mine", "--replace", "--dump", str(worlds["first"]))
    land(warehouse, worlds["first"])
    before = get_tenant(warehouse, "mine")
    with pytest.raises(TenantError, match=r"another database.*cdp tenants remove mine"):
        run("add", "mine", "--replace", "--dump", str(worlds["other"]))
    assert get_tenant(warehouse, "mine") == before
    run("add", "mine", "--replace", "--dump", str(worlds["moved"]))
    assert get_tenant(warehouse, "mine").source == {"folder": str(worlds["moved"])}


def test_a_shop_may_move_but_not_be_another_database(
    warehouse: Warehouse, worlds: dict[str, Path], run: Run, postgres: Server
) -> None:
    """Ids say nothing: they count from 1 in any two shops."""

    def dsn(shop: TestShop) -> str:
        return postgres.dsn(shop.database, user="postgres")

    with shop_database(postgres, FULL, ROWS) as shop, shop_database(postgres, FULL, ROWS) as other:
        run("add", "mine", "--dump", str(worlds["first"]), "--shop-dsn", dsn(shop))
        shop.extract(warehouse, "mine")
        before = get_tenant(warehouse, "mine")
        with pytest.raises(TenantError, match=r"another database.*cdp tenants remove mine"):
            run("add", "mine", "--replace", "--shop-dsn", dsn(other))
        assert get_tenant(warehouse, "mine") == before
        copy(shop, other)
        run("add", "mine", "--replace", "--shop-dsn", dsn(other), "--shop-timezone", "Asia/Tokyo")
        assert get_tenant(warehouse, "mine").shop == {"dsn": dsn(other), "timezone": "Asia/Tokyo"}


def copy(shop: TestShop, other: TestShop) -> None:
    """Make the other database the same shop, some days on: one table all touched, one row new."""
    for table in ("order_items", "orders", "products", "customers"):
        other.execute(f"delete from {table}")
    for table in ("customers", "products", "orders", "order_items"):
        with (
            psycopg.connect(shop.server.dsn(shop.database, user="postgres")) as source,
            source.cursor().copy(sql.SQL("copy {} to stdout").format(sql.Identifier(table))) as read,
            other.connection.cursor().copy(
                sql.SQL("copy {} from stdin").format(sql.Identifier(table))
            ) as write,
        ):
            for block in read:
                write.write(block)
    other.execute("update products set stock_quantity = 0")
    other.execute("insert into customers (id, name) values (99, 'new')")


@pytest.mark.parametrize("words", [("--dump", "."), ("--shop-dsn", "dbname=mine")], ids=["source", "shop"])
def test_source_and_shop_of_the_demo_follow_the_demo(
    warehouse: Warehouse, run: Run, words: tuple[str, ...]
) -> None:
    put_tenant(warehouse, Tenant("nova-demo", "Nova", "active", "dump", {"folder": "-"}, {}, is_demo=True))
    with pytest.raises(TenantError, match="another id"):
        run("add", "nova-demo", "--replace", *words)
