"""Dataset F in the real tables: each run reads what was written since, and leaves what one full run would leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets.events.assets import events
from cdp_assets.datasets.events.checks import CHECKS
from cdp_assets.datasets.events.contract import CONTRACTS
from cdp_assets.datasets.events.run import Outcome, refresh
from cdp_assets.datasets.model import Scope
from cdp_assets.partitions import TENANT_DIMENSION
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.options import TenantOptions
from cdp_assets.warehouse.tenants import Tenant as Registered
from cdp_assets.warehouse.tenants import put_tenant
from tests.conftest import Server
from tests.dbt_support import tenant_rows
from tests.marts_support import Marts, fresh_tenant, small_shop

pytestmark = pytest.mark.slow

DAY = datetime(2026, 1, 6, 3, tzinfo=UTC)
NOW = datetime(2026, 1, 9, tzinfo=UTC)


class Tenant:
    """A tenant whose events a test lands and whose tables it looks at."""

    def __init__(self, marts: Marts, warehouse: Warehouse) -> None:
        self.marts = marts
        self.scope = Scope(marts.tenant, date(2026, 1, 8), "Asia/Ho_Chi_Minh", "USD")
        self.warehouse = warehouse

    def run(self, *, full: bool = False, now: datetime = NOW) -> Outcome:
        outcome = refresh(self.warehouse, self.scope, now, full=full)
        assert outcome.blocked_by == []
        return outcome

    def leo(self, key: str, minutes: float = 0, **more: Any) -> None:
        self.marts.land_leo(
            "tracking_event",
            {
                "event_id": key, "event_at": DAY + timedelta(minutes=minutes), "event_name": "page-view",
                "visitor_id": "phone", "is_live": True, **more,
            },
        )  # fmt: skip

    def shop(self, number: int, minutes: float = 0, **more: Any) -> None:
        at = DAY + timedelta(minutes=minutes)
        self.marts.land(
            "events",
            {
                "id": number,
                "event_time": at,
                "created_at": at,
                "visitor_id": "phone",
                "event_type": "view",
                **more,
            },
        )

    def contents(self) -> dict[str, list[str]]:
        """Every row of the tables as text."""
        statement = "select t::text as content from datasets.{} as t order by 1"
        return {
            name: [row["content"] for row in self.marts.read(statement.format(name))] for name in CONTRACTS
        }

    def same_as_full(self) -> None:
        """A full run finds nothing to write."""
        before = self.contents()
        outcome = self.run(full=True)
        assert {name: written.rows for name, written in outcome.written.items()} == dict.fromkeys(
            CONTRACTS, 0
        )
        assert self.contents() == before

    def sessions(self) -> list[dict[str, Any]]:
        return self.marts.read("select * from datasets.session_funnel order by first_event, session_id")


@pytest.fixture
def tenant(postgres: Server) -> Iterator[Tenant]:
    marts = fresh_tenant(postgres)
    small_shop(marts)
    with Warehouse(marts.pipeline_dsn) as warehouse:
        yield Tenant(marts, warehouse)


def test_a_late_event_merges_two_sessions_and_the_old_id_leads_to_the_new(tenant: Tenant) -> None:
    for key, minutes in (("a", 0), ("b", 29), ("c", 59 + 1 / 60), ("d", 80)):
        tenant.leo(key, minutes)
    assert tenant.run().is_full
    first, second = (row["session_id"] for row in tenant.sessions())
    tenant.leo("late", 45)
    outcome = tenant.run()
    assert (outcome.is_full, outcome.changed, outcome.superseded) == (False, 1, 1)
    (merged,) = tenant.sessions()
    assert (merged["session_id"], merged["events"]) == (first, 5)
    assert tenant.marts.read("select old_id, new_id from datasets.session_superseded") == [
        {"old_id": second, "new_id": first}
    ]
    tenant.same_as_full()
    tenant.leo("earlier", -10)
    tenant.run()
    (now,) = tenant.sessions()
    assert tenant.marts.read(
        "select old_id, new_id from datasets.session_superseded order by old_id"
    ) == sorted(
        [{"old_id": old, "new_id": now["session_id"]} for old in (first, second)],
        key=lambda row: row["old_id"],
    )
    tenant.same_as_full()


def test_both_sources_tell_one_visit_and_nothing_counts_twice(tenant: Tenant) -> None:
    tenant.leo("view", 0, event_name="item-view", item_id="S1", cdp_profile_id="p1")
    tenant.leo("buy", 5, event_name="purchase", transaction_id="N2", transaction_value=30, currency="USD")
    tenant.shop(
        1, 0, event_type="product_view", product_id=1, url="https://s/a?email=lan@shop.vn&utm_source=zalo"
    )
    tenant.shop(2, 5, event_type="purchase", order_id=2)
    tenant.run()
    (session,) = tenant.sessions()
    counts = {name: session[name] for name in ("customer_id", "events", "views", "buys", "orders", "revenue")}
    assert counts == {
        "customer_id": "leo:p1", "events": 2, "views": 1, "buys": 1, "orders": 1, "revenue": 30,
    }  # fmt: skip
    (shop_view,) = tenant.marts.read("select * from datasets.events_enriched where event_id = 'shop:1'")
    assert (shop_view["is_duplicate"], shop_view["page"], shop_view["utm_source"]) == (
        True,
        "https://s/a",
        "zalo",
    )
    assert not any("lan@" in row for rows in tenant.contents().values() for row in rows)
    tenant.same_as_full()


def test_deleted_and_changed_events_are_seen(tenant: Tenant) -> None:
    for number in range(3):
        tenant.shop(number + 1, number)
        tenant.leo(f"e{number}", 100 + number)
    tenant.run()
    tenant.marts.change("update raw.events set _deleted_at = now(), _etl_loaded_at = now() where id = 1")
    tenant.marts.change(
        "update cdp.tracking_event set deleted_at = now(), changed_at = now() where event_id = 'e2'"
    )
    tenant.marts.change("update raw.events set event_type = 'search', _etl_loaded_at = now() where id = 2")
    outcome = tenant.run()
    assert (outcome.is_full, outcome.changed) == (False, 3)
    assert [(row["events"], row["searches"]) for row in tenant.sessions()] == [(2, 1), (2, 0)]
    tenant.same_as_full()


def test_a_link_that_changes_moves_events_of_old_to_their_customer(tenant: Tenant) -> None:
    tenant.shop(1, 0, customer_id=2, product_id=1)
    tenant.leo("x", 3, cdp_profile_id="p2", visitor_id="laptop", item_id="S9")
    tenant.run()
    assert [row["customer_id"] for row in tenant.sessions()] == ["shop:2", "unknown"]
    tenant.marts.land_leo(
        "customer_profile", {"cdp_profile_id": "p2", "email": "minh@shop.vn", "full_name": "Minh"}
    )
    tenant.marts.land_leo("product_item", {"product_key": "k9", "item_id": "S9", "title": "New"})
    outcome = tenant.run()
    assert not outcome.is_full
    (session,) = tenant.sessions()
    assert (session["customer_id"], session["events"]) == ("leo:p2", 2)
    articles = tenant.marts.read("select article_id from datasets.events_enriched where event_id = 'leo:x'")
    assert articles == [{"article_id": "leo:k9"}]
    tenant.same_as_full()


def test_new_events_lead_where_a_full_run_would_lead_them(tenant: Tenant) -> None:
    tenant.leo("a")
    tenant.run()
    tenant.shop(1, 1, event_type="purchase", order_id=1, customer_id=1, product_id=1)
    tenant.shop(2, 2, event_type="purchase", order_id=999, customer_id=999, product_id=999)
    tenant.leo("b", 3, cdp_profile_id="p1", item_id=" s1")
    tenant.leo("c", 4, cdp_profile_id="nobody", item_id="S404", transaction_id="N7", transaction_value=5)
    assert not tenant.run().is_full
    names = "event_id, customer_id, article_id, order_number, order_value"
    found = tenant.marts.read(f"select {names} from datasets.events_enriched order by event_id")
    assert [tuple(row.values()) for row in found] == [
        ("leo:a", "unknown", None, None, None),
        ("leo:b", "leo:p1", "shop:1", None, None),
        ("leo:c", "unknown", "unknown", "N7", 5),
        ("shop:1", "leo:p1", "shop:1", "N1", 50),
        ("shop:2", "unknown", "unknown", None, None),
    ]
    tenant.same_as_full()
    tenant.marts.change("update raw.orders set _deleted_at = now(), _etl_loaded_at = now() where id = 1")
    tenant.run()
    orders = tenant.marts.read("select event_id from datasets.events_enriched where order_number is not null")
    assert orders == [{"event_id": "leo:c"}]
    tenant.same_as_full()


def test_a_session_that_comes_back_is_superseded_by_none(tenant: Tenant) -> None:
    for key, minutes in (("a", 0), ("b", 29), ("c", 58)):
        tenant.leo(key, minutes)
    tenant.run()
    deleted = "update cdp.tracking_event set deleted_at = {}, changed_at = now() where event_id = 'a'"
    tenant.marts.change(deleted.format("now()"))
    tenant.run()
    (pair,) = tenant.marts.read("select old_id, new_id from datasets.session_superseded")
    tenant.marts.change(deleted.format("null"))
    tenant.run()
    (session,) = tenant.sessions()
    assert session["session_id"] == pair["old_id"]
    assert tenant.marts.read("select old_id, new_id from datasets.session_superseded") == [
        {"old_id": pair["new_id"], "new_id": pair["old_id"]}
    ]


def test_an_order_that_changes_changes_the_revenue_of_its_session(tenant: Tenant) -> None:
    tenant.shop(1, 0, event_type="purchase", order_id=1)
    tenant.run()
    assert [row["revenue"] for row in tenant.sessions()] == [50]
    tenant.marts.change("update raw.orders set total_amount = 60, _etl_loaded_at = now() where id = 1")
    tenant.run()
    assert [row["revenue"] for row in tenant.sessions()] == [60]
    tenant.same_as_full()


def test_a_window_that_passes_turns_open_into_dropped_without_any_event(tenant: Tenant) -> None:
    tenant.leo("a", 0)
    soon = DAY + timedelta(minutes=10)
    tenant.run(now=soon)
    state = "select funnel_id, open, dropped from datasets.funnel_daily where step = 1 order by funnel_id"
    assert [(row["open"], row["dropped"]) for row in tenant.marts.read(state)] == [(1, 0), (1, 0)]
    tenant.run(now=DAY + timedelta(hours=2))
    assert [(row["open"], row["dropped"]) for row in tenant.marts.read(state)] == [(0, 1), (1, 0)]
    before = tenant.contents()
    tenant.run(full=True, now=DAY + timedelta(hours=2))
    assert tenant.contents() == before


def test_a_run_without_news_writes_nothing(tenant: Tenant) -> None:
    tenant.leo("a")
    tenant.run()
    before = tenant.contents()
    outcome = tenant.run()
    assert (outcome.changed, sum(written.rows for written in outcome.written.values())) == (0, 0)
    assert tenant.contents() == before


def test_another_funnel_builds_all_anew(tenant: Tenant) -> None:
    tenant.leo("a", 0, event_name="search")
    tenant.run()
    tenant.scope = Scope(
        tenant.scope.tenant_id, tenant.scope.as_of, tenant.scope.timezone, tenant.scope.currency,
        TenantOptions.of({"funnels": [{"funnel_id": "found", "steps": ["search", "view"], "window_minutes": 30}]}),
    )  # fmt: skip
    assert tenant.run().is_full
    names = tenant.marts.read("select distinct funnel_id from datasets.funnel_daily")
    assert names == [{"funnel_id": "found"}]


def test_a_blocked_run_writes_nothing_and_is_not_remembered(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cdp_assets.datasets.events import checks, run
    from cdp_assets.quality import Check, Measure

    tenant.leo("a")
    blocking = Check("no", "never", "none", lambda audit: Measure(1, "no"), blocking=True)
    monkeypatch.setattr(run, "CHECKS", (("events_enriched", blocking), *checks.CHECKS))
    outcome = refresh(tenant.warehouse, tenant.scope, NOW)
    assert outcome.blocked_by == ["no"]
    assert all(rows == [] for rows in tenant.contents().values())
    with tenant_rows(tenant.marts.pipeline_dsn, tenant.marts.tenant) as conn:
        assert conn.execute("select count(*) from datasets.event_state").fetchone() == (0,)


def test_the_step_of_the_graph_reports_tables_checks_and_versions(tenant: Tenant, tmp_path: Path) -> None:
    name = tenant.marts.tenant
    options = {"as_of": NOW.isoformat(), "default_currency": "USD"}
    put_tenant(tenant.warehouse, Registered(name, name, "active", "dump", {"folder": "x"}, options))
    tenant.leo("a", 0, cdp_profile_id="p1")
    store = ArtifactStore(tmp_path)

    def materialize(**config: Any) -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions(TENANT_DIMENSION, [name])
            return dg.materialize(
                [events],
                instance=instance,
                partition_key=name,
                resources={"warehouse": tenant.warehouse, "artifacts": store},
                run_config={"ops": {"events": {"config": config}}},
            )

    result = materialize(full=True)
    assert {each.check_name for each in result.get_asset_check_evaluations()} == {
        check.name for _, check in CHECKS
    }
    # the newest event is three days old
    failed = {each.check_name for each in result.get_asset_check_evaluations() if not each.passed}
    assert failed == {"fresh"}
    shown = {
        each.asset_key.path[-1]: {name: item.value for name, item in each.materialization.metadata.items()}
        for each in result.get_asset_materialization_events()
        if each.asset_key is not None
    }
    assert set(shown) == set(CONTRACTS)
    for table, metadata in shown.items():
        manifest = store.manifest(table, name, metadata["version"])
        assert (store.latest(table, name), manifest.letter) == (manifest.version, "F")
        assert metadata["dagster/row_count"] == manifest.rows
    assert {"Funnel purchase", "Funnel purchase_7d"} < set(shown["funnel_daily"])
    assert "Sessions per day" in shown["session_funnel"]
    tenant.leo("b", 1)
    result = materialize()
    newest = {
        each.asset_key.path[-1]: {name: item.value for name, item in each.materialization.metadata.items()}
        for each in result.get_asset_materialization_events()
        if each.asset_key is not None
    }
    # a run of 15 minutes shows what there is, and says what it wrote
    for table, metadata in newest.items():
        (rows,) = tenant.marts.read(f"select count(*) as n from datasets.{table}")
        assert metadata["dagster/row_count"] == rows["n"], table
        assert set(shown[table]) - {"version"} == set(metadata), table
    assert [newest[table]["full"] for table in newest] == [False] * len(CONTRACTS)
    assert (newest["events_enriched"]["rows_written"], newest["session_funnel"]["rows_written"]) == (1, 1)
    assert newest["events_enriched"]["dagster/row_count"] == 2


def test_tenants_see_only_their_own_events(tenant: Tenant) -> None:
    other = Tenant(tenant.marts.other(), tenant.warehouse)
    tenant.leo("a")
    other.leo("a", 1)
    tenant.run()
    other.run()
    assert [len(each.sessions()) for each in (tenant, other)] == [1, 1]
    assert tenant.sessions()[0]["session_id"] != other.sessions()[0]["session_id"]


def test_events_ahead_of_the_clock_are_set_aside_named_and_taken_in_when_their_time_has_come(
    tenant: Tenant,
) -> None:
    tenant.leo("a", 0, cdp_profile_id="p1")
    tenant.leo("far", 60 * 24 * 365 * 5)
    tenant.shop(1, 60 * 24 * 4)
    for _ in range(2):
        outcome = tenant.run()
        (ahead,) = [found for _, check, found in outcome.measures if check.name == "none_ahead"]
        assert (ahead.passed, ahead.failing, {row[0] for row in ahead.sample}) == (
            False,
            2,
            {"leo:far", "shop:1"},
        )
        assert [
            row["event_id"] for row in tenant.marts.read("select event_id from datasets.events_enriched")
        ] == ["leo:a"]
    tenant.marts.change(
        "update cdp.tracking_event set event_at = event_at + interval '6 years', changed_at = now() "
        "where event_id = 'a'"
    )
    tenant.run()
    assert tenant.sessions() == [], "its time was corrected to one ahead"
    tenant.run(now=NOW + timedelta(days=3))
    assert [
        row["event_id"] for row in tenant.marts.read("select event_id from datasets.events_enriched")
    ] == ["shop:1"]
    tenant.marts.change(
        "update cdp.tracking_event set deleted_at = now(), changed_at = now() where event_id = 'far'"
    )
    outcome = tenant.run(now=NOW + timedelta(days=3))
    assert outcome.audit.ahead[0] == 1


def test_one_event_of_another_decade_makes_old_data_no_younger(tenant: Tenant) -> None:
    tenant.leo("a", -60 * 24 * 10)
    tenant.leo("far", 60 * 24 * 365 * 5)
    outcome = tenant.run()
    (fresh,) = [found for _, check, found in outcome.measures if check.name == "fresh"]
    assert not fresh.passed
