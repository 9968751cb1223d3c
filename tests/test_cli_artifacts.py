"""`cdp artifacts`, and the export in the seed's layout that it makes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from cdp_assets.artifacts.export import export
from cdp_assets.artifacts.store import ArtifactError, ArtifactStore, Manifest
from cdp_assets.cli.artifacts import artifacts
from tests.artifact_support import DATASET, TENANT, parquet_of, version

Run = Callable[..., str]

TABLE = pl.DataFrame({"customer_id": ["a", "b"], "orders": [1, 2]})


def add(
    store: ArtifactStore, table: pl.DataFrame = TABLE, *, publish: bool = True, dataset: str = DATASET,
    files: dict[str, bytes] | None = None, **of: object,
) -> Manifest:  # fmt: skip
    """A version whose table is a real one."""
    files = {f"{dataset}.parquet": parquet_of(table), **(files or {})}
    manifest = version(files, dataset=dataset, **of)  # type: ignore[arg-type]
    store.put(manifest, files)
    if publish:
        store.publish(dataset, manifest.tenant_id, manifest.version)
    return manifest


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


@pytest.fixture
def run(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line on the store; what it prints."""
    # the package has the group under the module's name
    monkeypatch.setattr(sys.modules["cdp_assets.cli.artifacts"], "open_artifacts", lambda: store)

    def called(*words: str) -> str:
        done = CliRunner().invoke(artifacts, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return called


def test_list_shows_the_newest_first_and_which_is_published(run: Run, store: ArtifactStore) -> None:
    good = add(store)
    bad = add(store, TABLE[:1], publish=False, hours=1)
    add(store, tenant="lotus")
    told = run("list", "--tenant", TENANT)
    lines = [line for line in told.splitlines() if DATASET in line]
    assert [("yes" in line, good.version in line, bad.version in line) for line in lines] == [
        (False, False, True), (True, True, False),
    ]  # fmt: skip
    assert "2 versions" in told
    assert "lotus" in run("list")


def test_show_prints_the_manifest_of_the_published_version(run: Run, store: ArtifactStore) -> None:
    manifest = add(store)
    told = run("show", DATASET, "--tenant", TENANT)
    address, _, shown = told.partition("{")
    assert address.replace("\n", "").endswith(manifest.version)
    assert json.loads("{" + shown)["inputs"]["purchases"]["rows"] == 3


def test_diff_compares_the_published_version_with_the_one_before(run: Run, store: ArtifactStore) -> None:
    first = add(store)
    second = add(store, pl.DataFrame({"customer_id": ["b", "c"], "orders": [5, 1], "spent": [1, 2]}), hours=1)
    told = run("diff", DATASET, "--tenant", TENANT)
    assert f"{first.version} -> {second.version}" in told
    assert all(word in told for word in ("spent", "added", "orders", "rows that differ"))
    same = run("diff", DATASET, "--tenant", TENANT, "--from", first.version, "--to", first.version)
    assert "are the same" in same


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "nonsense", "--tenant", TENANT), "has no published version"),
        (("show", DATASET, "--tenant", TENANT, "--version", "20260101-0"), "has no version 20260101-0"),
        (("show", DATASET, "--tenant", TENANT, "--version", "../x"), "cannot name a version"),
        (("diff", DATASET, "--tenant", TENANT), "is the first version"),
        (("list", "--dataset", "nonsense"), "has no version of nonsense: it has customer_features of acme"),
        (("export", "--tenant", "lotus", "--to", "x"), "has no version of any dataset of lotus"),
    ],
)
def test_what_is_not_there_is_told_in_one_sentence(
    run: Run, store: ArtifactStore, words: tuple[str, ...], message: str
) -> None:
    add(store)
    with pytest.raises(ArtifactError, match=message):
        run(*words)


def test_gc_shows_what_would_go_and_then_removes_it(run: Run, store: ArtifactStore) -> None:
    old = add(store, TABLE[:1])
    new = add(store, hours=1)
    assert "1 versions would go" in run("gc", "--keep", "1", "--dry-run")
    assert len(store.versions(DATASET, TENANT)) == 2
    assert old.version in run("gc", "--keep", "1")
    assert [each.version for each in store.versions(DATASET, TENANT)] == [new.version]
    assert "0 versions removed" in run("gc")


def test_export_writes_the_layout_of_the_seed(run: Run, store: ArtifactStore, tmp_path: Path) -> None:
    a = {"letter": "A", "key": ("customer_id", "article_id")}
    add(store, files={"btyd.json": b"{}"})
    add(
        store,
        dataset="user_item_interactions",
        files={"user_item_interactions.inter": b"x", "matrix.npz": b"m"},
        **a,
    )
    add(store, dataset="timeseries_daily", letter="D")
    add(store, TABLE[:1], dataset="timeseries_weekly", letter="D")
    add(store, dataset="articles_content", letter="B")
    add(store, dataset="reviews_nlp", letter="E")
    add(store, dataset="something_else", letter="")
    run("export", "--tenant", TENANT, "--to", str(tmp_path / "ml"))
    found = {
        str(path.relative_to(tmp_path / "ml")) for path in (tmp_path / "ml").rglob("*") if path.is_file()
    }
    folders = {
        "A_user_item_interactions": {"A_user_item_interactions.parquet", "A_user_item_interactions.inter",
                                     "A_user_item_interactions.matrix.npz"},
        "B_articles_structured": {"B_articles_structured.parquet"},
        "C_customer_features": {"C_customer_features.parquet", "C_customer_features.btyd.json"},
        "D_timeseries": {"D_timeseries_daily.parquet", "D_timeseries_weekly.parquet"},
        "E_reviews_nlp": {"E_reviews.parquet"},
    }  # fmt: skip
    assert found == {
        f"{name}/20260630/{file}" for name, files in folders.items() for file in {*files, "schema.json"}
    }
    copied = pl.read_parquet(tmp_path / "ml/C_customer_features/20260630/C_customer_features.parquet")
    assert copied.equals(TABLE)
    schema = json.loads((tmp_path / "ml/D_timeseries/20260630/schema.json").read_bytes())
    assert sorted(schema["tables"]) == ["D_timeseries_daily.parquet", "D_timeseries_weekly.parquet"]
    assert schema["tables"]["D_timeseries_daily.parquet"]["columns"] == [
        {"name": "customer_id", "type": "String"}
    ]


def test_export_takes_the_published_version_and_none_that_failed(
    store: ArtifactStore, tmp_path: Path
) -> None:
    add(store)
    add(store, TABLE[:1], publish=False, hours=1)
    (done,) = export(store, TENANT, [DATASET], tmp_path / "ml")
    assert pl.read_parquet(f"{done.folder}/C_customer_features.parquet").equals(TABLE)


def test_exports_of_two_tenants_never_meet_in_a_folder(store: ArtifactStore, tmp_path: Path) -> None:
    add(store)
    add(store, tenant="lotus")
    export(store, TENANT, [DATASET], tmp_path / "ml")
    with pytest.raises(ArtifactError, match="holds the export of tenant acme"):
        export(store, "lotus", [DATASET], tmp_path / "ml")
    with pytest.raises(ArtifactError, match="has no published version"):
        export(store, "nova", [DATASET], tmp_path / "ml")


def test_a_damaged_file_is_not_exported(store: ArtifactStore, tmp_path: Path) -> None:
    manifest = add(store)
    path = store.folder(DATASET, TENANT) / f"v={manifest.version}" / f"{DATASET}.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ArtifactError, match="is not what was written"):
        export(store, TENANT, [DATASET], tmp_path / "ml")
    assert not list((tmp_path / "ml").rglob("*.parquet"))
