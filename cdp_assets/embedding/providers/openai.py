"""Vectors from OpenAI, and from every server that speaks its wire format (vLLM, TEI, Ollama, gateways).

Belongs here: the request and the answer of `POST {base}/embeddings`. Does not belong here: failures (`http`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from cdp_assets.embedding.providers.http import Service, clean_key, decoded, parts
from cdp_assets.embedding.providers.model import (
    BadVectors,
    Kind,
    ModelSpec,
    ProviderMisconfigured,
    Vectors,
    checked,
    known_prefixes,
)
from cdp_assets.settings import Settings

BASE_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "text-embedding-3-small"
NATIVE = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
SHORTENABLE = {"text-embedding-3-small", "text-embedding-3-large"}

MAX_TEXTS = 2048
MAX_TOKENS = 300_000
"""What OpenAI takes in one request."""


class _Item(msgspec.Struct):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Item]


def spec(name: str, wanted: int | None) -> ModelSpec:
    """A model of the service.

    Args:
        name: the model.
        wanted: components that the settings ask for; the service shortens where it can, else the model's own stand.

    Raises:
        ProviderMisconfigured: an unknown model without a configured dimension.
    """
    native = NATIVE.get(name)
    if native is None and wanted is None:
        raise ProviderMisconfigured(
            f"openai {name}: set CDP_PROFILE_EMBED_DIM, its dimension is not known here"
        )
    shortened = native is None or (wanted is not None and name in SHORTENABLE and wanted < native)
    dimension = wanted if shortened else native
    assert dimension is not None
    return ModelSpec("openai", name, "", dimension, *known_prefixes(name))


class OpenAIProvider:
    """Calls the service once per embed, or more often when the texts are longer than one request may be.

    Args:
        spec: the model.
        settings: key, address, time-out, batch size.

    Raises:
        ProviderMisconfigured: no key for OpenAI's own address, or an unfit key or address.
    """

    def __init__(self, spec: ModelSpec, settings: Settings) -> None:
        self.spec = spec
        self.batch_size = min(settings.embed_batch_size, MAX_TEXTS)
        key = clean_key(settings.embed_api_key, spec.who)
        if key is None and not settings.embed_base_url:
            raise ProviderMisconfigured(f"{spec.who}: set CDP_EMBED_API_KEY")
        self._headers = {} if key is None else {"authorization": f"Bearer {key}"}
        base = (settings.embed_base_url or BASE_URL).rstrip("/")
        self._service = Service(f"{base}/embeddings", spec.who, settings.embed_timeout_s)

    def embed(self, texts: Sequence[str], kind: Kind = "passage") -> Vectors:
        wanted = self.spec.prefixed(texts, kind)
        found = [
            self._request(part) for part in parts(wanted, max_texts=self.batch_size, max_tokens=MAX_TOKENS)
        ]
        return np.concatenate(found) if found else checked([], texts=0, dimension=self.spec.dimension)

    def close(self) -> None:
        self._service.close()

    def _request(self, texts: Sequence[str]) -> Vectors:
        body: dict[str, Any] = {"model": self.spec.name, "input": texts}
        if self.spec.dimension != NATIVE.get(self.spec.name, self.spec.dimension):
            body["dimensions"] = self.spec.dimension
        items = decoded(self._service.post(body, self._headers), _Answer, self.spec.who).data
        # Answers may come in any order; the index says which text a vector belongs to.
        rows = {item.index: item.embedding for item in items}
        if sorted(item.index for item in items) != list(range(len(texts))):
            raise BadVectors(
                f"{self.spec.who}: {len(texts)} texts were sent, {len(items)} vectors came back, {len(rows)} distinct"
            )
        vectors = [rows[index] for index in range(len(texts))]
        return checked(vectors, texts=len(texts), dimension=self.spec.dimension, who=self.spec.who)
