"""The result that stands of a check, and what of it holds a build: in the warehouse, without Dagster."""

from __future__ import annotations

import psycopg
import pytest

from cdp_assets.quality import Severity
from cdp_assets.warehouse.check_results import Asked, Result, Scope, holding, keep, version_of
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, put_tenant
from tests.rows import insert

SCOPES: tuple[Scope, ...] = ("segment", "window", "sweep", "build")
PROFILES = "cdp.customer_profile"


@pytest.fixture(autouse=True)
def _tenant(acme: Tenant) -> None:
    pass


def measured(
    warehouse: Warehouse,
    *,
    asset: str = PROFILES,
    passed: bool = True,
    severity: Severity = Severity.ERROR,
    scope: Scope = "sweep",
    is_ageing: bool = True,
    segment_id: str = "",
    run_id: str = "run",
) -> None:
    """Keep one result of the check `row_count`, of the rows as they are."""
    result = Result(asset, "row_count", True, passed, severity, int(not passed), "counted")
    with warehouse.tenant("acme") as conn:
        version = version_of(conn, "acme", asset) if is_ageing else None
        keep(conn, "acme", [result], scope=scope, run_id=run_id, data_version=version, segment_id=segment_id)


def why(warehouse: Warehouse, asset: str = PROFILES, segment_id: str = "", tenant: str = "acme") -> list[str]:
    """Why a build on the asset is held."""
    with warehouse.tenant(tenant) as conn:
        return [held.why for held in holding(conn, tenant, [Asked(asset, "row_count", segment_id)])]


def write(owner_dsn: str, tenant: str = "acme", key: str = "p1") -> None:
    with psycopg.connect(owner_dsn) as conn:
        insert(conn, PROFILES, tenant_id=tenant, cdp_profile_id=key, root_profile_id=key)


def test_what_nobody_measured_holds(warehouse: Warehouse) -> None:
    assert why(warehouse) == ["unmeasured"]


def test_what_passed_lets_go_until_the_rows_change(warehouse: Warehouse, owner_dsn: str) -> None:
    measured(warehouse)
    assert why(warehouse) == []
    write(owner_dsn)
    assert why(warehouse) == ["outdated"]
    measured(warehouse, scope="window")
    assert why(warehouse) == []


def test_rows_that_come_while_they_are_measured_make_the_result_outdated(
    warehouse: Warehouse, owner_dsn: str
) -> None:
    with warehouse.tenant("acme") as conn:
        version = version_of(conn, "acme", PROFILES)
    write(owner_dsn)
    with warehouse.tenant("acme") as conn:
        passed = Result(PROFILES, "row_count", True, True, Severity.ERROR, 0, "counted")
        keep(conn, "acme", [passed], scope="sweep", run_id="run", data_version=version)
    assert why(warehouse) == ["outdated"]


def test_another_tenants_rows_change_nothing(warehouse: Warehouse, owner_dsn: str) -> None:
    put_tenant(warehouse, Tenant("lotus", "Lotus", "active", "dump", {"folder": "unused"}, {}))
    measured(warehouse)
    write(owner_dsn, "lotus")
    assert why(warehouse) == []
    assert why(warehouse, tenant="lotus") == ["unmeasured"]


def test_a_result_without_a_version_does_not_age(warehouse: Warehouse, owner_dsn: str) -> None:
    measured(warehouse, is_ageing=False)
    write(owner_dsn)
    assert why(warehouse) == []


def test_a_warning_holds_nothing_an_error_does(warehouse: Warehouse) -> None:
    measured(warehouse, passed=False, severity=Severity.WARN)
    assert why(warehouse) == []
    measured(warehouse, passed=False)
    assert why(warehouse) == ["failed"]


@pytest.mark.parametrize("failed_in", SCOPES)
@pytest.mark.parametrize("passed_in", SCOPES)
@pytest.mark.parametrize("severity", list(Severity), ids=["warned", "passed"])
def test_only_as_wide_a_look_lifts_a_failure(
    warehouse: Warehouse, failed_in: Scope, passed_in: Scope, severity: Severity
) -> None:
    measured(warehouse, passed=False, scope=failed_in)
    measured(warehouse, passed=severity is Severity.ERROR, severity=severity, scope=passed_in)
    lifted = SCOPES.index(passed_in) >= SCOPES.index(failed_in)
    assert why(warehouse) == ([] if lifted else ["failed"])


@pytest.mark.parametrize("scope", SCOPES)
def test_any_look_that_fails_holds(warehouse: Warehouse, scope: Scope) -> None:
    measured(warehouse, scope="build")
    measured(warehouse, passed=False, scope=scope)
    assert why(warehouse) == ["failed"]


def test_a_segments_result_is_its_own(warehouse: Warehouse) -> None:
    table = "audience.segment_member"
    measured(warehouse, asset=table, segment_id="vip", is_ageing=False)
    assert why(warehouse, table, "vip") == []
    assert why(warehouse, table, "new") == ["unmeasured"]


def test_a_tenant_without_a_shop_has_nothing_to_ask_for_in_raw(warehouse: Warehouse) -> None:
    assert why(warehouse, "raw.orders") == []
    shop = {"dsn": "host=shop dbname=shop"}
    put_tenant(
        warehouse,
        Tenant("acme", "Acme", "active", "dump", {"folder": "unused"}, {}, shop),
        replace=True,
    )
    assert why(warehouse, "raw.orders") == ["unmeasured"]
