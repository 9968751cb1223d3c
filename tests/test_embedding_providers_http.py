"""Providers over HTTP against a local server: the wire formats, settings that cannot work, secrets.

Belongs here: what is sent and what a good answer becomes. Does not belong here: failures
(`test_embedding_providers_http_faults`), models of this machine (`test_embedding_providers_local`).
"""

from __future__ import annotations

import sys
import traceback
from contextlib import closing
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cdp_assets.embedding.providers.factory import open_provider, spec_of
from cdp_assets.embedding.providers.model import (
    Provider,
    ProviderError,
    ProviderMisconfigured,
    TextRefused,
)
from tests.embedding_server import EmbeddingServer
from tests.embedding_support import DIMENSION, KEY, TEXTS, Service, expected, service_settings

# --- What is sent, what comes back


def test_vectors_come_in_the_order_of_the_texts_and_at_unit_length(service_provider: Provider) -> None:
    found = service_provider.embed(TEXTS)
    assert found.dtype == np.float32
    assert found.flags["C_CONTIGUOUS"]
    np.testing.assert_allclose(found, expected(TEXTS), atol=1e-6)


def test_no_texts_are_no_request(service_provider: Provider, service: EmbeddingServer) -> None:
    assert service_provider.embed([]).shape == (0, DIMENSION)
    assert service.requests == []


def test_one_connection_serves_many_calls(service_provider: Provider, service: EmbeddingServer) -> None:
    for _ in range(3):
        service_provider.embed(TEXTS)
    assert len({request.connection for request in service.requests}) == 1


def test_openai_gets_model_key_and_a_dimension_only_where_it_is_not_the_models_own(
    service: EmbeddingServer,
) -> None:
    service.dimension = 1536
    for dimension, said in ((256, {"dimensions": 256}), (1536, {}), (None, {})):
        with closing(
            open_provider(service_settings(service, "openai", profile_embed_dim=dimension))
        ) as opened:
            assert opened.embed(TEXTS).shape == (3, dimension or 1536)
        request = service.requests[-1]
        assert request.path == "/v1/embeddings"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.body == {"model": "text-embedding-3-small", "input": TEXTS, **said}


def test_vertex_is_told_what_the_texts_are_for(service: EmbeddingServer) -> None:
    with closing(
        open_provider(service_settings(service, "vertex", txn_embed_dim=256, profile_embed_dim=None))
    ) as opened:
        assert opened.embed(TEXTS[:1], "query").shape == (1, 256)
        opened.embed(TEXTS[:1])
    query, passage = service.requests
    place = "projects/shop/locations/us-central1/publishers/google/models/text-embedding-005"
    assert query.path == f"/v1/{place}:predict"
    assert query.headers["authorization"] == f"Bearer {KEY}"
    assert query.body == {
        "instances": [{"content": TEXTS[0], "task_type": "RETRIEVAL_QUERY"}],
        "parameters": {"outputDimensionality": 256},
    }
    assert passage.body["instances"][0]["task_type"] == "RETRIEVAL_DOCUMENT"


def test_gemini_gets_one_text_per_request_and_asks_for_one_at_a_time(service: EmbeddingServer) -> None:
    chosen = service_settings(service, "vertex", embed_model_id="gemini-embedding-001")
    with closing(open_provider(chosen)) as opened:
        assert opened.batch_size == 1
        np.testing.assert_allclose(opened.embed(TEXTS), expected(TEXTS), atol=1e-6)
    assert [len(request.body["instances"]) for request in service.requests] == [1, 1, 1]


@pytest.mark.parametrize(("service_name", "limit"), [("openai", 300_000), ("vertex", 20_000)])
def test_no_request_is_longer_than_the_service_takes(
    service: EmbeddingServer, service_name: Service, limit: int
) -> None:
    texts = [f"{number} " + "dài " * (limit // 20) for number in range(12)]
    with closing(open_provider(service_settings(service, service_name))) as opened:
        np.testing.assert_allclose(opened.embed(texts), expected(texts), atol=1e-6)
    key = "input" if service_name == "openai" else "instances"
    sent = [request.body[key] for request in service.requests]
    assert 1 < len(sent) < len(texts)
    assert all(len(str(part).encode()) < limit * 1.1 for part in sent)


def test_a_server_of_e5_gets_the_words_that_the_model_was_trained_with(service: EmbeddingServer) -> None:
    chosen = service_settings(
        service, "openai", embed_model_id="intfloat/multilingual-e5-base", embed_api_key=None
    )
    with closing(open_provider(chosen)) as opened:
        opened.embed(["a"])
        opened.embed(["a"], "query")
    assert [request.body["input"] for request in service.requests] == [["passage: a"], ["query: a"]]
    assert "authorization" not in service.requests[0].headers


# --- Secrets, and settings that cannot work


@pytest.mark.parametrize("key", [f"{KEY}\r\nx: y", f"{KEY} {KEY}", f"{KEY}…"])
def test_a_key_that_no_header_carries_is_refused_without_showing_it(
    service: EmbeddingServer, service_name: Service, key: str
) -> None:
    with pytest.raises(ProviderMisconfigured, match="CDP_EMBED_API_KEY") as raised:
        open_provider(service_settings(service, service_name, embed_api_key=key))
    assert KEY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://x", "http://", "https://a:b:c"])
def test_an_address_that_is_none_is_refused(
    service: EmbeddingServer, service_name: Service, address: str
) -> None:
    with pytest.raises(ProviderMisconfigured, match="CDP_EMBED_BASE_URL"):
        open_provider(service_settings(service, service_name, embed_base_url=address))


@pytest.mark.parametrize(
    ("service_name", "more", "match"),
    [
        ("openai", {"profile_embed_dim": 2000}, "1536"),
        ("openai", {"embed_model_id": "text-embedding-ada-002"}, "1536"),
        ("openai", {"embed_model_id": "other", "profile_embed_dim": None}, "CDP_PROFILE_EMBED_DIM"),
        ("openai", {"txn_embed_dim": 64}, "CDP_TXN_EMBED_DIM"),
        ("vertex", {"profile_embed_dim": 1024}, "768"),
        ("vertex", {"embed_model_id": "other"}, "text-embedding-005"),
    ],
)
def test_a_dimension_or_model_that_cannot_be_is_an_error_before_any_work(
    service: EmbeddingServer, service_name: Service, more: dict[str, Any], match: str
) -> None:
    with pytest.raises(ProviderMisconfigured, match=match):
        spec_of(service_settings(service, service_name, **more))
    assert service.requests == []


def test_openai_itself_needs_a_key_and_vertex_a_project(service: EmbeddingServer) -> None:
    with pytest.raises(ProviderMisconfigured, match="CDP_EMBED_API_KEY"):
        open_provider(service_settings(service, "openai", embed_base_url="", embed_api_key=None))
    with pytest.raises(ProviderMisconfigured, match="CDP_VERTEX_PROJECT"):
        open_provider(service_settings(service, "vertex", vertex_project=""))


def test_half_a_surrogate_pair_is_a_refused_text(
    service_provider: Provider, service: EmbeddingServer
) -> None:
    with pytest.raises(TextRefused):
        service_provider.embed(["good", "bad \ud83d"])
    assert service.requests == []


# --- Google's default credentials


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands for google-auth: credentials that are valid once refreshed."""
    auth, exceptions = ModuleType("google.auth"), ModuleType("google.auth.exceptions")
    requests = ModuleType("google.auth.transport.requests")
    exceptions.GoogleAuthError = type("GoogleAuthError", (Exception,), {})  # type: ignore[attr-defined]
    for name in ("DefaultCredentialsError", "TransportError"):
        setattr(exceptions, name, type(name, (exceptions.GoogleAuthError,), {}))  # type: ignore[attr-defined]
    requests.Request = object  # type: ignore[attr-defined]
    state = SimpleNamespace(valid=False, token=None, refreshed=0, fault=None)

    def refresh(_: Any) -> None:
        if state.fault:
            raise getattr(exceptions, state.fault)("no")
        state.refreshed += 1
        state.valid, state.token = True, f"token-{state.refreshed}"

    state.refresh = refresh
    auth.default = lambda scopes: (state, "project")  # type: ignore[attr-defined]
    for module in (auth, exceptions, requests):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return state


def test_vertex_takes_googles_credentials_and_renews_them(
    service: EmbeddingServer, google: SimpleNamespace
) -> None:
    with closing(open_provider(service_settings(service, "vertex", embed_api_key=None))) as provider:
        provider.embed(["a"])
        provider.embed(["b"])
        google.valid = False
        provider.embed(["c"])
    sent = [request.headers["authorization"] for request in service.requests]
    assert sent == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [("TransportError", "ProviderUnavailable"), ("GoogleAuthError", "ProviderMisconfigured")],
)
def test_credentials_that_cannot_be_renewed_say_who_must_act(
    service: EmbeddingServer, google: SimpleNamespace, fault: str, error: str
) -> None:
    google.fault = fault
    provider = open_provider(service_settings(service, "vertex", embed_api_key=None))
    with closing(provider), pytest.raises(ProviderError) as raised:
        provider.embed(["a"])
    assert type(raised.value).__name__ == error


def test_vertex_without_token_and_without_google_auth_says_what_to_install(service: EmbeddingServer) -> None:
    with pytest.raises(ProviderMisconfigured, match="CDP_EMBED_API_KEY"):
        open_provider(service_settings(service, "vertex", embed_api_key=None))
