"""Every contract against the table that it fills: what the one forbids to be null, the other does not take."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.datasets.events.contract import CONTRACTS as EVENTS
from cdp_assets.landing.contracts import CONTRACTS

TABLES: dict[str, Any] = {
    **{f"cdp.{contract.table}": contract.schema for contract in CONTRACTS.values()},
    **{f"datasets.{name}": dataset.contract for name, dataset in DATASETS.items()},
    **{f"datasets.{name}": schema for name, schema in EVENTS.items()},
}
"""Table -> contract, of all that frames fill."""


@pytest.mark.parametrize("table", sorted(TABLES))
def test_table_and_contract_agree_on_columns_and_nulls(owner_dsn: str, table: str) -> None:
    with psycopg.connect(owner_dsn) as conn:
        found = dict(
            conn.execute(
                "select attname, not attnotnull from pg_attribute where attrelid = %s::regclass and attnum > 0 "
                "and not attisdropped",
                (table,),
            ).fetchall()
        )
    declared = {name: column.nullable for name, column in TABLES[table].columns().items()}
    assert declared.keys() <= found.keys()
    assert {name: found[name] for name in declared} == declared
