"""Models of this machine: the bundled one, and small ones made here, on every backend that is installed.

Belongs here: what a vector may depend on, which model files are taken, precision and backend. Does not belong here:
services over HTTP.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cdp_assets.embedding.providers import export
from cdp_assets.embedding.providers.factory import open_provider
from cdp_assets.embedding.providers.graph import (
    GRAPH,
    MANIFEST,
    GraphEngine,
    Manifest,
    batches,
    read_manifest,
)
from cdp_assets.embedding.providers.local import LocalProvider
from cdp_assets.embedding.providers.model import Provider, ProviderMisconfigured, TextRefused
from cdp_assets.embedding.providers.torch_engine import TorchEngine, load_model
from tests.embedding_support import local_settings, tiny_model

PHRASES = (
    "red running shoes",
    "giày chạy bộ màu đỏ",
    "bought twice",
    "rất tốt 🙂",
    "returned",
    "size 42 in black",
)
TEXTS = [" ".join((str(at), *(PHRASES * 2)[at % 6 : at % 6 + 1 + at % 4])) for at in range(70)]
ODD = ["", " ", "\n\t", "🙂👍🏽", "Thời tiết Đà Nẵng — tuyệt vời", "x" * 100_000, "từ " * 30_000, "\x00", "a"]


def cosines(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.sum(one * other, axis=1)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "e5-tiny")


@pytest.fixture(scope="module")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder that keeps the tiny model's graph for the whole module."""
    return tmp_path_factory.mktemp("data")


# --- Vectors


@pytest.fixture(scope="module")
def alone(bundled_provider: Provider) -> npt.NDArray[np.float32]:
    """Each text embedded by itself."""
    return np.concatenate([bundled_provider.embed([text]) for text in TEXTS])


@pytest.mark.parametrize("size", [8, 64])
@pytest.mark.parametrize("order", ["arrival", "sorted", "reversed"])
def test_a_vector_does_not_depend_on_its_batch(
    bundled_provider: Provider, alone: npt.NDArray[np.float32], size: int, order: str
) -> None:
    rows = {
        "arrival": list(range(len(TEXTS))),
        "sorted": sorted(range(len(TEXTS)), key=lambda row: len(TEXTS[row])),
        "reversed": list(range(len(TEXTS)))[::-1],
    }[order]
    texts = [TEXTS[row] for row in rows]
    found = [bundled_provider.embed(texts[at : at + size]) for at in range(0, len(texts), size)]
    assert cosines(np.concatenate(found), alone[rows]).min() >= 0.9999


def test_a_vector_does_not_depend_on_long_texts_beside_it(
    bundled_provider: Provider, alone: npt.NDArray[np.float32]
) -> None:
    texts = [part for text in TEXTS[:8] for part in (text, "long text " * 300)]
    assert cosines(bundled_provider.embed(texts)[::2], alone[:8]).min() >= 0.9999


def test_the_graph_gives_the_vectors_of_the_library(bundled_provider: Provider) -> None:
    assert isinstance(bundled_provider, LocalProvider)
    texts = TEXTS[:20] + ODD
    wanted = load_model(bundled_provider._weights).encode(
        texts, normalize_embeddings=True, show_progress_bar=False
    )
    found = bundled_provider.embed(texts)
    assert found.shape == (len(texts), 384)
    assert found.dtype == np.float32
    assert cosines(found, wanted).min() >= 0.9999
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_meaning_is_in_the_vectors(bundled_provider: Provider) -> None:
    shoes, sneakers, invoice = bundled_provider.embed(["red shoes", "crimson sneakers", "unpaid invoice"])
    assert shoes @ sneakers > shoes @ invoice + 0.2


def test_odd_texts_do_not_break_a_batch(bundled_provider: Provider) -> None:
    found = bundled_provider.embed([*ODD, "ordinary"])
    assert np.isfinite(found).all()
    assert cosines(found[-1:], bundled_provider.embed(["ordinary"])).min() >= 0.9999


def test_no_texts_are_no_rows_and_half_a_pair_is_a_refused_text(bundled_provider: Provider) -> None:
    assert bundled_provider.embed([]).shape == (0, 384)
    with pytest.raises(TextRefused):
        bundled_provider.embed(["good", "bad \ud83d"])


def test_batches_hold_every_row_once_within_both_limits() -> None:
    lengths = np.array([5000, 512, 512, *[100] * 100, *[1] * 70, 0])
    found = list(batches(lengths, 4096))
    assert np.concatenate([np.arange(len(lengths))[rows] for rows in found]).tolist() == list(
        range(len(lengths))
    )
    sizes = [len(lengths[rows]) for rows in found]
    assert sizes[0] == 1
    assert max(sizes) == 32
    assert all(len(lengths[rows]) * lengths[rows][0] <= 4096 for rows in found[1:])


@pytest.mark.parametrize("backend", ["onnx", "openvino", "torch"])
def test_every_backend_gives_the_same_vectors_with_the_models_prefixes(
    tiny: Path, tiny_data: Path, backend: str
) -> None:
    chosen = local_settings(
        tiny_data, embedding_provider="sentence-transformers", embed_model_id=str(tiny), embed_backend=backend
    )
    model = load_model(tiny)
    with closing(open_provider(chosen)) as provider:
        assert (provider.spec.passage_prefix, provider.spec.query_prefix) == ("passage: ", "query: ")
        for kind, prefix in (("passage", "passage: "), ("query", "query: ")):
            wanted = model.encode([prefix + text for text in TEXTS], normalize_embeddings=True)
            assert cosines(provider.embed(TEXTS, kind), wanted).min() >= 0.9999  # type: ignore[arg-type]
        assert cosines(provider.embed(TEXTS), provider.embed(TEXTS, "query")).min() < 0.9999


@pytest.mark.parametrize("mode", ["cls", "max"])
@pytest.mark.parametrize("dense", [False, True])
def test_pooling_and_dense_layers_are_in_the_graph(tmp_path: Path, mode: str, dense: bool) -> None:
    folder = tiny_model(tmp_path / "other", pooling=mode, dense=dense)
    chosen = local_settings(
        tmp_path, embedding_provider="sentence-transformers", embed_model_id=str(folder), embed_backend="onnx"
    )
    wanted = load_model(folder).encode(TEXTS, normalize_embeddings=True)
    with closing(open_provider(chosen)) as provider:
        assert provider.spec.dimension == (16 if dense else 32)
        assert provider.spec.passage_prefix == ""
        assert cosines(provider.embed(TEXTS), wanted).min() >= 0.9999


# --- The export


def test_a_graph_that_differs_from_the_model_is_not_used(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = GraphEngine.embed
    monkeypatch.setattr(GraphEngine, "embed", lambda self, texts: broken(self, texts)[::-1])
    values = {"embedding_provider": "sentence-transformers", "embed_model_id": str(tiny)}
    with (
        closing(open_provider(local_settings(tmp_path, **values))) as provider,
        caplog.at_level(logging.WARNING),
    ):
        provider.embed(TEXTS)
        assert isinstance(provider, LocalProvider)
        assert isinstance(provider._engine, TorchEngine)
    assert "CDP_EMBED_BACKEND=torch" in caplog.text
    assert not list(tmp_path.rglob(GRAPH)), "nothing of a failed export stays"
    forced = open_provider(local_settings(tmp_path, **values, embed_backend="onnx"))
    with closing(forced), pytest.raises(ProviderMisconfigured, match="differs"):
        forced.embed(TEXTS)


@pytest.mark.fault
def test_a_graph_that_was_cut_short_is_made_anew(tiny: Path, tmp_path: Path) -> None:
    values = {"embedding_provider": "sentence-transformers", "embed_model_id": str(tiny)}
    chosen = local_settings(tmp_path, **values)
    with closing(open_provider(chosen)) as provider:
        wanted = provider.embed(TEXTS)
    (graph,) = tmp_path.rglob(GRAPH)
    graph.write_bytes(graph.read_bytes()[:1000])
    assert read_manifest(graph.parent) is None
    with closing(open_provider(chosen)) as provider:
        assert cosines(provider.embed(TEXTS), wanted).min() >= 0.9999


EMBED = """
import sys
from pathlib import Path
from contextlib import closing
from cdp_assets.embedding.providers.factory import open_provider
from cdp_assets.settings import Settings
values = dict(word.split("=", 1) for word in sys.argv[1:])
with closing(open_provider(Settings(**values, _env_file=None))) as provider:
    vectors = provider.embed(["one text", "another"])
heavy = {"torch", "transformers", "sentence_transformers", "huggingface_hub"} & set(sys.modules)
print(vectors.shape, sorted(heavy))
"""


def embedding_process(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", EMBED, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_process_that_finds_the_graph_loads_no_model_library(
    bundled_provider: Provider, model_cache: Path
) -> None:
    bundled_provider.embed(["the graph is there now"])
    out, err = embedding_process(f"data_dir={model_cache}").communicate(timeout=120)
    assert out.strip() == "(2, 384) []", err


@pytest.mark.fault
def test_exports_at_once_all_succeed(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported, one_at_a_time, both = export._export, threading.Lock(), threading.Barrier(2, timeout=120)

    def slow(*given: Any) -> Manifest:
        with one_at_a_time:  # torch traces one model at a time
            manifest = exported(*given)
        both.wait()  # and both are made before either is put into its place
        return manifest

    monkeypatch.setattr(export, "_export", slow)
    chosen = local_settings(tmp_path, embedding_provider="sentence-transformers", embed_model_id=str(tiny))

    def embed(text: str) -> tuple[int, ...]:
        with closing(open_provider(chosen)) as provider:
            return provider.embed([text, text]).shape

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(embed, ["one", "other"])) == [(2, 32), (2, 32)]
    (manifest,) = tmp_path.rglob(MANIFEST)
    assert [path.name for path in manifest.parent.parent.iterdir()] == [export.FORMAT]


def test_loading_the_providers_loads_no_model_library() -> None:
    script = (
        "import sys, cdp_assets.embedding.providers.factory\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'onnxruntime', 'openvino', 'tokenizers',\n"
        "         'huggingface_hub', 'google.auth'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
