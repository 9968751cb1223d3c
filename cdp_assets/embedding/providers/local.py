"""Models that run on this machine: the bundled one and any of sentence-transformers, on the backend that suits it.

Belongs here: the provider, and the choice between ONNX Runtime, OpenVINO and torch. Does not belong here: finding a
model's files (`weights`), running it (`graph`, `torch_engine`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cdp_assets.embedding.providers import machine
from cdp_assets.embedding.providers.export import NotExportable, ready_graph
from cdp_assets.embedding.providers.graph import GraphEngine, onnx_session, openvino_session
from cdp_assets.embedding.providers.model import (
    Kind,
    ModelSpec,
    ProviderMisconfigured,
    Vectors,
    checked,
)
from cdp_assets.embedding.providers.torch_engine import TorchEngine
from cdp_assets.settings import Settings

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """Computes vectors of texts that carry their prefix already, in the order of the texts."""

    name: str

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...


class LocalProvider:
    """A model on this machine; opened at the first text, so that opening a provider costs nothing.

    Args:
        spec: the model.
        weights: its files.
        settings: backend, precision, batch size and the folder of the exported graphs.
    """

    def __init__(self, spec: ModelSpec, weights: Path, settings: Settings) -> None:
        self.spec = spec
        self.batch_size = settings.embed_batch_size
        self._weights = weights
        self._settings = settings
        self._engine: Engine | None = None

    def embed(self, texts: Sequence[str], kind: Kind = "passage") -> Vectors:
        wanted = self.spec.prefixed(texts, kind)
        if not wanted:
            return checked([], texts=0, dimension=self.spec.dimension)
        if self._engine is None:
            self._engine = open_engine(self.spec, self._weights, self._settings)
            _log.info("the model %s runs on %s", self.spec.name, self._engine.name)
        found = self._engine.embed(wanted)
        return checked(found, texts=len(wanted), dimension=self.spec.dimension, who=self.spec.who)

    def close(self) -> None:
        """Lets go of the model's memory."""
        self._engine = None


def open_engine(spec: ModelSpec, weights: Path, settings: Settings) -> Engine:
    """What runs the model: as set, or on `auto` a GPU, else the exported graph, else torch.

    Raises:
        ProviderMisconfigured: the backend that the settings name cannot run this model here.
    """
    backend, reduced = settings.embed_backend, settings.embed_precision == "reduced"
    if backend in {"auto", "torch"} and machine.has_gpu():
        return TorchEngine(weights, device="cuda", reduced=reduced)
    if reduced and not machine.computes_bf16():
        _log.warning("CDP_EMBED_PRECISION=reduced: this CPU does not compute in 16 bits, fp32 is used")
        reduced = False
    if backend == "auto":
        backend = ("openvino" if find_spec("openvino") else "torch") if reduced else "onnx"
    elif backend == "onnx" and reduced:
        _log.warning("CDP_EMBED_PRECISION=reduced: onnx computes in fp32 only; openvino and torch can reduce")
    if backend == "torch":
        return TorchEngine(weights, device="cpu", reduced=reduced)
    try:
        folder, manifest = ready_graph(weights, spec, settings.data_dir / "models")
    except NotExportable as error:
        if settings.embed_backend != "auto":
            raise ProviderMisconfigured(f"{error}: set CDP_EMBED_BACKEND=torch") from error
        _log.warning("%s: torch runs it; CDP_EMBED_BACKEND=torch spares the attempt", error)
        return TorchEngine(weights, device="cpu", reduced=reduced)
    if backend == "onnx":
        return GraphEngine(folder, manifest, onnx_session(folder), "onnx fp32")
    session = openvino_session(folder, reduced=reduced)
    return GraphEngine(folder, manifest, session, f"openvino {'bf16' if reduced else 'fp32'}")
