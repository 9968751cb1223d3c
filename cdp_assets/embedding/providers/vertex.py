"""Vectors from Vertex AI.

Belongs here: the request and the answer of `:predict`, and the access token. Does not belong here: failures (`http`).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import msgspec
import numpy as np

from cdp_assets.embedding.providers.http import Service, clean_key, decoded, parts
from cdp_assets.embedding.providers.model import (
    Kind,
    ModelSpec,
    ProviderMisconfigured,
    ProviderUnavailable,
    Vectors,
    checked,
)
from cdp_assets.settings import Settings

DEFAULT_MODEL = "text-embedding-005"
GEMINI = "gemini-embedding-001"
NATIVE = {DEFAULT_MODEL: 768, "text-multilingual-embedding-002": 768, GEMINI: 3072}

MAX_TEXTS = 250
MAX_TOKENS = 20_000
"""What Vertex AI takes in one request; of Gemini's model one text."""

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TASKS: dict[Kind, str] = {"passage": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY"}


class _Embeddings(msgspec.Struct):
    values: list[float]


class _Prediction(msgspec.Struct):
    embeddings: _Embeddings


class _Answer(msgspec.Struct):
    predictions: list[_Prediction]


def spec(name: str, wanted: int | None) -> ModelSpec:
    """A model of the service.

    Args:
        name: the model.
        wanted: components that the settings ask for; the service shortens to fewer than the model's own.

    Raises:
        ProviderMisconfigured: the model is not known here.
    """
    native = NATIVE.get(name)
    if native is None:
        raise ProviderMisconfigured(f"vertex {name}: known are {', '.join(NATIVE)}")
    return ModelSpec("vertex", name, "", min(native, wanted or native))


class VertexProvider:
    """Calls the service; tells it whether the texts are stored or searched with.

    Args:
        spec: the model.
        settings: project, location, token, address, time-out, batch size.

    Raises:
        ProviderMisconfigured: no project, no token and no Google credentials, or an unfit address.
    """

    def __init__(self, spec: ModelSpec, settings: Settings) -> None:
        self.spec = spec
        # One text per request of Gemini's model: of a larger batch that fails, all were paid for and none is kept.
        self.batch_size = 1 if spec.name == GEMINI else min(settings.embed_batch_size, MAX_TEXTS)
        project, location = settings.vertex_project, settings.vertex_location
        if not project:
            raise ProviderMisconfigured(f"{spec.who}: set CDP_VERTEX_PROJECT")
        region = "" if location == "global" else f"{location}-"
        base = (settings.embed_base_url or f"https://{region}aiplatform.googleapis.com").rstrip("/")
        place = f"projects/{project}/locations/{location}/publishers/google/models/{spec.name}"
        self._token = clean_key(settings.embed_api_key, spec.who)
        self._credentials = None if self._token else _default_credentials(spec.who)
        self._service = Service(f"{base}/v1/{place}:predict", spec.who, settings.embed_timeout_s)

    def embed(self, texts: Sequence[str], kind: Kind = "passage") -> Vectors:
        wanted = self.spec.prefixed(texts, kind)
        found = [
            self._request(part, TASKS[kind])
            for part in parts(wanted, max_texts=self.batch_size, max_tokens=MAX_TOKENS)
        ]
        return np.concatenate(found) if found else checked([], texts=0, dimension=self.spec.dimension)

    def close(self) -> None:
        self._service.close()

    def _request(self, texts: Sequence[str], task: str) -> Vectors:
        body: dict[str, Any] = {"instances": [{"content": text, "task_type": task} for text in texts]}
        if self.spec.dimension != NATIVE[self.spec.name]:
            body["parameters"] = {"outputDimensionality": self.spec.dimension}
        answer = decoded(self._service.post(body, self._authorization()), _Answer, self.spec.who)
        vectors = [one.embeddings.values for one in answer.predictions]
        return checked(vectors, texts=len(texts), dimension=self.spec.dimension, who=self.spec.who)

    def _authorization(self) -> dict[str, str]:
        if self._credentials is None:
            return {"authorization": f"Bearer {self._token}"}
        if not self._credentials.valid:
            _refresh(self._credentials, self.spec.who)
        return {"authorization": f"Bearer {self._credentials.token}"}


def _google(module: str) -> Any:
    """A module of google-auth. By name: `google` is shared by many distributions, this one is optional."""
    return import_module(f"google.auth.{module}" if module else "google.auth")


def _default_credentials(who: str) -> Any:
    try:
        auth, exceptions = _google(""), _google("exceptions")
    except ImportError as error:
        raise ProviderMisconfigured(
            f'{who}: set CDP_EMBED_API_KEY to an access token, or pip install "cdp-assets[vertex]" for Google\'s '
            "default credentials"
        ) from error
    try:
        return auth.default(scopes=[SCOPE])[0]
    except exceptions.DefaultCredentialsError as error:
        raise ProviderMisconfigured(
            f"{who}: no Google credentials found: `gcloud auth application-default login`, or a service account"
        ) from error


def _refresh(credentials: Any, who: str) -> None:
    exceptions = _google("exceptions")
    try:
        credentials.refresh(_google("transport.requests").Request())
    except exceptions.TransportError:
        raise ProviderUnavailable(
            f"{who}: Google's token service cannot be reached; it is tried again later"
        ) from None
    except exceptions.GoogleAuthError:
        raise ProviderMisconfigured(f"{who}: Google's credentials are refused: log in again") from None
