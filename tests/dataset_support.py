"""A toy dataset, and what it takes to publish one: a table, a store, a scope.

Belongs here: what tests of the framework share. Tests of real datasets build frames of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import psycopg

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets.model import Audit, Built, Dataset, Scope
from cdp_assets.datasets.publish import Outcome, build
from cdp_assets.quality import Check, Measure, Severity
from cdp_assets.warehouse.connection import Warehouse

SCOPE = Scope("acme", date(2026, 6, 29), "Asia/Ho_Chi_Minh", "VND")


class Sizes(dy.Schema):
    """One row per thing."""

    thing = dy.String(primary_key=True, min_length=1)
    size = dy.Int64(min=0)
    price = dy.Decimal(38, 4, nullable=True)
    tags = dy.List(dy.String(), nullable=True)


def sizes(*rows: tuple[str, int]) -> pl.DataFrame:
    """Input rows of the toy: thing and size."""
    return pl.DataFrame(rows, schema={"thing": pl.String, "size": pl.Int64}, orient="row")


def _build(scope: Scope, things: pl.DataFrame) -> Built:
    table = things.with_columns(
        (pl.col("size").cast(pl.Decimal(38, 4)) / 4).cast(pl.Decimal(38, 4)).alias("price"),
        pl.concat_list(pl.lit('a,"b'), pl.col("thing")).alias("tags"),
    )
    return Built(
        table, {"sum.txt": str(things["size"].sum()).encode()}, numbers={"total": int(things["size"].sum())}
    )


def _biggest(audit: Audit) -> Measure:
    big = audit.table.filter(pl.col("size") > 1_000)
    return Measure(
        big.height, f"{big.height} are too big", {"big": big.height}, ("thing",), big.select("thing").rows()
    )


TOY = Dataset(
    name="toy",
    letter="T",
    description="One row per thing: its size.",
    contract=Sizes,
    reads=("things",),
    build=_build,
    checks=(Check("not_too_big", "Sizes against 1,000.", "make it smaller", _biggest, blocking=True),),
)


def toy(**changes: Any) -> Dataset:
    """The toy with other parts."""
    return replace(TOY, **changes)


def create_table(owner_dsn: str) -> None:
    """The toy's table, as a migration would make it."""
    with psycopg.connect(owner_dsn) as conn:
        conn.execute("set role cdp_owner")
        conn.execute(
            "create table datasets.toy (tenant_id text not null, thing text not null, size bigint not null, "
            "price numeric, tags jsonb, primary key (tenant_id, thing))"
        )
        conn.execute("call ops.isolate('datasets.toy')")
        conn.execute("grant select, insert, update, delete on datasets.toy to cdp_pipeline")


class Shelf:
    """The toy of tenant acme, published run by run."""

    def __init__(self, warehouse: Warehouse, folder: Path) -> None:
        self.warehouse = warehouse
        self.store = ArtifactStore(folder / "ml")
        self.runs = 0

    def publish(
        self,
        *rows: tuple[str, int],
        dataset: Dataset = TOY,
        scope: Scope = SCOPE,
        fault: Callable[[], None] | None = None,
    ) -> Outcome:
        """One run; it is entered in the registry as the asset does."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        if fault is not None:
            fault()
        found = build(self.warehouse, self.store, dataset, scope, {"things": sizes(*rows)}, run_id)
        if found.written is not None:
            with self.warehouse.tenant("acme") as conn:
                conn.execute(
                    "insert into ops.etl_runs (tenant_id, run_id, dataset, status, trigger, code_version, "
                    "artifact_uri, metrics) values ('acme', %s, 'datasets.toy', 'success', 'manual', '1', 'x', "
                    "jsonb_build_object('rows', %s::int))",
                    (run_id, found.manifest.rows),
                )
        return found

    def rows(
        self, statement: str = "select thing, size from datasets.toy order by thing"
    ) -> list[tuple[Any, ...]]:
        """What the table holds."""
        with self.warehouse.tenant("acme") as conn:
            return conn.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]


def failed(outcome: Outcome, severity: Severity = Severity.ERROR) -> set[str]:
    """Names of the checks that found something of a severity."""
    return {
        check.name for check, found in outcome.measures if not found.passed and found.severity is severity
    }
