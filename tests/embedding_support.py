"""What tests of embedding providers share: settings of a service on the local server, and its true answers.

Belongs here: helpers that are no tests. Does not belong here: the server (`embedding_server`), fixtures (`conftest`).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cdp_assets.settings import Settings
from tests.embedding_server import EmbeddingServer, vector_of

KEY = "sk-canary-4711"
TEXTS = ["giày đỏ", "áo xanh", "🙂 canary-text"]
DIMENSION = 768
Service = Literal["openai", "vertex"]


def service_settings(server: EmbeddingServer, name: Service, **more: Any) -> Settings:
    """Settings of a service that the local server plays."""
    values: dict[str, Any] = {
        "embedding_provider": name,
        "embed_base_url": server.address + ("/v1" if name == "openai" else ""),
        "embed_api_key": KEY,
        "embed_timeout_s": 5,
        "vertex_project": "shop",
        "profile_embed_dim": DIMENSION,
    }
    return Settings(**{**values, **more}, _env_file=None)


def local_settings(data_dir: Path, **more: Any) -> Settings:
    """Settings of a model on this machine, its graph below `data_dir`."""
    return Settings(**{"data_dir": data_dir, **more}, _env_file=None)


def expected(texts: list[str], dimension: int = DIMENSION) -> npt.NDArray[np.float64]:
    """What the local server says the texts are, at unit length."""
    rows = np.array([vector_of(text, dimension) for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def tiny_model(folder: Path, *, pooling: str = "mean", dense: bool = False, safe: bool = True) -> Path:
    """A BERT of 32 components with random weights, saved as sentence-transformers does; with `dense` 16 come out.

    Args:
        folder: where to; its name is the model's.
        pooling: mean, cls or max.
        dense: put a dense layer behind the pooling.
        safe: as safetensors; otherwise pickled.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(7)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789:,."
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [
        *special,
        *letters,
        *(f"##{letter}" for letter in letters),
        "passage",
        "query",
        "shoes",
        "giay",
    ]
    tokenizer = Tokenizer(
        models.WordPiece({token: number for number, token in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    body = folder.with_name(folder.name + "-body")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(body)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.5,
        )
    ).save_pretrained(body)
    parts = [modules.Transformer(str(body)), modules.Pooling(32, pooling_mode=pooling)]
    if dense:
        parts.append(modules.Dense(32, 16))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SentenceTransformer(modules=parts, device="cpu").save_pretrained(
            str(folder), create_model_card=False, safe_serialization=safe
        )
    return folder
