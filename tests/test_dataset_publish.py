"""Write, audit, publish: what others see of a dataset is what passed its checks, whole."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import dataframely as dy
import numpy as np
import polars as pl
import psycopg
import pytest

from cdp_assets.artifacts.store import ArtifactError, ArtifactStore
from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.datasets.common_checks import CHANCE, PSI_WARN, chance_of, drift, psi
from cdp_assets.datasets.customers import rfm
from cdp_assets.datasets.model import Audit, Built, last_whole_day
from cdp_assets.quality import Severity
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.dataset_support import SCOPE, Shelf, create_table, failed, toy


@pytest.fixture
def shelf(warehouse: Warehouse, acme: Tenant, owner_dsn: str, tmp_path: Path) -> Shelf:
    create_table(owner_dsn)
    return Shelf(warehouse, tmp_path)


def test_a_first_build_fills_table_files_and_registry(shelf: Shelf) -> None:
    found = shelf.publish(("b", 2), ("a", 1))
    assert found.written is not None
    assert (found.written.inserted, found.written.rows) == (2, 2)
    assert shelf.rows() == [("a", 1), ("b", 2)]
    assert shelf.rows("select price, tags from datasets.toy where thing = 'b'") == [
        (Decimal("0.5000"), ['a,"b', "b"])
    ]
    assert shelf.store.latest("toy", "acme") == found.manifest.version
    stored = pl.read_parquet(shelf.store.read(found.manifest, "toy.parquet"))
    assert stored.rows() == [
        ("a", 1, Decimal("0.2500"), ['a,"b', "a"]), ("b", 2, Decimal("0.5000"), ['a,"b', "b"])
    ]  # fmt: skip
    assert shelf.store.read(found.manifest, "sum.txt") == b"3"
    artifacts = shelf.rows("select name, bytes, sha256, version from ops.etl_artifacts order by name")
    assert [name for name, *_ in artifacts] == ["sum.txt", "toy.parquet"]
    assert artifacts[0][1:] == (1, found.manifest.files[0].sha256, found.manifest.version)


def test_the_manifest_says_what_it_was_made_of(shelf: Shelf) -> None:
    manifest = shelf.publish(("a", 1), ("b", 2)).manifest
    again = shelf.store.manifest("toy", "acme", manifest.version)
    assert again == manifest
    assert (manifest.rows, manifest.as_of, manifest.tenant_id) == (2, SCOPE.as_of, "acme")
    assert manifest.version.startswith("20260629-")
    assert manifest.inputs["things"]["rows"] == 2
    assert manifest.columns[0] == ("thing", "String")
    assert manifest.code_version


def test_the_same_inputs_in_any_order_give_the_same_bytes_and_write_nothing(shelf: Shelf) -> None:
    first = shelf.publish(("a", 1), ("b", 2))
    second = shelf.publish(("b", 2), ("a", 1))
    assert second.manifest.sha256 == first.manifest.sha256
    assert second.manifest.version == first.manifest.version
    assert second.manifest.inputs == first.manifest.inputs
    assert second.written is not None
    assert second.written.rows == 0
    assert len(shelf.store.versions("toy", "acme")) == 1


def test_only_rows_that_differ_are_written(shelf: Shelf) -> None:
    shelf.publish(("a", 1), ("b", 2), ("c", 3))
    untouched = shelf.rows("select xmin::text from datasets.toy where thing = 'a'")
    found = shelf.publish(("a", 1), ("b", 20), ("d", 4))
    assert found.written is not None
    assert (found.written.inserted, found.written.updated, found.written.deleted) == (1, 1, 1)
    assert shelf.rows() == [("a", 1), ("b", 20), ("d", 4)]
    assert shelf.rows("select xmin::text from datasets.toy where thing = 'a'") == untouched


def test_a_blocking_check_keeps_what_was_published(shelf: Shelf) -> None:
    good = shelf.publish(("a", 1))
    bad = shelf.publish(("a", 1), ("huge", 5_000))
    assert bad.written is None
    assert bad.blocked_by == ["not_too_big"]
    assert failed(bad) == {"not_too_big"}
    assert shelf.rows() == [("a", 1)]
    assert shelf.store.latest("toy", "acme") == good.manifest.version
    # the version that was kept back can be looked at
    refused = shelf.store.manifest("toy", "acme", bad.manifest.version)
    assert pl.read_parquet(shelf.store.read(refused, "toy.parquet")).height == 2
    assert shelf.rows("select distinct version from ops.etl_artifacts") == [(good.manifest.version,)]


def test_an_earlier_day_than_the_published_one_gives_a_version_beside_it(shelf: Shelf) -> None:
    good = shelf.publish(("a", 1), ("b", 2))
    earlier = replace(SCOPE, as_of=date(2026, 5, 31), today=date(2026, 6, 30))
    back = shelf.publish(("a", 1), ("bad", -1), *[(f"t{n:03}", n) for n in range(200)], scope=earlier)
    assert not back.is_published
    assert (back.blocked_by, back.latest) == ([], good.manifest.version)
    assert back.manifest.version.startswith("20260531-")
    assert shelf.store.manifest("toy", "acme", back.manifest.version).rows == 201
    assert shelf.store.latest("toy", "acme") == good.manifest.version
    assert shelf.rows() == [("a", 1), ("b", 2)]
    assert shelf.rows("select count(*) from ops.quarantine") == [(0,)]
    assert shelf.rows("select distinct version from ops.etl_artifacts") == [(good.manifest.version,)]
    # the same day again, and a later one, are published
    assert shelf.publish(("c", 3)).is_published
    assert shelf.publish(("d", 4), scope=replace(SCOPE, as_of=date(2026, 7, 1))).is_published


def test_the_newest_whole_day_is_published_although_the_clock_went_back(shelf: Shelf) -> None:
    shelf.publish(("a", 1))
    earlier = replace(SCOPE, as_of=date(2026, 5, 31), today=date(2026, 6, 1))
    assert shelf.publish(("b", 2), scope=earlier).is_published
    assert shelf.rows() == [("b", 2)]


def test_rows_that_break_the_contract_go_to_quarantine_and_the_rest_is_published(shelf: Shelf) -> None:
    rows = [(f"t{number:03}", number) for number in range(200)]
    found = shelf.publish(*rows, ("bad", -1))
    assert found.written is not None
    assert failed(found, Severity.WARN) == {"contract_kept"}
    assert len(shelf.rows()) == 200
    ((key, reason, document),) = shelf.rows(
        "select key, reason, document from ops.quarantine where collection = 'datasets.toy' and resolved_at is null"
    )
    assert (key, reason) == ("bad", "breaks the rule size|min")
    assert json.loads(document)["size"] == -1
    ((check, measure),) = [(c, m) for c, m in found.measures if c.name == "contract_kept"]
    assert check.blocking
    assert measure.sample == [("size|min", "bad", -1)]
    shelf.publish(*rows, ("bad", 1))
    assert shelf.rows("select resolution from ops.quarantine") == [("landed",)]


def test_too_many_broken_rows_block(shelf: Shelf) -> None:
    shelf.publish(("a", 1))
    found = shelf.publish(("a", 1), *[(f"bad{n}", -1) for n in range(6)])
    assert found.blocked_by == ["contract_kept"]
    assert shelf.rows() == [("a", 1)]


@pytest.mark.parametrize("rows", [0, 1, 41])
def test_a_few_broken_rows_never_block_however_small_the_table(shelf: Shelf, rows: int) -> None:
    good = [(f"t{number:03}", number) for number in range(rows)]
    found = shelf.publish(*good, *[(f"bad{n}", -1) for n in range(5)])
    assert found.is_published
    assert failed(found, Severity.WARN) == {"contract_kept"}
    assert len(shelf.rows()) == rows


def test_a_key_that_occurs_twice_is_refused_whole(shelf: Shelf) -> None:
    rows = [(f"t{number:03}", number) for number in range(300)]
    found = shelf.publish(*rows, ("twice", 1), ("twice", 2))
    assert found.written is not None
    assert found.audit.refused.height == 2
    assert "twice" not in {thing for thing, _ in shelf.rows()}


def test_nothing_after_something_blocks(shelf: Shelf) -> None:
    shelf.publish(*[(f"t{n}", n) for n in range(6)])
    found = shelf.publish()
    assert found.blocked_by == ["row_count_band"]
    assert len(shelf.rows()) == 6


def test_nothing_after_a_few_is_named_and_published(shelf: Shelf) -> None:
    shelf.publish(*[(f"t{n}", n) for n in range(5)])
    found = shelf.publish()
    assert failed(found, Severity.WARN) == {"row_count_band"}
    assert shelf.rows() == []


def test_an_empty_tenant_has_an_empty_dataset(shelf: Shelf) -> None:
    found = shelf.publish()
    assert found.written is not None
    assert found.manifest.rows == 0
    assert not failed(found)


def test_a_number_of_rows_out_of_the_usual_warns_once_a_usual_is_known(shelf: Shelf) -> None:
    for run in range(5):
        assert not failed(shelf.publish(*[(f"t{n}", n + run) for n in range(10)]), Severity.WARN)
    assert failed(shelf.publish(*[(f"t{n}", n) for n in range(40)]), Severity.WARN) == {"row_count_band"}


def test_columns_that_moved_are_named(shelf: Shelf) -> None:
    shelf.publish(*[(f"t{n:03}", n) for n in range(200)])
    assert not failed(shelf.publish(*[(f"t{n:03}", n + 1) for n in range(200)]), Severity.WARN)
    found = shelf.publish(*[(f"t{n:03}", n + 300) for n in range(200)])
    measure = next(found for check, found in found.measures if check.name == "drift")
    assert (measure.passed, measure.severity) == (False, Severity.WARN)
    assert {name for name, *_ in measure.sample} == {"size", "price"}
    assert found.written is not None, "drift never blocks"
    pooled = drift(replace(found.audit, pooled=("price",)))
    assert [name for name, *_ in pooled.sample] == ["size"]


def test_pooled_columns_are_columns() -> None:
    for dataset in DATASETS.values():
        assert set(dataset.pooled) <= set(dataset.contract.columns()), dataset.name


def test_what_most_rows_share_may_move_in_its_last_digits() -> None:
    before = pl.Series([0.03131] * 900 + [n / 1_000 for n in range(100)])
    assert psi(before, pl.Series([0.03129] * 900 + [n / 1_000 for n in range(100)])) < 0.01
    assert psi(before, pl.Series([0.09] * 900 + [n / 1_000 for n in range(100)])) > 1


def test_digits_beyond_the_fourth_are_no_drift_where_all_values_are_alike() -> None:
    alive = pl.Series([1 - n * 1e-8 for n in range(200)])
    assert psi(alive, pl.Series([1 - n * 5e-8 for n in range(200)])) == 0
    assert psi(alive, pl.Series([0.99] * 200)) > 1


def test_few_things_move_by_chance(shelf: Shelf) -> None:
    dice = random.Random(7)
    for _ in range(2):
        found = shelf.publish(*[(f"t{n:03}", dice.randrange(1_000)) for n in range(110)])
    measure = next(found for check, found in found.measures if check.name == "drift")
    assert measure.passed
    assert measure.numbers["highest_psi"] > 0.1


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 0.0),
        ([0, 0, 0, 1], [0, 0, 0, 1], 0.0),
        ([None, None, 1, 1], [None, 1, 1, 1], 0.25 * math.log(1.5) + 0.25 * math.log(2)),
        ([1, 1, 1, 1], [0, 0, 0, 0], 2 * 0.875 * math.log(8)),
        ([1, 1, 1, 1], [2, 2, 2, 2], 2 * 0.875 * math.log(8)),
        ([], [], 0.0),
    ],
)
def test_the_stability_index_of_small_cases(
    before: list[int | None], now: list[int | None], expected: float
) -> None:
    assert psi(pl.Series(before, dtype=pl.Int64), pl.Series(now, dtype=pl.Int64)) == pytest.approx(expected)


def test_samples_of_one_population_move_by_chance_alone() -> None:
    """Of 400 pairs of samples, with ten columns each, at most 1 % alarm, however few the rows."""
    dice = np.random.default_rng(5)
    for rows in (100, 400):
        alarms = 0
        for _ in range(200):
            pairs = dice.normal(size=(2, 10, rows))
            limit = PSI_WARN + chance_of(11, rows, rows, CHANCE / 10)
            alarms += any(psi(pl.Series(a), pl.Series(b)) > limit for a, b in zip(*pairs, strict=True))
        assert alarms <= 2


@pytest.mark.parametrize("people", [120, 1_500])
def test_a_rank_that_moves_with_one_other_row_is_no_drift(people: int) -> None:
    """Half of all buyers have one order; one who buys again moves the tie over the edge of a quintile."""
    for moved in range(0, people // 2, max(people // 24, 1)):
        before = [1] * (people // 2) + [2] * (people // 4) + [3] * (people - people // 2 - people // 4)
        now = [2] * moved + before[moved:]
        tables = [
            pl.DataFrame({"customer_id": range(people), "total_orders": orders}).select(
                pl.col("customer_id").cast(pl.String),
                "total_orders",
                rfm.score(pl.col("total_orders")).alias("f_score"),
            )
            for orders in (before, now)
        ]
        dataset = DATASETS["customer_features"]
        audit = Audit(
            SCOPE, tables[1], tables[1].clear(), {}, Built(tables[1]), (), lambda found=tables[0]: found,
            ("customer_id",), dataset.pooled,
        )  # fmt: skip
        assert "f_score" not in {name for name, *_ in drift(audit).sample}
        assert drift(audit).severity is Severity.WARN


def test_a_table_that_refuses_a_row_leaves_everything_as_it_was(shelf: Shelf, owner_dsn: str) -> None:
    good = shelf.publish(("a", 1))
    with psycopg.connect(owner_dsn) as conn:
        conn.execute("alter table datasets.toy add constraint small check (size < 100)")
    with pytest.raises(psycopg.errors.CheckViolation):
        shelf.publish(("a", 1), ("b", 500))
    assert shelf.rows() == [("a", 1)]
    assert shelf.store.latest("toy", "acme") == good.manifest.version


def test_a_build_with_other_columns_than_its_contract_says_so(shelf: Shelf) -> None:
    def wrong(scope: object, things: pl.DataFrame) -> Built:
        return Built(things)

    with pytest.raises(dy.exc.SchemaError, match="price"):
        shelf.publish(("a", 1), dataset=toy(build=wrong))


def test_the_last_whole_day_is_the_one_of_the_tenant() -> None:
    midnight = datetime(2026, 6, 30, tzinfo=UTC)
    assert last_whole_day(midnight, "UTC") == date(2026, 6, 29)
    assert last_whole_day(midnight, "Asia/Ho_Chi_Minh") == date(2026, 6, 29)
    assert last_whole_day(midnight, "America/New_York") == date(2026, 6, 28)
    assert SCOPE.until == datetime(2026, 6, 29, 17, tzinfo=UTC)


def test_a_version_that_is_unknown_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cdp artifacts list"):
        ArtifactStore(tmp_path).publish("toy", "acme", "20260101-0")
