"""Which versions of datasets go, and which stay."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_assets.artifacts import retention
from cdp_assets.artifacts.store import ArtifactError, ArtifactStore
from tests.artifact_support import DATASET, MADE, TENANT, put, version

LATER = MADE + timedelta(days=30)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def going(store: ArtifactStore, keep: int) -> list[str]:
    return [each.version for each in retention.plan(store, store.names(), keep=keep, now=LATER)]


def test_the_newest_stay_and_the_rest_go(store: ArtifactStore) -> None:
    versions = [put(store, bytes([i]), hours=i).version for i in range(5)]
    assert going(store, 2) == versions[:3][::-1]
    assert going(store, 5) == []
    retention.carry_out(store, retention.plan(store, store.names(), keep=2, now=LATER))
    assert [each.version for each in store.versions(DATASET, TENANT)] == versions[3:]
    assert going(store, 2) == []


def test_the_published_version_stays_however_old_it_is(store: ArtifactStore) -> None:
    published = put(store, b"good")
    failed = [put(store, bytes([i]), hours=i + 1, publish=False).version for i in range(4)]
    assert going(store, 1) == failed[:3][::-1]
    assert published.version not in going(store, 1)


def test_a_backfill_of_an_old_day_is_new(store: ArtifactStore) -> None:
    old = put(store, b"june")
    put(store, b"january", as_of=date(2026, 1, 31), hours=1)
    assert going(store, 1) == [old.version]


def test_each_dataset_and_tenant_keeps_its_own(store: ArtifactStore) -> None:
    for dataset in ("customer_features", "timeseries_daily"):
        for tenant in ("acme", "lotus"):
            for i in range(2):
                put(store, bytes([i]), dataset=dataset, tenant=tenant, hours=i)
    assert len(going(store, 1)) == 4


def test_what_a_dead_run_left_goes_after_a_day_and_what_is_being_written_stays(store: ArtifactStore) -> None:
    put(store, b"good")
    folders = []
    for name, hours in (("dead", 25), ("running", 23)):
        folder = Path(store.uri(DATASET, TENANT, name))
        folder.mkdir(parents=True)
        (folder / "table.bin").write_bytes(b"half")
        written = (LATER - timedelta(hours=hours)).timestamp()
        os.utime(folder / "table.bin", (written, written))
        folders.append(folder)
    planned = retention.plan(store, store.names(), keep=9, now=LATER)
    assert [(each.version, each.reason) for each in planned] == [("dead", "unfinished")]
    retention.carry_out(store, planned)
    assert [folder.exists() for folder in folders] == [False, True]


def test_a_version_published_since_the_plan_stays(store: ArtifactStore) -> None:
    old, _ = put(store, b"one"), put(store, b"two", hours=1)
    planned = retention.plan(store, store.names(), keep=1, now=LATER)
    store.publish(DATASET, TENANT, old.version)
    with pytest.raises(ArtifactError, match="is the latest"):
        retention.carry_out(store, planned)
    assert len(store.versions(DATASET, TENANT)) == 2


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True), st.integers(0, 7), st.integers(1, 5)
)
def test_whatever_is_made_when_the_newest_and_the_published_stay(
    hours: list[int], published: int, keep: int
) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        store = ArtifactStore(folder)
        made = [put(store, bytes([i]), hours=hour, publish=False) for i, hour in enumerate(hours)]
        store.publish(DATASET, TENANT, made[published % len(made)].version)
        newest = sorted(made, key=lambda each: each.made_at)[-keep:]
        stay = {each.version for each in newest} | {made[published % len(made)].version}
        assert set(going(store, keep)) == {each.version for each in made} - stay


def test_nothing_goes_where_nothing_is(store: ArtifactStore) -> None:
    assert going(store, 1) == []
    files = {"table.bin": b"1"}
    assert store.put(version(files), files)
    assert going(store, 1) == []
