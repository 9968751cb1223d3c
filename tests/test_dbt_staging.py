"""dbt's views: that they are there, described and isolated; each expression has a dbt unit test beside its model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Server
from tests.databases import shared_database
from tests.dbt_support import PROJECT, Dbt, DbtFailed, statuses, write

VIEWS = ("staging", "intermediate")


@pytest.fixture(scope="module")
def dbt(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dbt]:
    """dbt on a database that has every view; each test writes rows of tenants of its own."""
    with shared_database(postgres, "dbt_views") as name:
        opened = Dbt(postgres, name, tmp_path_factory.mktemp("dbt"))
        opened("run", "--select", *VIEWS)
        yield opened


@pytest.fixture
def dsn(dbt: Dbt) -> str:
    """The same database as the pipeline's role."""
    return dbt.server.dsn(dbt.database, user="cdp_pipeline")


def relations(dbt: Dbt) -> list[tuple[str, str, str, list[str]]]:
    """Schema, name, kind and options of everything in dbt's two schemas of views."""
    with psycopg.connect(dbt.server.dsn(dbt.database, user="postgres")) as conn:
        return conn.execute(
            "select n.nspname, c.relname, c.relkind::text, coalesce(c.reloptions, '{}') from pg_class as c "
            "join pg_namespace as n on n.oid = c.relnamespace where n.nspname = any(%s) order by 1, 2",
            (list(VIEWS),),
        ).fetchall()


def test_schemas_are_named_exactly_as_configured_and_hold_one_view_per_model(dbt: Dbt) -> None:
    models = sorted((path.parts[len(PROJECT.parts) + 1], path.stem) for folder in VIEWS
                    for path in (PROJECT / "models" / folder).rglob("*.sql"))  # fmt: skip
    assert [(schema, name) for schema, name, _, _ in relations(dbt)] == models
    assert len(models) == 30


def test_every_view_runs_with_the_rights_of_its_reader(dbt: Dbt) -> None:
    for schema, name, kind, options in relations(dbt):
        assert (kind, options) == ("v", ["security_invoker=true"]), f"{schema}.{name}"


def test_every_model_has_a_description_of_its_grain_and_of_each_column(dbt: Dbt) -> None:
    results = dbt("compile", "--select", *VIEWS)
    described = {
        node.name: node for node in (result.node for result in results) if node.resource_type == "model"
    }
    for schema, name, _, _ in relations(dbt):
        node = described[name]
        assert node.description.startswith("One row per "), name
        found = {column for (column,) in columns(dbt, schema, name)}
        assert {key for key, column in node.columns.items() if column.description} == found, name


def columns(dbt: Dbt, schema: str, name: str) -> list[tuple[str]]:
    """Names of a relation's columns."""
    with psycopg.connect(dbt.server.dsn(dbt.database, user="postgres")) as conn:
        return conn.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0",
            (f"{schema}.{name}",),
        ).fetchall()


def test_a_session_sees_its_own_tenant_in_every_view(dbt: Dbt, dsn: str) -> None:
    for tenant in ("acme", "lotus"):
        one_of_everything(dsn, tenant)
    for user in ("cdp_transform", "cdp_pipeline", "cdp_reader"):
        for schema, name, _, _ in relations(dbt):
            seen = dbt.read(f"select distinct tenant_id from {schema}.{name}", tenant="acme", user=user)
            assert seen == [{"tenant_id": "acme"}], f"{user} in {schema}.{name}"


def test_a_session_without_a_tenant_sees_nothing(dbt: Dbt, dsn: str) -> None:
    one_of_everything(dsn, "nobody")
    with psycopg.connect(dbt.server.dsn(dbt.database, user="cdp_reader")) as conn:
        for schema, name, _, _ in relations(dbt):
            query = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name))
            assert conn.execute(query).fetchone() == (0,), f"{schema}.{name}"


def one_of_everything(dsn: str, tenant: str) -> None:
    """A customer that both sources know, who bought, wrote and clicked in both."""
    write(dsn, tenant, "raw.customers", {"id": 1, "name": "Ana", "email": "ana@x.vn"})
    write(dsn, tenant, "raw.categories", {"id": 1, "name": "Home"})
    write(dsn, tenant, "raw.products", {"id": 1, "sku": "A1", "name": "Cup", "price": 5, "category_id": 1})
    write(dsn, tenant, "raw.promotions", {"id": 1, "code": "ten", "discount_percent": 10})
    write(dsn, tenant, "raw.orders", {"id": 1, "customer_id": 1, "order_number": "O-1", "status": "done"})
    write(
        dsn,
        tenant,
        "raw.order_items",
        {"id": 1, "order_id": 1, "product_id": 1, "quantity": 2, "unit_price": 5},
    )
    write(dsn, tenant, "raw.reviews", {"id": 1, "product_id": 1, "customer_id": 1, "rating": 5})
    write(dsn, tenant, "raw.events", {"id": 1, "customer_id": 1, "event_type": "view"})
    write(dsn, tenant, "cdp.customer_profile", {"cdp_profile_id": "p1", "email": "ana@x.vn"})
    write(dsn, tenant, "cdp.product_item", {"product_key": "k1", "item_id": "a1", "currency": "VND"})
    purchase = {"txn_id": "t1", "transaction_id": "O-2", "product_key": "k1", "currency": "VND"}
    write(dsn, tenant, "cdp.transactional_context", {"cdp_profile_id": "p1", **purchase})
    write(dsn, tenant, "cdp.tracking_event", {"event_id": "e1", "cdp_profile_id": "p1", "event_name": "View"})
    write(
        dsn,
        tenant,
        "cdp.feedback",
        {"feedback_id": "f1", "cdp_profile_id": "p1", "feedback_type": "RATING", "score": 4},
    )
    write(dsn, tenant, "cdp.customer_metrics", {"cdp_profile_id": "p1"})
    write(dsn, tenant, "cdp.consent", {"cdp_profile_id": "p1", "channel": "email"})
    write(dsn, tenant, "cdp.segment", {"segment_id": "s1", "name": "All"})
    write(dsn, tenant, "cdp.profile_segment", {"cdp_profile_id": "p1", "segment_id": "s1"})


def test_a_view_is_replaced_in_place_and_only_when_its_sql_is_another(dbt: Dbt) -> None:
    before = views(dbt)
    dbt("run", "--select", "stg_customers", "int_customers")
    assert views(dbt) == before
    with psycopg.connect(dbt.server.dsn(dbt.database, user="cdp_transform")) as conn:
        conn.execute("comment on view staging.stg_customers is 'dbt of another day'")
    dbt("run", "--select", "stg_customers", "int_customers")
    after = views(dbt)
    assert {name for name in before if after[name] != before[name]} == {"staging.stg_customers"}
    assert {name: oid for name, (oid, _) in after.items()} == {name: oid for name, (oid, _) in before.items()}


def views(dbt: Dbt) -> dict[str, tuple[int, str]]:
    """Object id (a view that was dropped and made again has another) and version of its rule, by name."""
    with psycopg.connect(dbt.server.dsn(dbt.database, user="postgres")) as conn:
        rows = conn.execute(
            "select c.oid::regclass::text, c.oid, r.xmin::text from pg_class as c "
            "join pg_rewrite as r on r.ev_class = c.oid "
            "where c.relkind = 'v' and c.relnamespace = any(%s::regnamespace[])",
            (list(VIEWS),),
        ).fetchall()
    return {name: (oid, version) for name, oid, version in rows}


def test_a_view_whose_columns_changed_is_made_anew_with_those_above_it(
    postgres: Server, database: str, tmp_path: Path
) -> None:
    dbt = Dbt(postgres, database, tmp_path)
    dbt("run", "--select", *VIEWS)
    with psycopg.connect(postgres.dsn(database, user="postgres")) as conn:
        conn.execute("drop view staging.stg_customers cascade")
        conn.execute("create view staging.stg_customers as select 'acme' as tenant_id, 'text' as customer_id")
        conn.execute("alter view staging.stg_customers owner to cdp_transform")
        conn.execute("create view intermediate.leftover as select customer_id from staging.stg_customers")
    dbt("run", "--select", *VIEWS)
    found = {f"{schema}.{name}" for schema, name, _, _ in relations(dbt)}
    assert {"staging.stg_customers", "intermediate.int_customers"} <= found
    assert "intermediate.leftover" not in found


@pytest.mark.slow
def test_unit_tests_of_the_views_pass(dbt: Dbt) -> None:
    results = dbt("test", "--select", "test_type:unit,staging",
                  "test_type:unit,intermediate")  # fmt: skip
    assert len(results) >= 17


@pytest.mark.slow
def test_data_tests_report_dirt_as_warnings_and_broken_keys_as_failures(dbt: Dbt, dsn: str) -> None:
    tenant = "dirty"
    write(dsn, tenant, "raw.customers",
          {"id": 1, "name": "A", "email": "not an address"}, {"id": 2, "name": "B", "email": "b@x.vn"},
          {"id": 3, "name": "C", "email": "b@x.vn"})  # fmt: skip
    write(dsn, tenant, "raw.products", {"id": 1, "name": "Cup", "price": 5, "category_id": 404})
    write(dsn, tenant, "raw.orders", {"id": 1, "customer_id": 1, "order_date": "2026-01-01", "status": "teleported",
                                      "total_amount": 1})  # fmt: skip
    # cautious: without the tests that compare a view with a mart, which is not built here
    chosen = [
        "--select",
        *VIEWS,
        "source:raw",
        "--exclude",
        "test_type:unit",
        "--indirect-selection",
        "cautious",
    ]
    results, said = dbt.attempt("test", *chosen, tenant=tenant)
    found = {name: status for name, status in statuses(results).items() if status != "pass"}
    assert not said
    assert found == {
        "category_exists": "warn",
        "email_is_valid": "warn",
        "order_status_known": "warn",
        "source_unique_raw_customers_email": "warn",
    }


def test_marts_refuse_a_session_without_a_tenant(dbt: Dbt) -> None:
    with pytest.raises(DbtFailed, match="is built for one tenant, and the session has none"):
        dbt("run", "--select", "dim_customers")
