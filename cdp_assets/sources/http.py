"""The HTTP client under python-arango: bodies as bytes, documents undecoded, failures at once and by name.

Belongs here: sessions, time-outs, turning a response body into what python-arango expects. Does not belong
here: which failure is worth another try (`faults`), and trying again (`server`).

Why not the client's own: with its defaults a GET that times out is sent 12 times (12 minutes), a GET with
status 503 loses its body, and every page is decoded to text and to Python objects, which costs a third of the
time of a scan.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

import msgspec
import requests
from arango.http import DefaultHTTPClient
from arango.response import Response
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from cdp_assets.sources import rawjson

CONNECT_SECONDS = 10.0
"""A host that does not take the connection by then is down; the next coordinator gets its turn."""

_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


class BrokenBody(Exception):
    """The body is no JSON: cut off on its way, or written by something between us and ArangoDB."""


class CertificateRejected(Exception):
    """The server's certificate does not verify: no other try and no other coordinator is of use."""


def without_credentials(text: str) -> str:
    """The text with `user:password@` removed from every address in it."""
    return _CREDENTIALS.sub("//", text)


def decode_body(body: bytes) -> dict[str, Any]:
    """python-arango's deserializer: an answer whose `result` is a list of one element, the undecoded array.

    So a cursor's batch holds one page, and whoever reads the cursor decides how to take the page apart.

    Raises:
        BrokenBody: which, unlike a ValueError, python-arango lets through.
    """
    try:
        try:
            answer: dict[str, Any] = dict(_envelope.decode(body))
        except (ValueError, RecursionError):
            answer = dict(rawjson.members(body))
        for name, value in answer.items():
            answer[name] = [value] if name == "result" else msgspec.json.decode(value)
    except (ValueError, RecursionError) as error:
        raise BrokenBody(f"{len(body)} bytes that are no JSON object: {error}") from error
    return answer


class PageClient(DefaultHTTPClient):
    """Sends each request once per host, whatever proxies, `.netrc` or CA paths the environment names.

    Args:
        request_timeout: Seconds that the server may stay silent, before its answer and within it.
        verify: True, False or the path of the CA certificates.
    """

    def __init__(self, request_timeout: float, verify: bool | str) -> None:
        super().__init__(request_timeout=request_timeout, retry_attempts=0)
        self._verify = verify
        self._timeouts = (min(CONNECT_SECONDS, request_timeout), request_timeout)
        self.last_failure = ""
        """What went wrong last, with the host: python-arango's error after the last host does not tell."""

    def create_session(self, host: str) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.verify = self._verify
        # An adapter without retries: it leaves 5xx responses alone, so they arrive with ArangoDB's errorNum.
        session.mount("https://", HTTPAdapter(max_retries=0))
        session.mount("http://", HTTPAdapter(max_retries=0))
        return session

    def send_request(
        self,
        session: requests.Session,
        method: str,
        url: str,
        headers: MutableMapping[str, str] | None = None,
        params: MutableMapping[str, str] | None = None,
        data: Any = None,
        auth: tuple[str, str] | None = None,
    ) -> Response:
        host = "/".join(url.split("/", 3)[:3])
        try:
            response = session.request(
                method=method,
                url=url,
                params=params,
                data=data,
                headers=headers,
                # As bytes: requests would write text as latin-1, ArangoDB reads UTF-8.
                auth=None if auth is None else HTTPBasicAuth(auth[0].encode(), auth[1].encode()),
                timeout=self._timeouts,
                # A redirect would turn the POST of a query into a GET.
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise CertificateRejected(f"{host} shows a certificate that does not verify") from error
            self.last_failure = f"{host}: the TLS connection broke"
            raise
        except requests.exceptions.RequestException as error:
            self.last_failure = f"{host}: {self._reason(error)}"
            # The one class at which python-arango goes on to the next host; time-outs are not of it.
            raise requests.exceptions.ConnectionError(self.last_failure) from error
        self.last_failure = f"{host}: HTTP {response.status_code} {response.reason}"
        body = response.content
        if response.status_code >= 300 and not body.lstrip().startswith(b"{"):
            body = b"{}"  # a proxy's page, or nothing: the status alone tells
        return Response(
            method=method,
            url=response.url,
            headers=response.headers,
            status_code=response.status_code,
            status_text=response.reason,
            raw_body=body,  # type: ignore[arg-type]  # goes to `decode_body` only
        )

    def _reason(self, error: requests.exceptions.RequestException) -> str:
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return f"no connection within {self._timeouts[0]:g} s"
        if isinstance(error, requests.exceptions.Timeout):
            return f"no answer within {self._timeouts[1]:g} s"
        cause: BaseException | None = error
        for _ in range(10):  # requests and urllib3 wrap up to five times
            if cause is None:
                break
            if isinstance(cause, OSError) and cause.strerror:
                return cause.strerror.lower()
            # urllib3 keeps some causes only as an attribute or as the last argument.
            inner = getattr(cause, "reason", None) or (cause.args[-1] if cause.args else None)
            cause = inner if isinstance(inner, BaseException) else cause.__cause__ or cause.__context__
        return f"the connection broke ({type(error).__name__})"
