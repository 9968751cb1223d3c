"""Dataset C in the warehouse: its table takes what is built, nothing is written twice, and a broken build stays out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets.customers import CUSTOMER_FEATURES
from cdp_assets.datasets.model import Built, Scope
from cdp_assets.datasets.publish import build
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.customers_support import SCOPE, audit_of, frames, random_rows


def test_the_table_holds_what_was_built_and_a_second_build_writes_nothing(
    warehouse: Warehouse, acme: Tenant, tmp_path: Path
) -> None:
    audit = audit_of(frames(**random_rows(11)))
    store = ArtifactStore(tmp_path)
    first = build(warehouse, store, CUSTOMER_FEATURES, SCOPE, audit.inputs, "run-1")
    second = build(warehouse, store, CUSTOMER_FEATURES, SCOPE, audit.inputs, "run-2")
    assert first.blocked_by == []
    assert first.written is not None
    assert second.written is not None
    assert (first.written.inserted, second.written.rows) == (audit.table.height, 0)
    assert first.manifest.version == second.manifest.version
    columns = ["customer_id", "total_amount_spent", "top_categories", "rfm_segment", "p_alive", "active"]
    with warehouse.tenant("acme") as conn:
        rows = conn.execute(
            "select customer_id, total_amount_spent, top_categories, rfm_segment, p_alive, active "
            'from datasets.customer_features order by customer_id collate "C"'
        ).fetchall()
    assert [tuple(row) for row in rows] == audit.table.select(columns).rows()


def test_rows_that_were_multiplied_are_not_published(
    warehouse: Warehouse, acme: Tenant, tmp_path: Path
) -> None:
    audit = audit_of(frames(**random_rows(11)))

    def fanned_out(scope: Scope, **inputs: pl.DataFrame) -> Built:
        built = CUSTOMER_FEATURES.build(scope, **inputs)
        return replace(built, table=built.table.with_columns(total_orders=pl.col("total_transactions")))

    broken = replace(CUSTOMER_FEATURES, build=fanned_out)
    outcome = build(warehouse, ArtifactStore(tmp_path), broken, SCOPE, audit.inputs, "run-1")
    assert outcome.written is None
    assert "totals_reconcile" in outcome.blocked_by
