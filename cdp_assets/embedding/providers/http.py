"""One call to an embedding service over HTTP: what goes wrong becomes an error class that says what to do.

Belongs here: sending JSON, time-outs, one reconnect, statuses, Retry-After, the size of a request and of an answer.
Does not belong here: the wire format of a service (`openai`, `vertex`), and trying again (the worker decides).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
import msgspec
from pydantic import SecretStr

from cdp_assets.embedding.providers.model import (
    BadVectors,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    RateLimited,
    TextRefused,
)

MAX_ANSWER = 128 * 2**20
"""Bytes; 2,048 vectors of 3,072 components take 80 MB as JSON."""

MAX_COMPLAINT = 64 * 2**10
"""Bytes read of an error's body: the name of the error is in the first few hundred."""

CONNECT_SECONDS = 10.0

T = TypeVar("T")


def clean_key(secret: SecretStr | None, who: str) -> str | None:
    """The key as a header can carry it; None when there is none.

    Raises:
        ProviderMisconfigured: it holds a space, a line break or a letter beyond ASCII. Without this check the HTTP
            library would complain with the key in its message.
    """
    key = secret.get_secret_value().strip() if secret is not None else ""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ProviderMisconfigured(
            f"{who}: CDP_EMBED_API_KEY holds characters that no key has: copy it again"
        )
    return key or None


def parts(texts: Sequence[str], *, max_texts: int, max_tokens: int) -> Iterator[Sequence[str]]:
    """Cuts texts into requests that a service takes.

    A token is at least one byte of UTF-8, so the bytes bound the tokens of any tokenizer. A text that is over the
    bound by itself goes alone.
    """
    start, size = 0, 0
    for position, text in enumerate(texts):
        own = len(text.encode())
        if position > start and (position - start == max_texts or size + own > max_tokens):
            yield texts[start:position]
            start, size = position, 0
        size += own
    if start < len(texts):
        yield texts[start:]


def decoded(body: bytes, shape: type[T], who: str) -> T:
    """The answer as what it should be.

    Raises:
        BadVectors: it is no JSON, or of another shape.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadVectors(
            f"{who}: the answer of {len(body)} bytes is not what the service documents"
        ) from None


class Service:
    """Posts JSON to one address over kept connections.

    Args:
        url: address of the call.
        who: provider and model, for messages.
        timeout_s: seconds for one call as a whole.

    Raises:
        ProviderMisconfigured: the address is none.
    """

    def __init__(self, url: str, who: str, timeout_s: float) -> None:
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL:
            address = httpx.URL("")
        if address.scheme not in {"http", "https"} or not address.host:
            raise ProviderMisconfigured(
                f"{who}: CDP_EMBED_BASE_URL is no address that starts with https:// or http://"
            )
        self._url = address
        self._who = who
        self._timeout_s = timeout_s
        self._client = httpx.Client(
            # loading the certificates takes 0.15 s, and a service without TLS shows none
            verify=address.scheme == "https",
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_SECONDS, timeout_s)),
            headers={"content-type": "application/json", "accept": "application/json"},
        )

    def post(self, body: Any, headers: Mapping[str, str]) -> bytes:
        """The body of the answer.

        Raises:
            ProviderError: the class that says what to do.
        """
        content = msgspec.json.encode(body)
        try:
            return self._once(content, headers)
        except _Broken:
            # A server may close a kept connection at the moment of its use: one new connection, not a second try.
            pass
        try:
            return self._once(content, headers)
        except _Broken as error:
            raise ProviderUnavailable(f"{self._who}: {error}; it is tried again later") from None

    def close(self) -> None:
        self._client.close()

    def _once(self, content: bytes, headers: Mapping[str, str]) -> bytes:
        until = time.monotonic() + self._timeout_s
        # The causes are cut off on purpose: they carry the request, and with it the key.
        try:
            with self._client.stream("POST", self._url, content=content, headers=dict(headers)) as response:
                if response.status_code == 200:
                    return self._read(response, until)
                raise self._complaint(response)
        except httpx.TimeoutException:
            raise self._late() from None
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.ProxyError):
            raise ProviderMisconfigured(
                f"{self._who}: the address or the proxy takes no such call: check CDP_EMBED_BASE_URL and HTTPS_PROXY"
            ) from None
        except httpx.DecodingError:
            raise BadVectors(f"{self._who}: the answer's compression is broken") from None
        except httpx.TransportError as error:
            raise _Broken(_reason(error)) from None

    def _read(self, response: httpx.Response, until: float) -> bytes:
        found = bytearray()
        for chunk in response.iter_bytes():
            found += chunk
            if len(found) > MAX_ANSWER:
                raise BadVectors(f"{self._who}: the answer is longer than {MAX_ANSWER} bytes")
            if time.monotonic() > until:
                raise self._late()
        return bytes(found)

    def _late(self) -> ProviderUnavailable:
        return ProviderUnavailable(
            f"{self._who}: no answer within {self._timeout_s:g} s; it is tried again later (CDP_EMBED_TIMEOUT_S)"
        )

    def _complaint(self, response: httpx.Response) -> ProviderError:
        status, name = response.status_code, _error_name(response)
        said = f"{self._who}: HTTP {status}" + (f" {name}" if name else "")
        wait = retry_after_s(response.headers.get("retry-after"))
        if name == "insufficient_quota":
            return ProviderMisconfigured(
                f"{said}: the account's credit is used up, which waiting does not mend"
            )
        if status == 429 or (status == 503 and wait is not None):
            return RateLimited(f"{said}: the service asks to wait", wait)
        if status >= 500 or status in {408, 409, 425}:
            return ProviderUnavailable(f"{said}: the service fails; it is tried again later")
        if status in {400, 413, 422}:
            return TextRefused(f"{said}: the service refuses a text of this batch")
        return ProviderMisconfigured(
            f"{said}: check CDP_EMBED_API_KEY, CDP_EMBED_MODEL_ID and CDP_EMBED_BASE_URL, "
            "and that the account may use the model"
        )


class _Broken(Exception):
    """The connection could not be made, or broke."""


def _reason(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectError):
        failed = (
            "the certificate does not verify"
            if "CERTIFICATE_VERIFY_FAILED" in str(error)
            else "no connection"
        )
        return f"{failed} to the service"
    return f"the connection broke ({type(error).__name__})"


def retry_after_s(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, given as seconds or as a date; None when it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        # "-0000" gives a naive time, which means UTC
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _error_name(response: httpx.Response) -> str:
    """The service's own name of the error. Its message stays out: it may repeat a text or the key."""
    try:
        read = bytearray()
        for chunk in response.iter_bytes():
            read += chunk
            if len(read) > MAX_COMPLAINT:
                return ""
        error = msgspec.json.decode(bytes(read))["error"]
        found = [error.get(field) for field in ("code", "status", "type")]
    except (
        httpx.HTTPError,
        msgspec.DecodeError,
        UnicodeDecodeError,
        RecursionError,
        LookupError,
        TypeError,
        AttributeError,
    ):
        return ""
    named = (name for name in found if isinstance(name, str) and re.fullmatch(r"[A-Za-z_]{1,40}", name))
    return next(named, "")
