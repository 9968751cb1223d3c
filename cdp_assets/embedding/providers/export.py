"""Makes the graph of a local model, once per model and machine, from the model's own weights and without a network.

Belongs here: tracing the whole model (pooling, dense layers and unit length included), comparing the graph with the
model before it is used, putting it into the cache at one stroke. Does not belong here: using it (`graph`).
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cdp_assets.embedding.providers.graph import (
    GRAPH,
    MANIFEST,
    TOKENIZER,
    GraphEngine,
    Manifest,
    onnx_session,
    read_manifest,
)
from cdp_assets.embedding.providers.model import BadVectors, ModelSpec, ProviderError, checked
from cdp_assets.embedding.providers.torch_engine import load_model

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FORMAT = "graph-1"
"""Raise it when the files change: graphs of an older release are then made anew beside it."""

MIN_COSINE = 0.9999
OPSET = 17
ABANDONED_AFTER_S = 3600.0

PROBES = (
    "Giày chạy bộ màu đỏ, cỡ 42, giao hàng nhanh ở Đà Nẵng",
    "RED Running Shoes",
    "",
    "🙂 ngon 👍🏽 — “rất tốt”",
    "A customer who bought twice in spring and returned one item. " * 60,
)
"""Short, empty, beyond the longest input, upper case, accents: what a graph that lost something gets wrong."""

_log = logging.getLogger(__name__)


class NotExportable(ProviderError):
    """The model does not fit a graph: torch must run it."""


def ready_graph(weights: Path, spec: ModelSpec, cache: Path) -> tuple[Path, Manifest]:
    """The folder of the model's graph; made now where it is missing. Processes may do so at the same time.

    Args:
        weights: the model's files.
        spec: its identity, which names the folder.
        cache: folder of all graphs.

    Raises:
        NotExportable: the graph cannot be made, or does not give the model's vectors.
        ProviderMisconfigured: the model itself cannot be loaded.
    """
    folder = cache / spec.model_id / FORMAT
    manifest = read_manifest(folder)
    if manifest is not None:
        return folder, manifest
    _log.info("exporting the model %s, once on this machine", spec.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder.parent)
    made = folder.parent / f"making-{os.getpid()}-{time.time_ns()}"
    made.mkdir()
    try:
        manifest = _export(weights, spec, made)
        _put(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder, manifest


def _put(made: Path, folder: Path) -> None:
    """Renames into place; what another process put there meanwhile is as good, what was cut short goes."""
    if folder.exists() and read_manifest(folder) is None:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        made.rename(folder)
    except OSError:
        if read_manifest(folder) is None:
            raise


def _remove_abandoned(parent: Path) -> None:
    """Clears up after exports that were killed."""
    for left in parent.glob("making-*"):
        with suppress(FileNotFoundError):  # another process has just put it into place
            if time.time() - left.stat().st_mtime > ABANDONED_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)


def _export(weights: Path, spec: ModelSpec, made: Path) -> Manifest:
    import torch

    model = load_model(weights)
    fast = getattr(model.tokenizer, "backend_tokenizer", None)
    if fast is None or model.max_seq_length is None:
        raise NotExportable(f"{spec.name} has no fast tokenizer, or no longest input")
    features = model.preprocess([PROBES[0], PROBES[1]])
    inputs = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in features]

    class Whole(torch.nn.Module):
        """The model from tokens to unit vectors."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tokens: Any) -> Any:
            found = self.model(dict(zip(inputs, tokens, strict=True)))["sentence_embedding"]
            return torch.nn.functional.normalize(found, dim=1)

    axes: dict[str, dict[int, str]] = {name: {0: "rows", 1: "tokens"} for name in inputs}
    with torch.inference_mode(), _quiet_tracing():
        try:
            torch.onnx.export(
                Whole().eval(),
                tuple(features[name] for name in inputs),
                str(made / GRAPH),
                dynamo=False,
                input_names=inputs,
                output_names=["vectors"],
                dynamic_axes={**axes, "vectors": {0: "rows"}},
                opset_version=OPSET,
            )
        except (RuntimeError, TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            raise NotExportable(f"{spec.name} does not fit a graph ({type(error).__name__})") from error
    fast.save(str(made / TOKENIZER))
    sizes = {file.name: file.stat().st_size for file in made.iterdir()}
    manifest = Manifest(inputs, model.max_seq_length, model.tokenizer.pad_token_id or 0, sizes)
    _verify(model, made, manifest, spec)
    for name in sizes:
        _sync(made / name)
    (made / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    return manifest


def _verify(model: SentenceTransformer, made: Path, manifest: Manifest, spec: ModelSpec) -> None:
    """The graph, tokens and all, gives the vectors of the model.

    Raises:
        NotExportable: it does not.
    """
    wanted = model.encode(list(PROBES), convert_to_numpy=True, show_progress_bar=False)
    try:
        engine = GraphEngine(made, manifest, onnx_session(made), "verification")
        given = checked(engine.embed(PROBES), texts=len(PROBES), dimension=spec.dimension)
        expected = checked(wanted, texts=len(PROBES), dimension=spec.dimension)
    except (BadVectors, RuntimeError) as error:
        raise NotExportable(f"the graph of {spec.name} does not run: {type(error).__name__}") from error
    cosine = float(np.sum(given * expected, axis=1).min())
    if cosine < MIN_COSINE:
        raise NotExportable(f"the graph of {spec.name} differs from the model: cosine {cosine:.6f}")


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


@contextmanager
def _quiet_tracing() -> Iterator[None]:
    """Tracing without its warnings, whose worries `_verify` answers, and without the package onnx.

    torch asks for that package only to insert functions written in onnxscript into the graph; these models have
    none, and torch is pinned to one release.
    """
    from torch.onnx._internal.torchscript_exporter import onnx_proto_utils

    kept = onnx_proto_utils._add_onnxscript_fn  # noqa: SLF001
    onnx_proto_utils._add_onnxscript_fn = lambda model_bytes, custom_opsets: model_bytes  # noqa: SLF001
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        onnx_proto_utils._add_onnxscript_fn = kept  # noqa: SLF001
