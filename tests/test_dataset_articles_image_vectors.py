"""Dataset B, vectors of images: real CLIP code on a tiny model, nothing embedded twice, nothing unfit published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from PIL import Image

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.datasets.articles import ARTICLES_IMAGE_VECTORS
from cdp_assets.datasets.articles.image_checks import CHECKS
from cdp_assets.datasets.articles.image_vectors import REFUSED, TABLE, build
from cdp_assets.datasets.assets import assets
from cdp_assets.datasets.common_checks import row_count_band
from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.model import Audit, Built, Scope
from cdp_assets.datasets.publish import Outcome
from cdp_assets.datasets.publish import build as publish
from cdp_assets.embedding.providers.images import LocalImageModel, open_image_model
from cdp_assets.embedding.providers.model import ProviderMisconfigured, Vectors
from cdp_assets.quality import Measure, Severity
from cdp_assets.settings import Settings, get_settings
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.options import TenantOptions
from cdp_assets.warehouse.registry import record_run
from cdp_assets.warehouse.tenants import Tenant
from tests.automation_world import register
from tests.clip_support import DIMENSION, encoded, swatch, tiny_clip
from tests.embedding_support import tiny_model
from tests.rows import insert
from tests.test_dataset_articles import scope

KEYS = [f"a{number:02}" for number in range(12)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> LocalImageModel:
    """Opened as the settings open one."""
    folder = tiny_clip(tmp_path_factory.mktemp("models") / "tiny-clip")
    model = open_image_model(Settings(image_model_id=str(folder), _env_file=None))
    assert model is not None
    return model


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Twelve images by stock code."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, key in enumerate(KEYS):
        (folder / f"sku-{key}.png").write_bytes(encoded(swatch(number)))
    return folder


def of(folder: Path | str | None) -> Scope:
    return replace(scope(), options=TenantOptions(image_root=str(folder or "")))


def catalogue(*keys: str) -> pl.DataFrame:
    schema = dict(FRAMES["articles_content"].schema)
    rows = [{**dict.fromkeys(schema), "article_id": key, "sku": f"SKU-{key}".upper()} for key in keys]
    return pl.DataFrame(rows, schema=schema)


class Counting:
    """The model, and how many images it was asked for."""

    def __init__(self, model: LocalImageModel) -> None:
        self.model, self.spec, self.asked = model, model.spec, 0

    def embed(self, images: Sequence[Image.Image]) -> Vectors:
        self.asked += len(images)
        return self.model.embed(images)


def made(
    model: LocalImageModel | Counting | None, folder: Path | None, *keys: str, previous: Built | None = None
) -> Built:
    """One version; `previous` is the one published before."""
    before = {TABLE: parquet(previous.table)} if previous else {}
    return build(of(folder), catalogue(*(keys or KEYS)), before, open_model=lambda: model)


def test_every_image_has_a_vector_of_length_one_that_is_its_own(clip: LocalImageModel, shop: Path) -> None:
    version = made(clip, shop)
    table = ARTICLES_IMAGE_VECTORS.contract.validate(version.table)
    matrix = np.array(table["vector"].to_list())
    assert matrix.shape == (12, DIMENSION)
    assert np.linalg.norm(matrix, axis=1) == pytest.approx(np.ones(12), abs=1e-4)
    assert table["vector"].n_unique() == table["image_sha256"].n_unique() == 12
    assert set(table["dim"]) == {DIMENSION}
    assert set(table["modality"]) == {"image"}
    assert set(table["model_id"]) == {clip.spec.model_id}
    assert version.numbers["coverage"] == 1.0


def test_vectors_are_those_of_the_library_itself(clip: LocalImageModel, shop: Path) -> None:
    from cdp_assets.embedding.providers.torch_engine import load_model
    from cdp_assets.embedding.providers.weights import find_weights

    model = load_model(find_weights(clip.spec.name, "").folder)
    expected = model.encode(
        [swatch(number) for number in range(12)], normalize_embeddings=True, show_progress_bar=False
    )
    assert np.array(made(clip, shop).table["vector"].to_list()) == pytest.approx(expected, abs=1e-4)


def test_the_same_images_give_the_same_bytes_whatever_the_order_of_articles(
    clip: LocalImageModel, shop: Path
) -> None:
    first, second = made(clip, shop), made(clip, shop, *reversed(KEYS))
    assert parquet(first.table) == parquet(second.table)
    assert first.files == second.files


def test_only_new_and_changed_images_are_embedded(clip: LocalImageModel, shop: Path) -> None:
    first = made(clip, shop)
    counting = Counting(clip)
    again = made(counting, shop, previous=first)
    assert counting.asked == again.numbers["embedded"] == 0
    assert parquet(again.table) == parquet(first.table)

    (shop / "sku-a03.png").write_bytes(encoded(swatch(99)))
    (shop / "sku-a05.png").unlink()
    (shop / "sku-b01.png").write_bytes(encoded(swatch(100)))
    changed = made(counting, shop, *KEYS, "b01", previous=first)
    assert counting.asked == changed.numbers["embedded"] == 2
    both = changed.table.join(first.table, on="article_id", how="full", coalesce=True, suffix="_before")
    differing = both.filter(pl.col("vector").ne_missing(pl.col("vector_before")))["article_id"]
    assert sorted(differing) == ["a03", "a05", "b01"]


def test_an_image_that_several_articles_share_is_embedded_once(clip: LocalImageModel, shop: Path) -> None:
    for key in ("b01", "b02"):
        (shop / f"{key}.png").write_bytes((shop / "sku-a00.png").read_bytes())
    counting = Counting(clip)
    table = made(counting, shop, "a00", "b01", "b02").table
    assert counting.asked == 1
    assert table.height == 3
    assert table["vector"].n_unique() == 1


def test_another_model_embeds_all_again(clip: LocalImageModel, shop: Path, tmp_path: Path) -> None:
    other = open_image_model(
        Settings(image_model_id=str(tiny_clip(tmp_path / "other", seed=8)), _env_file=None)
    )
    assert other is not None
    assert other.spec.model_id != clip.spec.model_id
    version = made(other, shop, previous=made(clip, shop))
    assert version.numbers["embedded"] == 12
    assert set(version.table["model_revision"]) == {other.spec.revision}


def test_a_damaged_image_is_listed_and_the_rest_goes_on(clip: LocalImageModel, shop: Path) -> None:
    (shop / "sku-a04.png").write_bytes(b"<html>")
    (shop / "sku-a07.png").write_bytes((shop / "sku-a07.png").read_bytes()[:50])
    version = made(clip, shop)
    assert version.table.height == version.numbers["images"] == 10
    refused = pl.read_parquet(BytesIO(version.files[REFUSED]))
    assert refused.select("article_id", "file").rows() == [("a04", "sku-a04.png"), ("a07", "sku-a07.png")]
    assert version.numbers["refused"] == 2


@pytest.mark.parametrize(
    ("has_folder", "has_model", "reason"), [(False, True, "image_root"), (True, False, "CDP_IMAGE_MODEL_ID")]
)
def test_without_images_or_model_the_table_is_empty_and_says_why(
    clip: LocalImageModel, shop: Path, *, has_folder: bool, has_model: bool, reason: str
) -> None:
    version = made(clip if has_model else None, shop if has_folder else None)
    assert ARTICLES_IMAGE_VECTORS.contract.validate(version.table).is_empty()
    assert reason in str(version.numbers["no_images"])
    assert all(each.passed for each in measured(version).values())


def test_the_settings_open_no_model_when_blank_and_refuse_one_that_takes_no_images(tmp_path: Path) -> None:
    assert open_image_model(Settings(image_model_id="", _env_file=None)) is None
    bert = open_image_model(Settings(image_model_id=str(tiny_model(tmp_path / "bert")), _env_file=None))
    assert bert is not None
    with pytest.raises(ProviderMisconfigured, match="takes no images"):
        bert.embed([swatch(1)])


def test_texts_of_the_same_model_lie_in_the_same_space(clip: LocalImageModel) -> None:
    from cdp_assets.embedding.providers.torch_engine import TorchEngine
    from cdp_assets.embedding.providers.weights import find_weights

    engine = TorchEngine(find_weights(clip.spec.name, "").folder, device="cpu", reduced=False)
    assert engine.embed(["red shirt"]).shape == (1, DIMENSION)


# --- Checks


def measured(version: Built, articles: pl.DataFrame | None = None) -> dict[str, Measure]:
    inputs = {"articles_content": catalogue(*KEYS) if articles is None else articles}
    audit = Audit(scope(), version.table, version.table.head(0), inputs, version, (), lambda: None)
    return {check.name: check.measure(audit) for check in CHECKS}


def failing(version: Built, table: pl.DataFrame | None = None) -> set[str]:
    found = measured(version if table is None else replace(version, table=table))
    return {name for name, each in found.items() if not each.passed}


def test_sound_vectors_pass_every_check(clip: LocalImageModel, shop: Path) -> None:
    assert failing(made(clip, shop)) == set()


Change = Callable[[list[float]], list[float]]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda vector: vector[:-1], "not of the declared dimension"),
        (lambda vector: [float("nan"), *vector[1:]], "not finite"),
        (lambda vector: [float("inf"), *vector[1:]], "not finite"),
        (lambda vector: [0.0] * len(vector), "zero"),
        (lambda vector: [1.01 * value for value in vector], "not of length 1"),
    ],
)
def test_a_planted_vector_is_found(clip: LocalImageModel, shop: Path, change: Change, problem: str) -> None:
    version = made(clip, shop)
    vectors = version.table["vector"].to_list()
    vectors[4] = change(vectors[4])
    planted = version.table.with_columns(pl.Series("vector", vectors, dtype=pl.List(pl.Float32)))
    found = measured(replace(version, table=planted))["vectors_are_sound"]
    assert (found.failing, found.severity) == (1, Severity.ERROR)
    assert found.sample[0][:2] == ("a04", problem)


def test_a_model_that_answers_with_a_constant_is_found(clip: LocalImageModel, shop: Path) -> None:
    version = made(clip, shop)
    constant = version.table.with_columns(vector=pl.col("vector").first())
    assert failing(version, constant) == {"images_differ"}


def test_a_vector_that_drowns_the_others_is_found(clip: LocalImageModel, shop: Path) -> None:
    version = made(clip, shop)
    long = np.array(version.table["vector"].to_list())
    long[0] = (1 + 9e-4) * long[1]  # longer than its neighbour within what rounding may do
    planted = version.table.with_columns(pl.Series("vector", long.tolist(), dtype=pl.List(pl.Float32)))
    assert failing(version, planted) == {"images_find_themselves"}
    found = measured(replace(version, table=planted))["images_find_themselves"]
    assert (found.failing, found.severity) == (1, Severity.WARN), "one image of a few blocks no catalogue"


def test_articles_without_an_image_warn(clip: LocalImageModel, shop: Path) -> None:
    version = made(clip, shop, *KEYS, "b01")
    found = measured(version, catalogue(*KEYS, "b01"))["images_cover_the_catalogue"]
    assert (found.failing, found.severity, list(found.sample)) == (1, Severity.WARN, [("b01",)])
    assert version.numbers["coverage"] == 0.9231


@pytest.mark.parametrize(("damaged", "severity"), [(1, Severity.WARN), (4, Severity.ERROR)])
def test_few_damaged_images_warn_and_many_block(
    clip: LocalImageModel, shop: Path, damaged: int, severity: Severity
) -> None:
    for key in KEYS[:damaged]:
        (shop / f"sku-{key}.png").write_bytes(b"")
    found = measured(made(clip, shop))["images_are_readable"]
    assert (found.failing, found.severity) == (damaged, severity)


# --- In the warehouse


def published(
    warehouse: Warehouse,
    store: ArtifactStore,
    model: LocalImageModel | Counting | None,
    folder: Path,
    run: str,
) -> Outcome:
    dataset = replace(
        ARTICLES_IMAGE_VECTORS, build=lambda *args, **frames: build(*args, **frames, open_model=lambda: model)
    )
    return publish(warehouse, store, dataset, of(folder), {"articles_content": catalogue(*KEYS)}, run)


def test_the_table_holds_the_vectors_and_a_second_run_writes_nothing(
    warehouse: Warehouse, acme: Tenant, clip: LocalImageModel, shop: Path, tmp_path: Path
) -> None:
    store, counting = ArtifactStore(tmp_path / "ml"), Counting(clip)
    first = published(warehouse, store, counting, shop, "run-1")
    assert first.written is not None, first.blocked_by
    assert (first.written.inserted, counting.asked) == (12, 12)
    with warehouse.tenant("acme") as conn:
        stored = conn.execute(
            "select article_id, public.vector_dims(vector), vector::text from datasets.articles_image_vectors "
            "order by 1"
        ).fetchall()
        (nearest,) = conn.execute(
            "select article_id from datasets.articles_image_vectors order by vector operator(public.<=>) "
            "(select vector from datasets.articles_image_vectors where article_id = 'a06') limit 1"
        ).fetchone() or ("",)
    assert [row[:2] for row in stored] == [(key, DIMENSION) for key in KEYS]
    told = np.array([np.fromstring(text[1:-1], sep=",") for *_, text in stored])
    assert told == pytest.approx(np.array(first.audit.table["vector"].to_list()), abs=1e-7)
    assert nearest == "a06"

    second = published(warehouse, store, counting, shop, "run-2")
    assert second.written is not None
    assert (second.written.rows, counting.asked) == (0, 12)
    assert second.manifest.version == first.manifest.version


def test_images_that_are_switched_off_empty_the_table(
    warehouse: Warehouse, acme: Tenant, clip: LocalImageModel, shop: Path, tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path / "ml")
    published(warehouse, store, clip, shop, "run-1")
    outcome = published(warehouse, store, None, shop, "run-2")
    assert outcome.written is not None
    assert outcome.written.deleted == 12
    after_twelve = replace(outcome.audit, history=(12,))
    assert row_count_band(after_twelve).passed
    assert not row_count_band(replace(after_twelve, built=replace(outcome.audit.built, off=""))).passed


def test_the_asset_takes_model_and_folder_from_settings_and_tenant(
    warehouse: Warehouse, clip: LocalImageModel, shop: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CDP_IMAGE_MODEL_ID", clip.spec.name)
    get_settings.cache_clear()
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            register(warehouse, instance, "acme", image_root=str(shop), default_currency="VND")
            with record_run(warehouse, "acme", "datasets.articles_content"):
                pass
            with warehouse.tenant("acme") as conn:
                for key in (*KEYS, "b01"):
                    insert(
                        conn, "datasets.articles_content", tenant_id="acme", article_id=key, sku=f"SKU-{key}"
                    )
            (asset,) = (each for each in assets if each.key.path[-1] == ARTICLES_IMAGE_VECTORS.name)
            result = dg.materialize(
                [asset],
                instance=instance,
                partition_key="acme",
                resources={"warehouse": warehouse, "artifacts": ArtifactStore(tmp_path / "ml")},
            )
    finally:
        get_settings.cache_clear()
    (made,) = result.asset_materializations_for_node(f"datasets__{ARTICLES_IMAGE_VECTORS.name}")
    shown = {name: made.metadata[name].value for name in ("embedded", "coverage", "model")}
    assert shown == {"embedded": 12, "coverage": 0.9231, "model": clip.spec.model_id}
    not_passed = [each.check_name for each in result.get_asset_check_evaluations() if not each.passed]
    assert not_passed == ["images_cover_the_catalogue"]
