"""A local model on torch: on a GPU, for images, and for models that a graph cannot hold.

Belongs here: loading a model safely, encoding with it. Does not belong here: the exported graph (`export`, `graph`),
which is over twice as fast on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cdp_assets.embedding.providers import machine
from cdp_assets.embedding.providers.model import ProviderMisconfigured

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CPU_BATCH = 16
GPU_BATCH = 128


def load_model(folder: Path, *, device: str = "cpu", precision: str = "float32") -> SentenceTransformer:
    """The model as its authors' library runs it: from these files only, no code and no pickle among them.

    Args:
        folder: its files.
        device: `cpu` or `cuda`.
        precision: `float32`, `bfloat16` or `float16`.

    Raises:
        ProviderMisconfigured: the files do not make a model.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": getattr(torch, precision)},
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ProviderMisconfigured(
            f"the model in {folder.name} cannot be loaded ({type(error).__name__}): fetch it again, or choose another"
        ) from error


class TorchEngine:
    """Encodes with sentence-transformers, which sorts by length itself.

    Args:
        folder: the model's files.
        device: `cpu` or `cuda`.
        reduced: compute in 16 bits.
    """

    def __init__(self, folder: Path, *, device: str, reduced: bool) -> None:
        import torch

        precision = "float32"
        if reduced:
            precision = "bfloat16" if device == "cpu" or torch.cuda.is_bf16_supported() else "float16"
        self.name = f"torch {device} {precision}"
        self._batch = CPU_BATCH if device == "cpu" else GPU_BATCH
        if device == "cpu":
            torch.set_num_threads(machine.cores())
        self._model = load_model(folder, device=device, precision=precision)
        self.takes_images = "image" in self._model.modalities

    def embed(self, inputs: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Of texts, or of images where the model takes them."""
        found: Any = self._model.encode(
            list(inputs), batch_size=self._batch, convert_to_tensor=True, show_progress_bar=False
        )
        # numpy has no bfloat16
        return np.asarray(found.float().cpu().numpy(), np.float32)
