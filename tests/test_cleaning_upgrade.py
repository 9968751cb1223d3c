"""A warehouse of the release before: what it keeps too much goes, and texts that differ are embedded again."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import psycopg
import pytest
from alembic import command

from cdp_assets.warehouse.migrate import migrate
from tests.conftest import Server
from tests.rows import Conn, insert

T = "acme"


@pytest.fixture
def older(postgres: Server) -> Iterator[tuple[Conn, str]]:
    """A database of release 0004, as superuser, and its address."""
    name, upgrade = "test_cleaning_upgrade", command.upgrade
    dsn = postgres.dsn(name, user="postgres")
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as server:
        server.execute(f"create database {name}")
        try:
            with mock.patch.object(command, "upgrade", lambda config, _: upgrade(config, "0004")):
                migrate(dsn)
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("select set_config('app.tenant_id', %s, false)", (T,))
                yield conn, dsn
        finally:
            server.execute(f"drop database {name} with (force)")


def test_rows_of_the_release_before_are_cleaned_and_texts_that_differ_are_queued(
    older: tuple[Conn, str],
) -> None:
    conn, dsn = older
    insert(conn, "ops.tenant", tenant_id=T, status="active", source_kind="dump")
    insert(
        conn, "ops.quarantine", tenant_id=T, collection="cdp_profile", key="k", reason="age: 'Lan' is no number",
        fields=["age"], resolved_at="2026-01-01T00:00Z", resolution="landed",
    )  # fmt: skip
    gone = {"tenant_id": T, "deleted_at": "2026-01-01T00:00Z"}
    insert(
        conn, "cdp.tracking_event", **gone, event_id="e", visitor_id="v", touchpoint_url="https://x.vn/lan"
    )
    insert(conn, "cdp.feedback", **gone, feedback_id="gone", visitor_id="v")
    insert(conn, "embedding.model", tenant_id=T, model_id="m")
    conn.execute("call embedding.add_partitions(%s, 'm')", (T,))
    for key, comment in {"a": "Hàng đẹp", "b": "gọi 0912,345,678 nhé", "c": "size 36 37 38 39"}.items():
        insert(conn, "cdp.feedback", tenant_id=T, feedback_id=key, status="recorded", comment=comment)
    conn.execute(
        "insert into embedding.review_embedding (tenant_id, model_id, entity_key, text_hash, embedding) "
        "select tenant_id, 'm', entity_key, text_hash, '[1]' from embedding.review_text"
    )
    conn.execute("delete from embedding.job")
    migrate(dsn)
    jobs = conn.execute("select entity_key from embedding.job order by 1").fetchall()
    assert jobs == [("b",), ("c",)]
    assert conn.execute("select reason from ops.quarantine").fetchall() == [("age at fault",)]
    events = conn.execute("select visitor_id, touchpoint_url from cdp.tracking_event").fetchall()
    assert events == [(None, None)]
    assert conn.execute("select visitor_id from cdp.feedback where feedback_id = 'gone'").fetchall() == [
        (None,)
    ]
    lifted = conn.execute(
        "select relname from pg_class where relrowsecurity and not relforcerowsecurity and relnamespace in "
        "('ops'::regnamespace, 'cdp'::regnamespace)"
    ).fetchall()
    assert lifted == []
    resting = conn.execute(
        "select tgname from pg_trigger where not tgisinternal and tgenabled <> 'O'"
    ).fetchall()
    assert resting == []
