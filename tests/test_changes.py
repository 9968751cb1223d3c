"""Change counters: they move in the transaction that changes rows, however the rows are written, and at no other time.

Belongs here: `ops.change` and its triggers. Who builds by the counters is tested with the stages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command

from cdp_assets.warehouse import freshness
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.migrate import migrate
from cdp_assets.warehouse.registry import record_run
from tests.conftest import Server
from tests.databases import shared_database
from tests.rows import Conn, fill, insert, tenant_tables

SCHEMAS = ("cdp", "raw", "marts", "activation", "embedding", "datasets", "audience")
NOT_COUNTED = {"embedding.job", "embedding.retired_vector", "embedding.probe"}


def counter(conn: Conn, schema: str, table: str | None = None, *, tenant: str = "acme") -> int:
    """The counter as the tenant sees it, in a transaction of its own."""
    with conn.transaction():
        conn.execute("select set_config('app.tenant_id', %s, true)", (tenant,))
        row = conn.execute("select ops.change_of(%s, %s, %s)", (tenant, schema, table)).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def owner(owner_dsn: str) -> Iterator[Conn]:
    """A superuser's connection, each statement a transaction: what a person types by hand."""
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        yield conn


def test_every_table_of_a_tenant_is_counted(owner: Conn) -> None:
    insert(owner, "embedding.model", tenant_id="acme")
    with owner.transaction():
        owner.execute("select set_config('app.tenant_id', 'acme', true)")
        owner.execute("call embedding.add_partitions('acme', 'k')")
        owner.execute("call embedding.index_partition('acme', 'profile', 'k')")
    uncounted = {
        table
        for table in tenant_tables(owner)
        if table.split(".")[0] in SCHEMAS and not table.endswith("_texts")
        for row in owner.execute(
            "select count(*) from pg_trigger where tgrelid = to_regclass(%s) and tgname like 'change\\_of\\_%%'",
            (table,),
        )
        if row[0] != 4
    }
    assert uncounted == NOT_COUNTED


def test_an_upgraded_warehouse_counts_from_its_first_change_on(postgres: Server) -> None:
    """Tables of the release before have rows, partitions and marts; nothing was built from their counters yet."""
    with shared_database(postgres, "test_upgraded") as name:
        dsn = postgres.dsn(name, user="postgres")
        with psycopg.connect(dsn, autocommit=True) as conn:
            drop = "select string_agg(format('drop schema %I cascade', nspname), ';') from pg_namespace "
            row = conn.execute(drop + "where nspname !~ '^(pg_|information_schema|public)'").fetchone()
            assert row is not None
            conn.execute(row[0])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("alembic.command.upgrade", _to("0004", command.upgrade))
            migrate(dsn)
        with psycopg.connect(dsn, autocommit=True) as conn:
            # the release before takes a line without a time, which no contract ever let through
            conn.execute("alter table cdp.transactional_context alter txn_timestamp set not null")
            fill(conn, ["acme"])
            conn.execute("set role cdp_owner")
            conn.execute("create table marts.old as select 'acme'::text as tenant_id")
            conn.execute("call ops.isolate('marts.old')")
            conn.execute("reset role")
            migrate(dsn)
            assert conn.execute("select count(*) from ops.change").fetchone() == (0,)
            written = set()
            for table in counted(conn):
                before = counter(conn, *root_of(conn, table))
                if conn.execute(
                    f"update {table} set tenant_id = tenant_id where tenant_id = 'acme'"
                ).rowcount:
                    written.add(table)
                    assert counter(conn, *root_of(conn, table)) == before + 1
            assert {"marts.old", "cdp.segment", "raw.orders", "datasets.reviews_nlp"} <= written
            assert (
                sum(table.startswith("embedding.profile") for table in written) == 3
            )  # whole, tenant, model


def _to(revision: str, upgrade: Callable[..., None]) -> Callable[..., None]:
    return lambda config, _: upgrade(config, revision)


def counted(conn: Conn) -> list[str]:
    return [
        table
        for table in tenant_tables(conn)
        if table.partition(".")[0] in SCHEMAS and table not in NOT_COUNTED and not table.endswith("_texts")
    ]


def root_of(conn: Conn, table: str) -> list[str]:
    row = conn.execute(
        "select coalesce(pg_partition_root(to_regclass(%(table)s)), to_regclass(%(table)s))::text",
        {"table": table},
    ).fetchone()
    assert row is not None
    return str(row[0]).split(".")


INSERT = "insert into raw.promotions (tenant_id, id, updated_at) values ('acme', 2, now())"
OTHER = (
    "insert into cdp.profile_segment (tenant_id, cdp_profile_id, segment_id, joined_at) "
    "values ('acme', '{}', 's', now())"
)
WRITES = {
    "insert": INSERT,
    "update": "update raw.promotions set name = 'other' where tenant_id = 'acme'",
    "tombstone": "update raw.promotions set _deleted_at = now() where tenant_id = 'acme'",
    "delete": "delete from raw.promotions where tenant_id = 'acme'",
    "upsert that inserts": f"{INSERT} on conflict (tenant_id, id) do update set name = excluded.name",
    "upsert that updates": (
        "insert into raw.promotions (tenant_id, id, name, updated_at) values ('acme', 1, 'other', now()) "
        "on conflict (tenant_id, id) do update set name = excluded.name"
    ),
    "merge": (
        "merge into raw.promotions as t using (values ('acme', 1)) as w (tenant_id, id) "
        "on t.tenant_id = w.tenant_id and t.id = w.id when matched then update set name = 'other'"
    ),
    "part of a larger statement": (
        "with gone as (delete from raw.promotions where tenant_id = 'acme' returning 1) select count(*) from gone"
    ),
}
NO_WRITES = {
    "update of no row": "update raw.promotions set name = 'other' where id = 9",
    "delete of no row": "delete from raw.promotions where id = 9",
    "insert of no row": "insert into raw.promotions select * from raw.promotions where id = 9",
    "upsert that finds the row": f"{INSERT.replace('2', '1')} on conflict do nothing",
    "merge that finds nothing to do": (
        "merge into raw.promotions as t using (values (1)) as w (id) on t.id = w.id "
        "when matched and t.id = 9 then delete when not matched then do nothing"
    ),
    "reading": "select * from raw.promotions",
    "rows of another schema": OTHER.format("p"),
}


@pytest.fixture
def filled(owner: Conn) -> Conn:
    """A segment of two tenants each."""
    for tenant in ("acme", "lotus"):
        insert(owner, "raw.promotions", tenant_id=tenant)
    return owner


@pytest.mark.parametrize("statement", WRITES.values(), ids=WRITES)
def test_a_statement_that_changes_rows_moves_the_counter_of_their_tenant(
    filled: Conn, statement: str
) -> None:
    before = counter(filled, "raw"), counter(filled, "raw", tenant="lotus")
    filled.execute(statement)
    assert counter(filled, "raw") == before[0] + 1
    assert counter(filled, "raw", "promotions") > 0
    assert counter(filled, "raw", "orders") == counter(filled, "cdp") == 0
    assert counter(filled, "raw", tenant="lotus") == before[1]


@pytest.mark.parametrize("statement", NO_WRITES.values(), ids=NO_WRITES)
def test_a_statement_that_changes_no_row_moves_no_counter(filled: Conn, statement: str) -> None:
    before = counter(filled, "raw")
    filled.execute(statement)
    assert counter(filled, "raw") == before


def test_rows_that_come_by_copy_move_the_counter(filled: Conn) -> None:
    before = counter(filled, "raw")
    with filled.cursor().copy("copy raw.promotions (tenant_id, id, updated_at) from stdin") as copy:
        copy.write("acme\t2\t2026-01-01\n")
    assert counter(filled, "raw") == before + 1


def test_one_statement_over_all_tenants_moves_the_counter_of_each(filled: Conn) -> None:
    before = counter(filled, "raw"), counter(filled, "raw", tenant="lotus")
    filled.execute("update raw.promotions set name = 'other'")
    assert (counter(filled, "raw"), counter(filled, "raw", tenant="lotus")) == (before[0] + 1, before[1] + 1)


def test_a_row_that_changes_its_tenant_moves_the_counters_of_both(filled: Conn) -> None:
    before = counter(filled, "raw"), counter(filled, "raw", tenant="nova")
    filled.execute("update raw.promotions set tenant_id = 'nova' where tenant_id = 'acme'")
    assert (counter(filled, "raw"), counter(filled, "raw", tenant="nova")) == (before[0] + 1, before[1] + 1)


def test_a_vector_written_into_its_partition_counts_for_the_whole_table(owner: Conn) -> None:
    insert(owner, "embedding.model", tenant_id="acme")
    with owner.transaction():
        owner.execute("select set_config('app.tenant_id', 'acme', true)")
        owner.execute("call embedding.add_partitions('acme', 'k')")
    row = owner.execute("select embedding.leaf('profile', 'acme', 'k')").fetchone()
    assert row is not None
    for key, table in (("one", row[0]), ("two", "profile_embedding")):
        before = counter(owner, "embedding", "profile_embedding")
        owner.execute(
            f"insert into embedding.{table} (tenant_id, model_id, entity_key, text_hash, embedding) "
            "values ('acme', 'k', %s, 'x', '[1]')",
            (key,),
        )
        assert counter(owner, "embedding", "profile_embedding") == before + 1


def test_a_table_that_dbt_made_counts_from_its_first_rows_on(postgres: Server, database: str) -> None:
    with psycopg.connect(postgres.dsn(database, user="cdp_transform"), autocommit=True) as dbt:
        dbt.execute("set app.tenant_id = 'acme'")
        with dbt.transaction():
            dbt.execute("create table marts.sales as select 'acme'::text as tenant_id, 1 as id")
            dbt.execute("call ops.adopt('acme', 'sales')")
        with psycopg.connect(postgres.dsn(database, user="cdp_pipeline"), autocommit=True) as pipeline:
            assert counter(pipeline, "marts", "sales") == 1
            dbt.execute("insert into marts.sales values ('acme', 2)")
            assert counter(pipeline, "marts", "sales") == 2


def test_many_statements_of_one_transaction_are_one_change_that_is_seen_with_its_rows(
    warehouse: Warehouse,
) -> None:
    def segments() -> tuple[int, int]:
        with warehouse.tenant("acme") as conn:
            row = conn.execute(
                "select ops.change_of('acme', 'raw'), (select count(*) from raw.promotions)"
            ).fetchone()
        assert row is not None
        return row[0], row[1]

    with warehouse.tenant("acme") as conn:
        for key in range(3):
            conn.execute(
                "insert into raw.promotions (tenant_id, id, updated_at) values ('acme', %s, now())", (key,)
            )
        assert segments() == (0, 0)
    assert segments() == (1, 3)


def test_what_is_rolled_back_moves_no_counter(warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as conn:
        with conn.transaction(force_rollback=True):
            conn.execute(INSERT)
        conn.execute(OTHER.format("p"))
    with warehouse.tenant("acme") as conn:
        assert conn.execute(
            "select ops.change_of('acme', 'raw'), ops.change_of('acme', 'cdp')"
        ).fetchone() == (
            0,
            1,
        )


def test_writers_of_the_same_tables_in_any_order_wait_for_nobody(warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as one, warehouse.tenant("acme") as two:
        two.execute("set local lock_timeout = '100ms'")
        one.execute("set local lock_timeout = '100ms'")
        one.execute("insert into raw.orders (tenant_id, id, updated_at) values ('acme', 1, now())")
        two.execute("insert into raw.order_items (tenant_id, id, updated_at) values ('acme', 1, now())")
        one.execute("insert into raw.order_items (tenant_id, id, updated_at) values ('acme', 2, now())")
        two.execute("insert into raw.orders (tenant_id, id, updated_at) values ('acme', 2, now())")
    with warehouse.tenant("acme") as conn:
        assert conn.execute("select ops.change_of('acme', 'raw', 'orders')").fetchone() == (2,)


def test_a_change_that_commits_late_still_moves_the_counter(warehouse: Warehouse) -> None:
    """A number drawn at writing would be smaller than one that a reader has seen already."""
    with warehouse.tenant("acme") as late:
        late.execute("insert into raw.orders (tenant_id, id, updated_at) values ('acme', 1, now())")
        with warehouse.tenant("acme") as early:
            early.execute("insert into raw.orders (tenant_id, id, updated_at) values ('acme', 2, now())")
        with warehouse.tenant("acme") as reader:
            assert reader.execute("select ops.change_of('acme', 'raw')").fetchone() == (1,)
    with warehouse.tenant("acme") as reader:
        assert reader.execute("select ops.change_of('acme', 'raw')").fetchone() == (2,)


def fold(warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as conn:
        conn.execute("call ops.fold_changes('acme')")


def test_folding_keeps_every_counter(warehouse: Warehouse, owner: Conn) -> None:
    for key in range(5):
        owner.execute("insert into raw.orders (tenant_id, id, updated_at) values ('acme', %s, now())", (key,))
        owner.execute(OTHER.format(key))
        owner.execute(
            "insert into raw.promotions (tenant_id, id, updated_at) values ('lotus', %s, now())", (key,)
        )
    with warehouse.snapshot("acme") as reader:
        assert reader.execute("select ops.change_of('acme', 'raw')").fetchone() == (5,)
        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(fold, warehouse) for _ in range(2)]:
                done.result(timeout=30)
        assert reader.execute("select ops.change_of('acme', 'raw')").fetchone() == (5,)
    assert (counter(owner, "raw"), counter(owner, "cdp"), counter(owner, "raw", tenant="lotus")) == (5, 5, 5)
    assert owner.execute("select count(*) from ops.change where tenant_id = 'acme'").fetchone() == (2,)


def test_a_build_folds_what_was_counted_once_it_is_much(
    warehouse: Warehouse, owner: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "FOLDED_FROM", 3)
    for key in range(4):
        owner.execute(
            "insert into raw.promotions (tenant_id, id, updated_at) values ('acme', %s, now())", (key,)
        )
    with record_run(warehouse, "acme", "dbt", recipe=freshness.Recipe(("raw",), ("marts",))):
        pass
    assert owner.execute("select changes from ops.change where tenant_id = 'acme'").fetchall() == [(4,)]
    with warehouse.tenant("acme") as conn:
        assert freshness.current_run(conn, "acme", "dbt", freshness.Recipe(("raw",), ("marts",))) == {}


def test_folding_in_a_transaction_that_has_written_keeps_its_change(warehouse: Warehouse) -> None:
    with warehouse.tenant("acme") as conn:
        conn.execute(INSERT)
        conn.execute("call ops.fold_changes('acme')")
        conn.execute(WRITES["update"])
    with warehouse.tenant("acme") as conn:
        assert conn.execute("select ops.change_of('acme', 'raw')").fetchone() == (1,)


@pytest.mark.parametrize("table", ["raw.promotions", "raw.orders", "datasets.customer_features"])
def test_emptying_a_table_past_its_counter_is_refused(filled: Conn, table: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="never truncated"):
        filled.execute(f"truncate {table}")


def test_the_counter_of_another_tenant_is_refused(warehouse: Warehouse) -> None:
    with (
        warehouse.tenant("acme") as conn,
        pytest.raises(psycopg.errors.RaiseException, match="for tenant acme"),
    ):
        conn.execute("select ops.change_of('lotus', 'cdp')")
