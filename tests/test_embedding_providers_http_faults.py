"""Providers over HTTP when the service or the network fails: each failure has the class that the worker acts on.

Belongs here: statuses, Retry-After, unfit answers, time, broken connections, what errors keep to themselves.
"""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest

from cdp_assets.embedding.providers import http
from cdp_assets.embedding.providers.factory import open_provider
from cdp_assets.embedding.providers.model import (
    BadVectors,
    Provider,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    RateLimited,
    TextRefused,
)
from tests.embedding_server import EmbeddingServer, Fault, Items
from tests.embedding_support import DIMENSION, KEY, TEXTS, Service, expected, service_settings

# --- Failures of the service


@pytest.mark.fault
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        (lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True), 80, 90),
        (lambda: format_datetime(datetime.now(UTC) - timedelta(seconds=90), usegmt=True), 0, 0),
    ],
)
def test_a_service_that_asks_to_wait_says_how_long(
    service_provider: Provider,
    service: EmbeddingServer,
    status: int,
    header: str | Callable[[], str],
    low: float,
    high: float,
) -> None:
    service.plan.append(Fault(status, {"retry-after": header if isinstance(header, str) else header()}))
    with pytest.raises(RateLimited) as raised:
        service_provider.embed(TEXTS)
    assert raised.value.retry_after_s is not None
    assert low <= raised.value.retry_after_s <= high
    assert len(service.requests) == 1


@pytest.mark.fault
@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"retry-after": "nan"}])
def test_without_a_usable_retry_after_the_time_is_open(
    service_provider: Provider, service: EmbeddingServer, headers: dict[str, str]
) -> None:
    service.plan.append(Fault(429, headers))
    with pytest.raises(RateLimited) as raised:
        service_provider.embed(TEXTS)
    assert raised.value.retry_after_s is None


@pytest.mark.fault
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, TextRefused),
        (413, TextRefused),
        (422, TextRefused),
        (301, ProviderMisconfigured),
        (401, ProviderMisconfigured),
        (403, ProviderMisconfigured),
        (404, ProviderMisconfigured),
        (408, ProviderUnavailable),
        (500, ProviderUnavailable),
        (502, ProviderUnavailable),
        (503, ProviderUnavailable),
    ],
)
def test_a_status_says_who_must_act(
    service_provider: Provider, service: EmbeddingServer, status: int, error: type[ProviderError]
) -> None:
    service.plan.append(Fault(status))
    with pytest.raises(error, match=str(status)) as raised:
        service_provider.embed(TEXTS)
    assert type(raised.value) is error
    assert len(service.requests) == 1, "trying again is the worker's decision"
    np.testing.assert_allclose(service_provider.embed(TEXTS), expected(TEXTS), atol=1e-6)


@pytest.mark.fault
def test_credit_that_is_used_up_is_not_waited_for(service: EmbeddingServer) -> None:
    service.plan.append(Fault(429, {"retry-after": "1"}, b'{"error": {"code": "insufficient_quota"}}'))
    with (
        closing(open_provider(service_settings(service, "openai"))) as opened,
        pytest.raises(ProviderMisconfigured, match="credit"),
    ):
        opened.embed(TEXTS)


def numbers(item: dict[str, Any]) -> list[float]:
    """The vector of an item of either format."""
    found: list[float] = item["embedding"] if "embedding" in item else item["embeddings"]["values"]
    return found


def first_component(value: float) -> Callable[[Items], Items]:
    def edit(items: Items) -> Items:
        numbers(items[1])[0] = value
        return items

    return edit


def zeroed(items: Items) -> Items:
    numbers(items[1])[:] = [0.0] * DIMENSION
    return items


def shorter(items: Items) -> Items:
    for item in items:
        numbers(item).pop()
    return items


def ragged(items: Items) -> Items:
    numbers(items[1]).pop()
    return items


def nulled(items: Items) -> Items:
    numbers(items[0])[0] = None  # type: ignore[call-overload]
    return items


@pytest.mark.fault
@pytest.mark.parametrize(
    "edit",
    [
        lambda items: items[:-1],
        lambda items: [*items, items[-1]],
        lambda items: [],
        lambda items: [{} for _ in items],
        first_component(float("nan")),
        first_component(float("inf")),
        first_component(1e308),
        zeroed,
        shorter,
        ragged,
        nulled,
    ],
    ids=["short", "long", "empty", "bare", "nan", "inf", "overflow", "zero", "dimension", "ragged", "null"],
)
def test_an_unfit_answer_is_refused_as_a_whole(
    service_provider: Provider, service: EmbeddingServer, edit: Callable[[Items], Items]
) -> None:
    service.plan.append(Fault(edit=edit))
    with pytest.raises(BadVectors, match=service_provider.spec.name):
        service_provider.embed(TEXTS)
    np.testing.assert_allclose(service_provider.embed(TEXTS), expected(TEXTS), atol=1e-6)


def test_openai_answers_in_another_order_are_put_back(service: EmbeddingServer) -> None:
    service.plan.append(Fault(edit=lambda items: items[::-1]))
    with closing(open_provider(service_settings(service, "openai"))) as opened:
        np.testing.assert_allclose(opened.embed(TEXTS), expected(TEXTS), atol=1e-6)


@pytest.mark.fault
@pytest.mark.parametrize("indexes", [(0, 1, 1), (0, 1, 3), (1, 2, 3), (-1, 0, 1)])
def test_openai_answers_whose_indexes_do_not_fit_are_refused(
    service: EmbeddingServer, indexes: tuple[int, ...]
) -> None:
    def edit(items: Items) -> Items:
        return [{**item, "index": index} for item, index in zip(items, indexes, strict=True)]

    service.plan.append(Fault(edit=edit))
    with closing(open_provider(service_settings(service, "openai"))) as opened, pytest.raises(BadVectors):
        opened.embed(TEXTS)


@pytest.mark.fault
@pytest.mark.parametrize(
    "body", [b"", b"<html>proxy</html>", b"[]", b'{"data": [', b"\xff\xfe", b"[" * 100_000], ids=range(6)
)
def test_an_answer_that_is_no_json_is_refused(
    service_provider: Provider, service: EmbeddingServer, body: bytes
) -> None:
    service.plan.append(Fault(body=body))
    with pytest.raises(BadVectors):
        service_provider.embed(TEXTS)


@pytest.mark.fault
@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error": "no"}', b"x" * 200_000], ids=range(5))
def test_an_error_without_a_readable_body_is_told_by_its_status(
    service_provider: Provider, service: EmbeddingServer, body: bytes
) -> None:
    service.plan.append(Fault(500, body=body))
    with pytest.raises(ProviderUnavailable, match="500"):
        service_provider.embed(TEXTS)


@pytest.mark.fault
def test_an_answer_without_end_is_cut_off(
    service_provider: Provider, service: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER", 2**20)
    service.plan.append(Fault(endless=True))
    with pytest.raises(BadVectors, match="longer"):
        service_provider.embed(TEXTS)


# --- Time and connections


@pytest.mark.fault
@pytest.mark.parametrize("fault", [Fault(delay_s=30), Fault(drip_s=0.05)], ids=["silent", "dripping"])
def test_a_call_ends_with_its_time(service: EmbeddingServer, service_name: Service, fault: Fault) -> None:
    service.plan.append(fault)
    with closing(open_provider(service_settings(service, service_name, embed_timeout_s=0.3))) as opened:
        start = time.monotonic()
        with pytest.raises(ProviderUnavailable, match=r"0\.3 s"):
            opened.embed(TEXTS)
    assert time.monotonic() - start < 3
    assert len(service.requests) == 1


@pytest.mark.fault
def test_one_broken_connection_is_made_anew(service_provider: Provider, service: EmbeddingServer) -> None:
    service.plan.append(Fault(reset=True))
    np.testing.assert_allclose(service_provider.embed(TEXTS), expected(TEXTS), atol=1e-6)


@pytest.mark.fault
def test_a_connection_that_breaks_again_is_reported(
    service_provider: Provider, service: EmbeddingServer
) -> None:
    service.plan.extend([Fault(reset=True), Fault(reset=True)])
    with pytest.raises(ProviderUnavailable, match="connection"):
        service_provider.embed(TEXTS)
    assert len(service.requests) == 2


@pytest.mark.fault
def test_nobody_listening_is_unavailable(service: EmbeddingServer, service_name: Service) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        opened = open_provider(service_settings(service, service_name, embed_base_url=address))
        with closing(opened), pytest.raises(ProviderUnavailable, match="no connection"):
            opened.embed(TEXTS)


@pytest.mark.fault
@pytest.mark.parametrize(
    "faults",
    [[Fault(status)] for status in (400, 401, 404, 429, 500)]
    + [[Fault(reset=True)] * 2, [Fault(body=b"{}")], [Fault(edit=zeroed)], [Fault(delay_s=30)]],
    ids=["400", "401", "404", "429", "500", "reset", "bare", "zero", "late"],
)
def test_neither_key_nor_text_is_in_an_error(
    service: EmbeddingServer, service_name: Service, faults: list[Fault]
) -> None:
    service.plan.extend(faults)
    with (
        closing(open_provider(service_settings(service, service_name, embed_timeout_s=0.5))) as opened,
        pytest.raises(ProviderError) as raised,
    ):
        opened.embed(TEXTS)
    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert KEY not in told
    assert "canary-text" not in told
    chain: BaseException | None = raised.value
    while chain is not None:
        assert not hasattr(chain, "request"), "an HTTP library's error carries the key"
        chain = chain.__cause__
