"""What tests of embedding providers share: settings of a service on the local server, and its true answers.

Belongs here: helpers that are no tests. Does not belong here: the server (`embedding_server`), fixtures (`conftest`).
"""

from __future__ import annotations

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
