"""The artifact store, in a folder and in S3 alike: versions are whole or not there, and never other than written."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cdp_assets.artifacts import store as store_module
from cdp_assets.artifacts.store import ArtifactError, ArtifactStore, Manifest
from tests.artifact_support import DATASET, TENANT, moto_bucket, put, version


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An S3 of this machine."""
    with moto_bucket("versions") as address:
        yield address


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path, bucket: str) -> str:
    """Where the versions of one test are: the test runs for each kind."""
    return str(tmp_path) if request.param == "folder" else f"{bucket}/{tmp_path.name}"


@pytest.fixture
def store(root: str) -> ArtifactStore:
    return ArtifactStore(root)


def test_a_version_is_read_as_it_was_written(store: ArtifactStore) -> None:
    manifest = put(store, b"content")
    assert store.latest(DATASET, TENANT) == manifest.version
    assert store.manifest(DATASET, TENANT, manifest.version) == manifest
    assert store.read(manifest, "table.bin") == b"content"
    assert store.names() == [(DATASET, TENANT)]
    assert store.uri(DATASET, TENANT, manifest.version).endswith(f"{DATASET}/{TENANT}/v={manifest.version}")


def test_nothing_is_there_before_the_first_version(store: ArtifactStore) -> None:
    assert store.latest(DATASET, TENANT) is None
    assert store.versions(DATASET, TENANT) == []
    assert store.names() == []


def test_equal_content_is_written_once_and_other_content_beside_it(store: ArtifactStore) -> None:
    files = {"table.bin": b"one"}
    assert store.put(version(files), files)
    assert not store.put(version(files, hours=5), files)
    other = put(store, b"two", hours=6)
    assert [each.version for each in store.versions(DATASET, TENANT)] == [
        version(files).version,
        other.version,
    ]


def test_a_version_that_is_not_published_is_not_the_latest(store: ArtifactStore) -> None:
    published = put(store, b"good")
    put(store, b"failed its checks", publish=False, hours=1)
    assert store.latest(DATASET, TENANT) == published.version


def test_what_another_process_publishes_is_seen_at_once(root: str, store: ArtifactStore) -> None:
    put(store, b"one")
    assert len(store.versions(DATASET, TENANT)) == 1
    other = put(ArtifactStore(root), b"two", hours=1)
    assert store.latest(DATASET, TENANT) == other.version
    assert len(store.versions(DATASET, TENANT)) == 2


@pytest.mark.fault
@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_process_that_dies_while_writing_leaves_no_version(
    store: ArtifactStore, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put(store, b"before")
    files = {"a": b"1", "b": b"2"}
    manifest = version(files, hours=1)
    kept, calls = store_module._replace, []

    def dies(path: object, content: bytes) -> None:
        if len(calls) == written:
            raise KeyboardInterrupt
        calls.append(path)
        kept(path, content)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_replace", dies)
        with pytest.raises(KeyboardInterrupt):
            store.put(manifest, files)
    assert store.latest(DATASET, TENANT) == first.version
    assert [each.version for each in store.versions(DATASET, TENANT)] == [first.version]
    with pytest.raises(ArtifactError, match="has no version"):
        store.publish(DATASET, TENANT, manifest.version)

    assert store.put(manifest, files), "the next run writes all of it"
    store.publish(DATASET, TENANT, manifest.version)
    assert [store.read(manifest, name) for name in files] == [b"1", b"2"]


@pytest.mark.fault
def test_a_file_that_was_changed_is_refused_and_the_next_run_mends_it(store: ArtifactStore) -> None:
    manifest = put(store, b"content")
    path = store.folder(DATASET, TENANT) / f"v={manifest.version}" / "table.bin"
    path.write_bytes(b"c0ntent")
    with pytest.raises(
        ArtifactError, match="is not what was written: materialize customer_features of acme again"
    ):
        store.read(manifest, "table.bin")
    assert store.put(manifest, {"table.bin": b"content"})
    assert store.read(manifest, "table.bin") == b"content"


@pytest.mark.fault
def test_a_file_that_is_gone_is_told_and_the_next_run_mends_it(store: ArtifactStore) -> None:
    manifest = put(store, b"content")
    (store.folder(DATASET, TENANT) / f"v={manifest.version}" / "table.bin").unlink()
    with pytest.raises(ArtifactError, match="is missing"):
        store.read(manifest, "table.bin")
    assert store.put(manifest, {"table.bin": b"content"})
    assert store.read(manifest, "table.bin") == b"content"
    with pytest.raises(ArtifactError, match="is missing"):
        store.read(manifest, "never-written")


@pytest.mark.fault
@pytest.mark.parametrize("torn", [b"", b"{", b'{"dataset": "customer_features"}', b"\xff"])
def test_a_manifest_that_cannot_be_read_is_no_version_and_hides_no_other(
    store: ArtifactStore, torn: bytes
) -> None:
    first = put(store, b"one")
    second = put(store, b"two", publish=False, hours=1)
    (store.folder(DATASET, TENANT) / f"v={second.version}" / store_module.MANIFEST).write_bytes(torn)
    assert [each.version for each in store.versions(DATASET, TENANT)] == [first.version]
    assert [name for name, _ in store.unfinished(DATASET, TENANT)] == [second.version]
    assert store.put(second, {"table.bin": b"two"})
    assert len(store.versions(DATASET, TENANT)) == 2


def test_a_removed_version_is_gone_and_the_latest_stays(store: ArtifactStore) -> None:
    old, new = put(store, b"one"), put(store, b"two", hours=1)
    store.remove(DATASET, TENANT, old.version)
    assert [each.version for each in store.versions(DATASET, TENANT)] == [new.version]
    assert store.unfinished(DATASET, TENANT) == []
    with pytest.raises(ArtifactError, match="is the latest and stays"):
        store.remove(DATASET, TENANT, new.version)


@pytest.mark.parametrize("name", ["..", "../../etc", "a/b", "", ".hidden", "v=1"])
def test_no_name_leads_out_of_the_store(store: ArtifactStore, name: str) -> None:
    with pytest.raises(ArtifactError, match="cannot name a version"):
        store.manifest(DATASET, TENANT, name)
    with pytest.raises(ArtifactError, match="cannot name a dataset"):
        store.latest(name, TENANT)
    with pytest.raises(ValueError, match="cannot name a tenant"):
        store.latest(DATASET, name)


def test_tenants_do_not_see_each_others_versions(store: ArtifactStore) -> None:
    put(store, b"of acme")
    assert store.versions(DATASET, "lotus") == []
    put(store, b"of lotus", tenant="lotus")
    assert [each.tenant_id for each in store.versions(DATASET, "lotus")] == ["lotus"]
    assert store.names() == [(DATASET, "acme"), (DATASET, "lotus")]


def test_folders_that_are_none_of_ours_are_left_alone(tmp_path: Path) -> None:
    for name in ("lost+found", "customer_features/Not a tenant", ".cache/acme"):
        (tmp_path / name).mkdir(parents=True)
    assert ArtifactStore(tmp_path).names() == []


@pytest.mark.fault
def test_readers_see_the_one_or_the_other_version_while_it_is_published(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    versions = [put(store, content).version for content in (b"one", b"two")]
    seen: set[str | None] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(ArtifactStore(tmp_path).latest(DATASET, TENANT))

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(200):
        store.publish(DATASET, TENANT, versions[turn % 2])
    done.set()
    reader.join()
    assert seen <= set(versions)


@pytest.mark.fault
def test_a_file_is_on_disk_before_its_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replaced = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (order.append("written"), fsync(number)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("named"), replaced(self, to))[1])
    put(ArtifactStore(tmp_path), b"content")
    assert order == ["written", "named"] * 3, "the file, the manifest, LATEST"


def test_a_manifest_says_after_storing_what_it_said_before() -> None:
    manifest = version({"table.bin": b"1", "b": b""}, key=("customer_id", "article_id"))
    assert Manifest.from_json(manifest.to_json()) == manifest
    nothing_known = replace(manifest, min_time=None, git_sha="abc", git_dirty=True, letter="")
    assert Manifest.from_json(nothing_known.to_json()) == nothing_known


def test_a_tenant_goes_with_all_its_versions_and_nobody_elses(store: ArtifactStore) -> None:
    put(store, b"published")
    put(store, b"failed its checks", publish=False, hours=1)
    put(store, b"of another dataset", dataset="articles_content")
    other = put(store, b"of another tenant", tenant="lotus")
    assert store.remove_tenant(TENANT) == 2
    assert store.names() == [(DATASET, "lotus")]
    assert store.versions(DATASET, TENANT) == []
    assert store.latest(DATASET, TENANT) is None
    assert store.read(other, "table.bin") == b"of another tenant"
    assert store.remove_tenant(TENANT) == 0


def test_writers_that_share_a_process_id_do_not_share_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers on one folder: both are process 1. The second writes whole while the first is between two steps."""
    store = ArtifactStore(tmp_path)
    first, second = put(store, b"1", publish=False), put(store, b"2", publish=False, hours=1)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    sync, calls = os.fsync, []

    def while_syncing(descriptor: int) -> None:
        sync(descriptor)
        calls.append(descriptor)
        if len(calls) == 1:
            store.publish(DATASET, TENANT, second.version)

    monkeypatch.setattr(os, "fsync", while_syncing)
    store.publish(DATASET, TENANT, first.version)
    assert len(calls) == 2
    assert store.latest(DATASET, TENANT) == first.version
    assert [path.name for path in store.folder(DATASET, TENANT).iterdir() if path.is_file()] == ["LATEST"]


def test_what_a_killed_writer_left_is_cleared_by_the_next_once_it_is_a_day_old(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    manifest = put(store, b"1")
    folder = Path(str(store.folder(DATASET, TENANT)))
    old, young = folder / ".LATEST.4711", folder / ".LATEST.4712"
    for path in (old, young):
        path.write_bytes(b"2026")
    os.utime(old, (0, 0))
    store.publish(DATASET, TENANT, manifest.version)
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [".LATEST.4712", "LATEST"]
