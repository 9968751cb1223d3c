"""The shop's landing tables as Dagster runs them, and their checks, each passed and failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import dagster as dg
import pytest

from cdp_assets.landing.shop.assets import assets, check_keys
from cdp_assets.landing.shop.checks import ShopTable, freshness, row_count
from cdp_assets.landing.shop.specs import SPECS
from cdp_assets.opening import Sources
from cdp_assets.partitions import TENANT_DIMENSION
from cdp_assets.quality import Measure, Severity
from cdp_assets.settings import get_settings
from cdp_assets.warehouse import check_results, locks
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.conftest import Server
from tests.shop_support import FULL, ROWS, TestShop, shop_database


class Stage:
    """The shop's assets over one tenant."""

    def __init__(self, warehouse: Warehouse, instance: dg.DagsterInstance, shop: TestShop) -> None:
        self.warehouse, self.instance, self.shop = warehouse, instance, shop

    def register(self, **options: Any) -> None:
        address = {"dsn": self.shop.server.dsn(self.shop.database, user="postgres"), "timezone": "UTC"}
        tenant = Tenant("acme", "Acme", "active", "dump", {"folder": "unused"}, options, address)
        put_tenant(self.warehouse, tenant, replace=True)

    def run(self, **config: Any) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            assets,
            instance=self.instance,
            partition_key="acme",
            resources={"warehouse": self.warehouse, "sources": Sources()},
            run_config={"ops": {"shop": {"config": config}}} if config else None,
            raise_on_error=False,
        )

    def check(self) -> dg.ExecuteInProcessResult:
        """The checks alone: nothing is loaded."""
        return dg.materialize(
            assets,
            selection=dg.AssetSelection.checks(*check_keys),
            instance=self.instance,
            tags={"dagster/partition": "acme"},  # the argument `partition_key` refuses a run of checks alone
            resources={"warehouse": self.warehouse, "sources": Sources()},
            raise_on_error=False,
        )

    def one(self, statement: str) -> Any:
        with self.warehouse.tenant("acme") as conn:
            row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None


def tables(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """Table -> metadata of what was materialized."""
    return {
        event.asset_key.path[-1]: {name: item.value for name, item in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def failed(result: dg.ExecuteInProcessResult) -> set[tuple[str, str, str]]:
    """Table, check and severity of every check that did not pass."""
    return {
        (found.asset_key.path[-1], found.check_name, found.severity.value)
        for found in result.get_asset_check_evaluations()
        if not found.passed
    }


def evaluated(result: dg.ExecuteInProcessResult) -> set[dg.AssetCheckKey]:
    return {found.asset_check_key for found in result.get_asset_check_evaluations()}


@pytest.fixture
def stage(postgres: Server, warehouse: Warehouse) -> Iterator[Stage]:
    with (
        shop_database(postgres, FULL, ROWS) as shop,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        instance.add_dynamic_partitions(TENANT_DIMENSION, ["acme"])
        found = Stage(warehouse, instance, shop)
        found.register()
        yield found


@pytest.fixture(autouse=True)
def _no_lag(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test has just written is behind the shop's clock by less than the usual minute."""
    monkeypatch.setenv("CDP_SHOP_SAFETY_LAG_S", "0")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_a_second_load_at_once_skips_what_the_first_has_and_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdp_assets.landing.shop.extract.LOCK_PATIENCE_S", 1)
    stage.shop.execute("drop table reviews")
    first = stage.run()
    assert first.success
    for taken, status in ((["orders"], "success"), (list(SPECS), "skipped")):
        with ExitStack() as stack:
            for table in taken:
                session = stack.enter_context(stage.warehouse.session("acme", purpose="the first"))
                locks.take(session.connection, "acme", f"raw.{table}")
            result = stage.run()
        assert result.success
        found = tables(result)
        assert {table for table in found if found[table]["mode"] == "skipped"} == set(taken)
        assert evaluated(result) == set(check_keys), "nothing downstream is skipped"
        assert (
            stage.one("select run_id from ops.check_result where asset = 'raw.orders' limit 1")
            == first.run_id
        ), "what is measured in the middle of another run's load does not stand"
        assert "another run is at work on raw.orders of tenant acme: the first" in found["orders"]["note"]
        last = "select status from ops.etl_runs where dataset = 'raw' order by started_at desc limit 1"
        assert stage.one(last) == status
    assert failed(stage.check()) == set(), "that a table is absent is known still"


def test_a_run_lands_every_table_and_tells_of_it(stage: Stage) -> None:
    result = stage.run()
    assert result.success
    found = tables(result)
    assert set(found) == set(SPECS)
    assert found["orders"]["rows_added"] == found["orders"]["dagster/row_count"] == 7
    assert found["orders"]["mode"] == "full"
    assert "order_number" in found["orders"]["preview"]
    assert "Street" not in found["orders"]["preview"], "personal data is masked"
    assert failed(result) == set()
    assert evaluated(result) == set(check_keys)
    assert not any(metadata["absent"] for metadata in found.values())
    assert stage.one("select rows_out from ops.etl_runs where dataset = 'raw' and status = 'success'") == 31


def test_orders_in_a_state_that_nobody_knows_are_named_with_their_money(stage: Stage) -> None:
    stage.shop.execute("update orders set status = 'teleported' where id in (1, 2)")
    stage.shop.execute("update orders set status = 'gọi Lan 0912345678' where id = 3")
    result = stage.run()
    assert failed(result) == {("orders", "order_status_known", "WARN")}
    (found,) = [each for each in result.get_asset_check_evaluations() if not each.passed]
    total = stage.one("select sum(total_amount) from raw.orders where id <= 3")
    assert f"{total:,.2f}" in str(found.metadata["found"].value)
    shown = str(found.metadata["sample"].value)
    assert "teleported" in shown
    assert "0912345678" not in shown


def test_every_result_is_a_row_with_scope_run_and_counter(stage: Stage) -> None:
    result = stage.run(mode="SWEEP")
    with stage.warehouse.tenant("acme") as conn:
        rows = conn.execute(
            "select asset, check_name, passed, scope, run_id, data_version from ops.check_result"
        ).fetchall()
        version = check_results.version_of(conn, "acme", "raw.orders")
    assert {(asset, name) for asset, name, *_ in rows} == {
        (".".join(key.asset_key.path), key.name) for key in check_keys
    }
    assert {row[2:5] for row in rows} == {(True, "sweep", result.run_id)}
    assert {row[5] for row in rows if row[0] == "raw.orders"} == {version}
    assert version != "0"
    stage.run(mode="WINDOW")
    assert stage.one("select array_agg(distinct scope) from ops.check_result") == ["window"]
    stage.check()
    assert stage.one("select array_agg(distinct scope) from ops.check_result") == ["window"], (
        "since a window nobody has counted the shop's rows"
    )


def test_a_window_does_not_lift_what_a_sweep_found(stage: Stage) -> None:
    stage.run()
    stage.shop.execute("delete from order_items")
    stage.run(mode="SWEEP")
    standing = (
        "select passed from ops.check_result where asset = 'raw.order_items' and check_name = 'row_count'"
    )
    guard = standing.replace("row_count", "mass_delete_guard")
    assert (stage.one(standing), stage.one(guard)) == (True, False)
    stage.run(mode="WINDOW")
    stage.check()
    assert stage.one(guard) is False
    stage.run(allow_mass_delete=True)
    assert stage.one(guard) is True


def test_a_second_run_writes_nothing(stage: Stage) -> None:
    stage.run()
    found = tables(stage.run(mode="SWEEP"))
    assert {table: metadata["rows_written"] for table, metadata in found.items()} == dict.fromkeys(SPECS, 0)


OPTIONAL = {table for table, spec in SPECS.items() if not spec.required}


def test_a_tenant_without_a_shop_has_empty_tables_that_say_so_and_every_check(stage: Stage) -> None:
    put_tenant(stage.warehouse, Tenant("acme", "Acme", "active", "dump", {"folder": "x"}, {}), replace=True)
    for result in (stage.check(), stage.run(), stage.check()):
        assert result.success
        assert evaluated(result) == set(check_keys)
        assert failed(result) == set()
    found = tables(stage.run())
    assert {
        table: (metadata["absent"], metadata["dagster/row_count"]) for table, metadata in found.items()
    } == (dict.fromkeys(SPECS, (True, 0)))


@pytest.mark.parametrize("missing", [{"reviews"}, OPTIONAL])
def test_tables_that_a_shop_lacks_are_there_and_empty_and_say_so(stage: Stage, missing: set[str]) -> None:
    for table in missing:
        stage.shop.execute(f"drop table {table}")
    result = stage.run()
    assert result.success
    assert {table for table, metadata in tables(result).items() if metadata["absent"]} == missing
    assert evaluated(result) == set(check_keys)
    assert failed(result) == set()
    again = stage.check()
    assert evaluated(again) == set(check_keys)
    assert failed(again) == set(), "checks alone know what the last load found"


def test_a_table_that_cannot_be_landed_fails_the_step_and_keeps_no_other_from_being_loaded_and_checked(
    stage: Stage,
) -> None:
    stage.shop.execute("alter table orders rename column customer_id to buyer")
    stage.shop.execute("drop table reviews")
    stage.shop.execute("update order_items set unit_price = 'NaN'")
    result = stage.run()
    assert not result.success
    assert set(tables(result)) == set(SPECS) - {"orders"}
    assert evaluated(result) == {key for key in check_keys if key.asset_key.path[-1] != "orders"}
    assert ("order_items", "quarantine_share", "ERROR") in failed(result)
    (failure,) = [event for event in result.get_step_failure_events() if event.step_key == "shop"]
    assert "raw.orders" in failure.step_failure_data.error.message  # type: ignore[union-attr]
    assert "customer_id" in failure.step_failure_data.error.message  # type: ignore[union-attr]
    assert stage.one("select status from ops.etl_runs where dataset = 'raw'") == "failed"
    never = {(table, name) for table, name, severity in failed(stage.check()) if severity == "ERROR"}
    assert ("orders", "row_count") in never, "what was never loaded does not pass"


def test_rows_that_must_not_land_warn_and_too_many_of_them_fail(stage: Stage) -> None:
    stage.shop.execute("update order_items set unit_price = 'NaN' where id = 1")
    assert ("order_items", "quarantine_share", "ERROR") in failed(stage.run())
    stage.shop.execute(
        "insert into order_items (order_id, product_id, quantity, unit_price) "
        "select 1, 1, 1, 1 from generate_series(1, 60)"
    )
    assert ("order_items", "quarantine_share", "WARN") in failed(stage.run())


@pytest.mark.parametrize("mode", ["SWEEP", "FULL"])
def test_rows_that_were_rejected_are_not_missed(stage: Stage, mode: str) -> None:
    stage.shop.execute("update order_items set unit_price = 'NaN' where id = 1")
    assert "row_count" not in {name for _, name, _ in failed(stage.run())}
    stage.shop.execute("update order_items set unit_price = 'NaN' where id = 2")  # its row is live as it was
    assert "row_count" not in {name for _, name, _ in failed(stage.run(mode=mode))}
    with stage.warehouse.tenant("acme") as conn:
        conn.execute("delete from raw.order_items where id = 3")
    assert ("order_items", "row_count", "ERROR") in failed(stage.check())


def test_withheld_deletes_fail_until_a_person_allows_them(stage: Stage) -> None:
    stage.run()
    stage.shop.execute("delete from order_items")
    assert ("order_items", "mass_delete_guard", "ERROR") in failed(stage.run())
    assert stage.one("select count(*) from raw.order_items where _deleted_at is null") == 15
    assert failed(stage.run(allow_mass_delete=True)) == set()
    assert stage.one("select count(*) from raw.order_items where _deleted_at is null") == 0


def test_a_column_that_nobody_knows_warns_and_its_values_are_kept(stage: Stage) -> None:
    stage.shop.execute("alter table customers add column loyalty text default 'gold'")
    assert failed(stage.run()) == {("customers", "schema_drift", "WARN")}
    assert stage.one('select count(*) from raw.customers where _extra = \'{"loyalty": "gold"}\'') == 5


def measure(stage: Stage, check: Callable[[ShopTable], Measure], table: str) -> Measure:
    """What a check finds now, without a load before it."""
    with stage.warehouse.tenant("acme") as conn:
        return check(ShopTable(conn, "acme", SPECS[table], 0.05))


def test_rows_that_are_missing_here_fail_until_the_next_sweep(stage: Stage) -> None:
    stage.run()
    with stage.warehouse.tenant("acme") as conn:
        conn.execute("delete from raw.products where id = 2")
    found = measure(stage, row_count, "products")
    assert (found.failing, found.says) == (1, "3 rows are live and 0 are rejected, the shop had 4")
    assert failed(stage.run()) == set()


@pytest.mark.parametrize(("hours", "severity"), [(1.5, None), (3, Severity.WARN), (27, Severity.ERROR)])
def test_old_loads_warn_and_old_sweeps_fail(stage: Stage, hours: float, severity: Severity | None) -> None:
    stage.run(mode="SWEEP")
    with stage.warehouse.tenant("acme") as conn:
        conn.execute(
            "update ops.watermark set sweep_at = now() - make_interval(mins => %s), window_at = null "
            "where collection = 'raw.orders'",
            (int(hours * 60),),
        )
    found = measure(stage, freshness, "orders")
    assert (None if found.passed else found.severity) == severity
