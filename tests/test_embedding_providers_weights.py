"""Which files of a model are taken, and what they say: revision, prefixes, dimension.

Belongs here: folders and the hub's cache, without loading a model. Does not belong here: vectors
(`test_embedding_providers_local`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdp_assets.embedding.providers.factory import spec_of
from cdp_assets.embedding.providers.images import open_image_model
from cdp_assets.embedding.providers.model import (
    ModelSpec,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from cdp_assets.embedding.providers.weights import find_weights
from tests.embedding_support import local_settings

# --- Files of a model


def model_folder(folder: Path, **files: Any) -> Path:
    """What `find_weights` reads of a model; `None` leaves a file out."""
    values: dict[str, Any] = {
        "config.json": {"hidden_size": 32},
        "modules.json": [{"path": "", "type": "sentence_transformers.models.Transformer"}],
        "model.safetensors": "weights",
        **files,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        if value is not None:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({"model.safetensors": None, "pytorch_model.bin": "pickle"}, "safetensors"),
        ({"model.safetensors": None, "model.pt": "pickle"}, "safetensors"),
        ({"model.safetensors": None}, "no safetensors"),
        ({"config.json": {"hidden_size": 32, "auto_map": {"AutoModel": "own.Model"}}}, "code of its own"),
        ({"modules.json": [{"path": "", "type": "own_module.Transformer"}]}, "code of its own"),
        ({"config.json": None}, "config.json"),
        ({"config.json": "{"}, "config.json"),
        ({"config.json": {}}, "how long"),
        (
            {
                "modules.json": [
                    {"path": "", "type": "sentence_transformers.models.Transformer"},
                    {"path": "2_Dense", "type": "sentence_transformers.models.Dense"},
                ],
                "2_Dense/pytorch_model.bin": "pickle",
            },
            "safetensors",
        ),
    ],
)
def test_files_that_would_run_code_or_lack_something_are_refused(
    tmp_path: Path, files: dict[str, Any], match: str
) -> None:
    folder = model_folder(tmp_path / "m", **files)
    with pytest.raises(ProviderMisconfigured, match=match):
        find_weights(str(folder), "")


@pytest.mark.parametrize(
    ("name", "prompts", "prefixes"),
    [
        ("m", None, ("", "")),
        ("multilingual-e5-small", None, ("passage: ", "query: ")),
        ("e5-mistral-7b-instruct", None, ("", "")),
        ("m", {"query": "Q: ", "document": "D: "}, ("D: ", "Q: ")),
        ("m", {"query": "", "document": ""}, ("", "")),
        ("e5-own", {"query": "ask: "}, ("", "ask: ")),
    ],
)
def test_prefixes_are_the_models_own_or_its_familys(
    tmp_path: Path, name: str, prompts: dict[str, str] | None, prefixes: tuple[str, str]
) -> None:
    own = None if prompts is None else {"prompts": prompts}
    folder = model_folder(tmp_path / name, **{"config_sentence_transformers.json": own})
    spec = find_weights(str(folder), "").spec
    assert (spec.passage_prefix, spec.query_prefix) == prefixes


def test_a_folders_revision_follows_its_files(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    first = find_weights(str(folder), "").spec.revision
    (folder / "README.md").write_text("words")
    assert find_weights(str(folder), first).spec.revision == first
    (folder / "model.safetensors").write_text("other weights")
    assert find_weights(str(folder), "").spec.revision != first
    with pytest.raises(ProviderMisconfigured, match=first):
        find_weights(str(folder), first)


def test_a_hub_model_in_the_cache_needs_no_network_and_is_known_by_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    commit = "c0ffee" * 6 + "beef"
    stored = tmp_path / "models--intfloat--multilingual-e5-base"
    model_folder(stored / "snapshots" / commit)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(commit)
    chosen = local_settings(tmp_path, embedding_provider="sentence-transformers")
    assert spec_of(chosen) == ModelSpec(
        "sentence-transformers", "intfloat/multilingual-e5-base", commit, 32, "passage: ", "query: "
    )
    assert find_weights("intfloat/multilingual-e5-base", commit).folder.name == commit


def test_the_image_model_of_the_settings_is_known_by_the_librarys_short_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the layout of the hub: configuration and weights in the folder of the one module."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    commit = "c0ffee" * 6 + "beef"
    stored = tmp_path / "models--sentence-transformers--clip-ViT-B-32"
    files = {
        "config.json": None, "model.safetensors": None, "0_CLIPModel/model.safetensors": "weights",
        "0_CLIPModel/config.json": {"projection_dim": 512, "vision_config": {}, "text_config": {}},
        "modules.json": [{"path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}],
    }  # fmt: skip
    model_folder(stored / "snapshots" / commit, **files)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(commit)
    opened = open_image_model(local_settings(tmp_path))
    assert opened is not None
    assert opened.spec == ModelSpec(
        "sentence-transformers", "sentence-transformers/clip-ViT-B-32", commit, 512
    )


def test_a_model_that_is_nowhere_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ProviderUnavailable, match="nobody/nothing"):
        find_weights("nobody/nothing", "")
    with pytest.raises(ProviderMisconfigured, match="neither"):
        find_weights("../no folder", "")
