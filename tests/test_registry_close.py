"""A run's entry is closed whatever its error and its counts hold, and never hides what went wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.registry import close_abandoned, record_run
from cdp_assets.warehouse.storable import storable, storable_text
from cdp_assets.warehouse.tenants import Tenant
from tests.conftest import Server

UNFIT = ["a\x00b", "\ud800", "a\udfffb", "\ud83d", "\x00" * 3000, "x" * 1999 + "\x00\ud800"]


def entry(warehouse: Warehouse) -> tuple[str, str | None, dict[str, Any]]:
    with warehouse.tenant("acme") as conn:
        row = conn.execute("select status, error, metrics from ops.etl_runs").fetchone()
    assert row is not None
    return row[0], row[1], row[2]


@pytest.mark.parametrize("text", UNFIT, ids=range(len(UNFIT)))
def test_an_error_that_no_column_holds_is_kept_and_raised(
    warehouse: Warehouse, acme: Tenant, text: str
) -> None:
    with pytest.raises(LookupError) as caught, record_run(warehouse, "acme", "d"):
        raise LookupError(text)
    assert str(caught.value) == text
    status, error, _ = entry(warehouse)
    assert status == "failed"
    assert error is not None
    assert error.startswith("LookupError: ")


def test_counts_that_json_does_not_hold_are_kept_as_far_as_they_go(
    warehouse: Warehouse, acme: Tenant
) -> None:
    with record_run(warehouse, "acme", "d") as summary:
        summary.metrics = {
            "nan": math.nan, "inf": -math.inf, "n\x00ul": "a\x00", "half": ["\ud800", {"x": np.float64("nan")}],
            "numpy": np.int64(7), "money": Decimal("1.10"), "day": datetime(2025, 1, 1, tzinfo=UTC), "set": {1},
            "yes": True, "none": None, "share": 0.25, 1: "a number as a name",
        }  # fmt: skip
    status, error, metrics = entry(warehouse)
    assert (status, error) == ("success", None)
    assert metrics == {
        "nan": None, "inf": None, "n\ufffdul": "a\ufffd", "half": ["\ufffd", {"x": None}], "numpy": 7, "money": "1.10",
        "day": "2025-01-01 00:00:00+00:00", "set": [1], "yes": True, "none": None, "share": 0.25,
        "1": "a number as a name",
    }  # fmt: skip


def test_an_entry_that_cannot_be_closed_does_not_hide_the_error(
    warehouse: Warehouse, acme: Tenant, owner_dsn: str
) -> None:
    def fails() -> None:
        with record_run(warehouse, "acme", "d"), psycopg.connect(owner_dsn) as conn:
            conn.execute("revoke update on ops.etl_runs from cdp_pipeline")
            conn.commit()
            raise ZeroDivisionError("the fault")

    with pytest.raises(ZeroDivisionError) as caught:
        fails()
    assert "stays open until a sensor closes it" in caught.value.__notes__[0]


def test_an_abandoned_entry_is_closed_with_any_text(warehouse: Warehouse, acme: Tenant) -> None:
    with warehouse.tenant("acme") as conn:
        conn.execute(
            "insert into ops.etl_runs (tenant_id, run_id, dataset, partition_key, status, attempt, trigger, "
            "orchestrator_run_id, code_version) values ('acme', 'r', 'd', 'acme', 'running', 1, 'manual', 'o', 'v')"
        )
        assert close_abandoned(conn, "acme", "o", "a\x00\ud800") == 1
    assert entry(warehouse)[1] == "a\ufffd\ufffd"


@pytest.fixture(scope="module")
def connection(postgres: Server) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.dsn("postgres", user="postgres"), autocommit=True) as conn:
        yield conn


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.text(st.characters()))
def test_postgresql_takes_everything_that_was_made_storable(
    connection: psycopg.Connection[Any], value: Any, text: str
) -> None:
    written = json.dumps(storable(value), allow_nan=False)
    connection.execute("select %s::jsonb, %s::text", (written, storable_text(text)))
