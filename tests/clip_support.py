"""A tiny CLIP and pictures to embed.

Belongs here: what tests of image vectors share. Its weights are random, so it tells pictures apart and means nothing.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

DIMENSION = 16


def tiny_clip(folder: Path, *, seed: int = 7) -> Path:
    """A CLIP of two layers and 16 components, in the layout in which the hub has `clip-ViT-B-32`."""
    import torch
    from transformers import CLIPConfig, CLIPModel
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    home = folder / "0_CLIPModel"
    home.mkdir(parents=True)
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    layers: dict[str, Any] = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "projection_dim": DIMENSION,
    }  # fmt: skip
    config = CLIPConfig(
        vision_config={**layers, "image_size": 32, "patch_size": 8},
        text_config={
            **layers, "vocab_size": len(words), "max_position_embeddings": 32, "bos_token_id": len(words) - 2,
            "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1,
        },
        projection_dim=DIMENSION,
    )  # fmt: skip
    torch.manual_seed(seed)
    CLIPModel(config).save_pretrained(home)
    files: dict[str, Any] = {
        "0_CLIPModel/vocab.json": {word: number for number, word in enumerate(words)},
        "0_CLIPModel/tokenizer_config.json": {"tokenizer_class": "CLIPTokenizer", "model_max_length": 32},
        "0_CLIPModel/preprocessor_config.json": {
            "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 32},
            "do_center_crop": True, "crop_size": {"height": 32, "width": 32}, "do_rescale": True,
            "do_normalize": True, "do_convert_rgb": True, "resample": 3,
            "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28],
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}
        ],
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    (home / "merges.txt").write_text("#version: 0.2\n")
    return folder


def swatch(seed: int, *, side: int = 48) -> Image.Image:
    """A colour with a pattern of its own."""
    rng = np.random.default_rng(seed)
    colour, other = rng.integers(0, 256, (2, 3))
    stripes = (np.arange(side) // rng.integers(3, 12)) % 2 == 0
    return Image.fromarray(
        np.where(stripes[:, None, None], colour, other).repeat(side, axis=1).astype(np.uint8)
    )


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The image as a file's bytes."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
