"""How rows come into the warehouse: bulk load, ledger, locks, sweep, quarantine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any, LiteralString

import psycopg
import pytest

from cdp_assets.warehouse import locks, quarantine
from cdp_assets.warehouse.bulk import BulkLoader, Target, is_bad_value, tombstone
from cdp_assets.warehouse.connection import Connection, Warehouse
from cdp_assets.warehouse.ledger import Ledger, Sweep
from cdp_assets.warehouse.locks import Busy

# -- bulk load ---------------------------------------------------------------------------------------------------------

SEGMENT = Target(
    schema="cdp",
    table="segment",
    key="segment_id",
    columns={"segment_id": "text", "name": "text", "segment_type": "text", "status": "text", "reported_size": "int4",
             "metadata": "jsonb", "content_hash": "bytea"},
    insert_only=frozenset({"status"}),
    scrub=(("name", "null"), ("metadata", "'{}'::jsonb")),
)  # fmt: skip


def segment(key: str, name: str | None = "n", **given: Any) -> tuple[Any, ...]:
    values = {
        "status": "active",
        "metadata": b'{"a": 1}',
        "content_hash": repr((name, given)).encode(),
        **given,
    }
    return key, name, "static", values["status"], 1, values["metadata"], values["content_hash"]


def versions(conn: Connection) -> dict[str, tuple[Any, ...]]:
    """Physical version of each row: it moves whenever the row is rewritten."""
    return {
        row[0]: row[1:] for row in conn.execute("select segment_id, ctid::text, xmin::text from cdp.segment")
    }


def test_rows_that_did_not_change_are_not_rewritten(warehouse: Warehouse) -> None:
    with warehouse.session("acme") as session:
        loader = BulkLoader(session.connection, SEGMENT)
        with session.transaction() as conn:
            assert loader.merge(conn, "acme", [segment(key) for key in "abc"]) == 3
            before = versions(conn)
        with session.transaction() as conn:
            assert loader.merge(conn, "acme", [segment(key) for key in "abc"]) == 0
            assert versions(conn) == before
        with session.transaction() as conn:
            assert (
                loader.merge(conn, "acme", [segment("a"), segment("b", "changed", status="x"), segment("d")])
                == 2
            )
            after = versions(conn)
            assert {key for key in before if after[key] != before[key]} == {"b"}
            assert conn.execute("select name, status from cdp.segment where segment_id = 'b'").fetchone() == (
                "changed",
                "active",  # insert_only
            )


def test_documents_land_as_json_objects(warehouse: Warehouse) -> None:
    with warehouse.session("acme") as session, session.transaction() as conn:
        BulkLoader(session.connection, SEGMENT).merge(conn, "acme", [segment("a")])
        found = conn.execute("select jsonb_typeof(metadata), metadata -> 'a' from cdp.segment").fetchone()
        assert found == ("object", 1)


def test_a_tombstone_clears_personal_data_and_a_row_that_returns_is_whole_again(warehouse: Warehouse) -> None:
    state = "select name, metadata::text, deleted_at is null from cdp.segment where segment_id = 'a'"
    with warehouse.session("acme") as session:
        loader = BulkLoader(session.connection, SEGMENT)
        with session.transaction() as conn:
            loader.merge(conn, "acme", [segment("a"), segment("b")])
            assert tombstone(conn, "acme", SEGMENT, ["a", "unknown"]) == 1
            assert tombstone(conn, "acme", SEGMENT, ["a"]) == 0
            assert conn.execute(state).fetchone() == (None, "{}", False)
        with session.transaction() as conn:
            assert loader.merge(conn, "acme", [segment("a")]) == 1
            assert conn.execute(state).fetchone() == ("n", '{"a": 1}', True)


BAD_VALUES: dict[str, dict[str, Any]] = {
    "null character in JSON": {"metadata": b'{"a": "\\u0000"}'},
    "half a surrogate pair": {"metadata": b'{"a": "\\ud800"}'},
    "no JSON": {"metadata": b"{"},
    "null character in text": {"name": "a\x00b"},
}


@pytest.mark.parametrize("fault", BAD_VALUES)
def test_a_value_that_postgresql_refuses_is_told_from_other_faults(warehouse: Warehouse, fault: str) -> None:
    with warehouse.session("acme") as session:
        loader = BulkLoader(session.connection, SEGMENT)
        with pytest.raises(psycopg.DataError) as error, session.transaction() as conn:
            loader.merge(conn, "acme", [segment("a"), segment("bad", **BAD_VALUES[fault])])
        assert is_bad_value(error.value)
        with session.transaction() as conn:
            assert loader.merge(conn, "acme", [segment("a")]) == 1  # the connection is as good as before


@pytest.mark.parametrize(
    "statement", ["select pg_sleep(9)", "select * from cdp.nowhere", "truncate cdp.segment"]
)
def test_a_fault_of_the_server_is_no_bad_value(pipeline_dsn: str, statement: LiteralString) -> None:
    with Warehouse(pipeline_dsn, statement_timeout_s=1) as warehouse, warehouse.tenant("acme") as conn:
        with pytest.raises(psycopg.Error) as error:
            conn.execute(statement)
        conn.rollback()
    assert not is_bad_value(error.value)


# -- ledger and sweep ----------------------------------------------------------------------------------------------


def test_a_collection_is_loaded_by_one_run_at_a_time(warehouse: Warehouse) -> None:
    with warehouse.session("acme") as second:
        with warehouse.session("acme") as first:
            locks.take(first.connection, "acme", "cdp_profile")
            locks.take(second.connection, "acme", "cdp_segment", wait_s=1)
            locks.take(second.connection, "lotus", "cdp_profile", wait_s=1)
            began = monotonic()
            with pytest.raises(Busy, match="another run is at work on cdp_profile of tenant acme"):
                locks.take(second.connection, "acme", "cdp_profile", wait_s=1)
            assert monotonic() - began < 5
        locks.take(second.connection, "acme", "cdp_profile", wait_s=5)  # the holder's connection has closed


def test_a_watermark_never_moves_back(warehouse: Warehouse) -> None:
    ledger = Ledger("acme", "cdp_profile")
    older, newer = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))
    with warehouse.tenant("acme") as conn:
        for instant in (None, older, newer, older, None):
            ledger.advance(conn, instant)
        assert ledger.watermark(conn).watermark == newer


def test_a_sweep_finds_what_was_added_changed_and_removed(warehouse: Warehouse) -> None:
    ledger = Ledger("acme", "cdp_profile")
    with warehouse.session("acme") as session:
        with session.transaction() as conn:
            ledger.record(
                conn, [(key, "1", b"h") for key in ("same", "changed", "gone", "Gone", "quarantined")]
            )
            ledger.record(conn, [("quarantined", "1", None)])
            Ledger("acme", "cdp_segment").record(conn, [("other", "1", b"h")])
        for _ in range(2):  # a sweep leaves nothing that disturbs the next
            sweep = Sweep(session.connection, "acme", "cdp_profile")
            sweep.add([("same", "1"), ("changed", "2"), ("added", "1")])
            sweep.add([("quarantined", "1"), ("added", "1")])
            with session.transaction() as conn:
                assert sweep.compare(conn) == (5, 2, 2)
            assert list(sweep.changed(size=1)) == [["added"], ["changed"]]
            assert list(sweep.vanished()) == [["Gone", "gone"]]
        sweep = Sweep(session.connection, "acme", "cdp_profile")
        with session.transaction() as conn:
            assert sweep.compare(conn) == (0, 0, 5)  # an empty source
        assert list(sweep.changed()) == []
        with session.transaction() as conn:
            ledger.forget(conn, ["gone", "Gone"])
            assert ledger.size(conn) == 3
            assert set(ledger.lookup(conn, ["same", "gone", "quarantined"])) == {"same", "quarantined"}


def test_a_document_that_is_rejected_again_keeps_the_day_it_was_first_seen(warehouse: Warehouse) -> None:
    entry = quarantine.Reject("a", "1", "age: is no number", ("age",), landed=False, document="{}")
    for rev in ("1", "2"):
        with warehouse.tenant("acme") as conn:
            quarantine.store(conn, "acme", "cdp_profile", [replace(entry, rev=rev)], run_id="r")
    with warehouse.tenant("acme") as conn:
        (stored,) = quarantine.open_entries(conn, "acme")
        assert (stored.key, stored.rev) == ("a", "2")
        assert stored.first_seen_at < stored.last_seen_at
        assert quarantine.resolve(conn, "acme", "cdp_profile", ["a"], "landed") == 1
        assert quarantine.open_keys(conn, "acme") == {}
