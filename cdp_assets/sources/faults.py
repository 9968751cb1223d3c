"""What went wrong at an ArangoDB server, in the words of `model`: try again, start again, or call a person.

Belongs here: the one decision which error is transient, and the messages with their remedies. Does not belong
here: repeating (`server`), faults of a dump folder (`dump`).
"""

from __future__ import annotations

from dataclasses import dataclass

from arango.exceptions import ArangoServerError, JWTAuthError, JWTExpiredError
from jwt.exceptions import PyJWTError

from cdp_assets.sources.http import BrokenBody, CertificateRejected, without_credentials
from cdp_assets.sources.model import CursorLost, SourceError, SourceRejected, SourceUnavailable

CURSOR_NOT_FOUND = 1600
CURSOR_BUSY = 1601
MEMORY_LIMIT = 32

TRANSIENT: frozenset[int] = frozenset({30, 38, 1465, 1478, 1495, 1496, CURSOR_BUSY, 21003})
"""errorNums that pass whatever their status: stopping, starting, no backend, not the leader, queue full.

A cursor is busy while the server still works on the request that we gave up waiting for.
"""

ENDED: frozenset[int] = frozenset({21, 1500})
"""errorNums of a query that the server gave up: cancelled at shutdown, killed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request went, for messages: never with credentials."""

    server: str
    user: str
    collection: str

    def __str__(self) -> str:
        return f"{self.server}, collection {self.collection!r}"


def translate(error: Exception, place: Place, last_failure: str) -> SourceError:
    """The error of `model` for what python-arango raised, with a message that names place and remedy.

    Args:
        error: What a call of the client raised.
        place: Where the call went.
        last_failure: The HTTP client's own words for the failure of the connection.
    """
    if isinstance(error, ArangoServerError):
        return _server_error(error, place)
    if isinstance(error, CertificateRejected):
        return SourceRejected(f"{place}: {error}. Give the path of the CA's certificate as `verify`.")
    if isinstance(error, PyJWTError | JWTExpiredError):
        return SourceRejected(
            f"{place}: the token from the login is of no use ({error})."
            " Set the clocks of both machines, or use basic authentication."
        )
    if isinstance(error, BrokenBody):
        return SourceUnavailable(f"{place}: the answer broke off or is not ArangoDB's ({error}).")
    if isinstance(error, OSError):
        return SourceUnavailable(
            f"{place}: {last_failure or without_credentials(str(error))}. Is the server up and reachable?"
        )
    return SourceRejected(
        f"{place}: the answer lacks what ArangoDB always sends ({type(error).__name__}: {error})."
        " Is this the address of an ArangoDB server?"
    )


def _server_error(error: ArangoServerError, place: Place) -> SourceError:
    status, number = error.http_code, error.error_code or error.http_code
    said = without_credentials(str(error.error_message or ""))[:300]
    what = f"{place}: HTTP {status}, errorNum {number}" + (f", {said}" if said else "")
    if number == CURSOR_NOT_FOUND:
        return CursorLost(f"{what}. The server forgot the cursor: read again from the beginning.")
    if number in ENDED:
        return CursorLost(f"{what}. The server ended the query: read again from the beginning.")
    if number == MEMORY_LIMIT:
        return SourceRejected(f"{what}. Raise the server's --query.memory-limit.")
    if status == 429 or number in TRANSIENT or (status >= 500 and status != 501):
        return SourceUnavailable(f"{what}. Try again later.")
    return SourceRejected(f"{what}. {_remedy(status, number, place, login=isinstance(error, JWTAuthError))}")


def _remedy(status: int, number: int, place: Place, login: bool) -> str:
    if login and status == 404:
        return "The server runs without authentication: use basic authentication."
    if status == 401:
        return f"Check user name and password of {place.user!r}, and that it may read this database."
    if status == 403:
        return f"Grant {place.user!r} read access to this database and collection."
    if number == 1228:
        return "No such database: check its name and the address."
    if number == 1203:
        return "No such collection: is this LEO CDP's database?"
    if 300 <= status < 400:
        return "The address redirects: give the address that it leads to."
    return "Reading again will not help; look the errorNum up in ArangoDB's list of error codes."
