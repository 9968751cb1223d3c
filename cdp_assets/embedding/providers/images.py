"""The model that turns images into vectors: CLIP, or any of sentence-transformers that takes images.

Belongs here: opening it. Does not belong here: which images there are (`datasets.articles`). Texts of the same model
lie in the same space; the vectors of the embedding stage do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cdp_assets.embedding.providers import machine
from cdp_assets.embedding.providers.model import ModelSpec, ProviderMisconfigured, Vectors, checked
from cdp_assets.embedding.providers.torch_engine import TorchEngine
from cdp_assets.embedding.providers.weights import Weights, find_weights
from cdp_assets.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image


class ImageModel(Protocol):
    """Turns images into vectors of one model."""

    spec: ModelSpec

    def embed(self, images: Sequence[Image]) -> Vectors:
        """One row of unit length per image, in the order of the images.

        Raises:
            ProviderError: one of its classes, which says what to do.
        """
        ...


class LocalImageModel:
    """A model on this machine; its weights are loaded at the first image, knowing its revision costs nothing."""

    def __init__(self, weights: Weights) -> None:
        self.spec = weights.spec
        self._folder = weights.folder
        self._engine: TorchEngine | None = None

    def embed(self, images: Sequence[Image]) -> Vectors:
        if not images:
            return checked([], texts=0, dimension=self.spec.dimension)
        if self._engine is None:
            self._engine = TorchEngine(
                self._folder, device="cuda" if machine.has_gpu() else "cpu", reduced=False
            )
        if not self._engine.takes_images:
            raise ProviderMisconfigured(
                f"{self.spec.who} takes no images: let CDP_IMAGE_MODEL_ID name a CLIP model, or leave it blank"
            )
        found = self._engine.embed(images)
        return checked(found, texts=len(images), dimension=self.spec.dimension, who=self.spec.who)


def open_image_model(settings: Settings) -> LocalImageModel | None:
    """The model of the settings; None where they name none. A hub model that is not here yet is downloaded.

    Raises:
        ProviderMisconfigured: there is no such model, or its files are refused.
        ProviderUnavailable: the hub cannot be reached.
    """
    name = settings.image_model_id
    if not name:
        return None
    if "/" not in name and not Path(name).is_dir():
        name = f"sentence-transformers/{name}"  # as that library reads such a name
    return LocalImageModel(find_weights(name, ""))
