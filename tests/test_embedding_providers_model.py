"""What a model is: its identity, the check that every answer passes, which settings fit, which backend is chosen.

Belongs here: everything about providers that needs neither files of a model nor a service.
"""

from __future__ import annotations

import logging
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_assets.embedding.providers import local, machine
from cdp_assets.embedding.providers.factory import open_provider, open_spec, spec_of
from cdp_assets.embedding.providers.model import (
    BadVectors,
    ModelSpec,
    ProviderMisconfigured,
    checked,
)
from tests.embedding_support import local_settings

SPEC = ModelSpec("sentence-transformers", "intfloat/multilingual-e5-base", "abc", 768, "passage: ", "query: ")


# --- Identity


@given(name=st.text(min_size=1), dimension=st.integers(1, 20_000))
def test_a_model_id_is_a_slug_whatever_the_name(name: str, dimension: int) -> None:
    found = ModelSpec(
        "sentence-transformers", name.encode("utf-8", "ignore").decode(), "", dimension
    ).model_id
    assert re.fullmatch(r"[a-z0-9._-]{1,63}", found)


def test_a_model_id_is_the_same_on_every_machine() -> None:
    assert SPEC.model_id == "multilingual-e5-base-768-94afe9f69d"


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "openai"},
        {"name": "other/multilingual-e5-base"},
        {"revision": "abd"},
        {"dimension": 384},
        {"passage_prefix": ""},
        {"query_prefix": "q: "},
    ],
)
def test_whatever_changes_a_vector_changes_the_model_id(change: dict[str, Any]) -> None:
    assert replace(SPEC, **change).model_id != SPEC.model_id


# --- The check of an answer


def test_an_answer_is_brought_to_unit_length_whatever_its_size() -> None:
    found = checked([[3.0, 4.0], [3e30, 4e30], [3e-9, 4e-9]], texts=3, dimension=2)
    np.testing.assert_allclose(found, [[0.6, 0.8]] * 3, rtol=1e-6)
    assert found.dtype == np.float32
    assert found.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [[1.0, 0.0]],
        [[1.0, 0.0]] * 3,
        [[1.0], [1.0]],
        [[1.0, 0.0], [1.0]],
        [1.0, 0.0],
        [[[1.0, 0.0]], [[1.0, 0.0]]],
        [[1.0, 0.0], [float("nan"), 1.0]],
        [[1.0, 0.0], [float("-inf"), 1.0]],
        [[1.0, 0.0], [0.0, 0.0]],
        [[1.0, 0.0], [1e-20, 0.0]],
        [[1.0, 0.0], [1e300, 1e300]],
        [[1.0, 0.0], ["a", "b"]],
        None,
    ],
    ids=str,
)
def test_an_unfit_answer_is_refused(answer: Any) -> None:
    with pytest.raises(BadVectors, match="somebody's model"):
        checked(answer, texts=2, dimension=2, who="somebody's model")


# --- Settings


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"profile_embed_dim": 768}, "384.*768"),
        ({"txn_embed_dim": 768}, "384.*768"),
        ({"profile_embed_dim": 384, "txn_embed_dim": 768}, "alike"),
        ({"embed_model_id": "intfloat/multilingual-e5-base"}, "sentence-transformers"),
    ],
)
def test_settings_that_do_not_fit_the_bundled_model_are_an_error_before_any_work(
    tmp_path: Path, more: dict[str, Any], match: str
) -> None:
    with pytest.raises(ProviderMisconfigured, match=match):
        open_provider(local_settings(tmp_path, **more))
    assert list(tmp_path.iterdir()) == []


def test_the_bundled_model_is_the_default(tmp_path: Path) -> None:
    found = spec_of(local_settings(tmp_path, profile_embed_dim=384))
    assert (found.provider, found.dimension) == ("bundled", 384)
    assert found.name == "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize("change", [{"revision": "0"}, {"dimension": 768}, {"name": "other"}])
def test_a_registered_model_that_is_another_now_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    chosen = local_settings(tmp_path)
    stored = spec_of(chosen)
    assert open_spec(stored, chosen).spec == stored
    with pytest.raises(ProviderMisconfigured, match="registered"):
        open_spec(replace(stored, **change), chosen)


def test_a_registered_model_is_opened_whatever_the_settings_name_now(tmp_path: Path) -> None:
    stored = ModelSpec("placeholder", "blake2b", "", 8, "p: ", "q: ")
    with closing(open_spec(stored, local_settings(tmp_path))) as provider:
        assert provider.embed(["a"]).shape == (1, 8)
        assert not np.allclose(provider.embed(["a"]), provider.embed(["a"], "query"))


def test_an_unknown_provider_of_a_registered_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderMisconfigured, match="unknown"):
        open_spec(replace(SPEC, provider="gone"), local_settings(tmp_path))


def test_the_placeholder_is_the_same_everywhere_and_says_what_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = local_settings(tmp_path, embedding_provider="placeholder", txn_embed_dim=200)
    with caplog.at_level(logging.WARNING), closing(open_provider(chosen)) as provider:
        found = provider.embed(["giày", "", "giày"])
    assert "without meaning" in caplog.text
    assert found.shape == (3, 200)
    assert (found[0] == found[2]).all()
    assert found[0] @ found[1] < 0.5
    np.testing.assert_allclose(found[0][:3], [0.036637, -0.04899, -0.117887], atol=1e-6)


# --- The machine


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 8), ("150000 100000", 2), ("10000 100000", 1), ("9900000 100000", 8)]
)
def test_cores_are_those_that_the_container_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(machine, "CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    assert machine.cores() == cores


@pytest.mark.parametrize(
    ("flags", "found"), [("avx2 avx512f", False), ("avx512_bf16", True), ("amx_bf16 fma", True)]
)
def test_sixteen_bits_need_a_cpu_that_computes_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, found: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\n")
    monkeypatch.setattr(machine, "CPU_INFO", tmp_path / "cpuinfo")
    assert machine.computes_bf16.__wrapped__() is found


class Chosen:
    """Stands for an engine: remembers what it was opened with."""

    def __init__(self, *_: Any, **how: Any) -> None:
        self.how = how


@pytest.mark.parametrize(
    ("gpu", "bf16", "backend", "precision", "expected"),
    [
        (False, False, "auto", "fp32", "onnx fp32"),
        (False, False, "auto", "reduced", "onnx fp32"),
        (False, True, "auto", "reduced", "openvino bf16"),
        (False, True, "onnx", "reduced", "onnx fp32"),
        (False, True, "openvino", "fp32", "openvino fp32"),
        (False, False, "openvino", "reduced", "openvino fp32"),
        (False, True, "torch", "reduced", {"device": "cpu", "reduced": True}),
        (False, False, "torch", "reduced", {"device": "cpu", "reduced": False}),
        (True, False, "auto", "fp32", {"device": "cuda", "reduced": False}),
        (True, False, "torch", "reduced", {"device": "cuda", "reduced": True}),
        (True, False, "onnx", "fp32", "onnx fp32"),
    ],
)
def test_the_backend_is_the_one_set_or_the_one_that_suits_the_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    gpu: bool,
    bf16: bool,
    backend: str,
    precision: str,
    expected: Any,
) -> None:
    monkeypatch.setattr(machine, "has_gpu", lambda: gpu)
    monkeypatch.setattr(machine, "computes_bf16", lambda: bf16)
    monkeypatch.setattr(local, "find_spec", lambda _: True)
    monkeypatch.setattr(local, "TorchEngine", Chosen)
    monkeypatch.setattr(local, "ready_graph", lambda *_: (tmp_path, None))
    monkeypatch.setattr(local, "onnx_session", lambda _: None)
    monkeypatch.setattr(local, "openvino_session", lambda _, reduced: None)
    monkeypatch.setattr(local, "GraphEngine", lambda *given: SimpleNamespace(how=given[3]))
    chosen = local_settings(tmp_path, embed_backend=backend, embed_precision=precision)
    with caplog.at_level(logging.WARNING):
        engine: Any = local.open_engine(SPEC, tmp_path, chosen)
    assert engine.how == expected
    in_vain = precision == "reduced" and "fp32" in str(expected) + str(not bf16 and not gpu and "fp32")
    assert ("reduced" in caplog.text) == in_vain
