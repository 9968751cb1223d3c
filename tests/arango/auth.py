"""Who may ask: basic authentication and JSON Web Tokens.

Belongs here: checking a header, issuing a token. Does not belong here: rights per database, which this server
does not have: its one user may do everything.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time

import jwt

from tests.arango.errors import UNAUTHORIZED, ApiError


class Gate:
    """Knows one user.

    Args:
        username: Its name.
        password: Its password.

    Attributes:
        token_seconds: Lifetime of the tokens to come.
    """

    def __init__(self, username: str, password: str) -> None:
        self.token_seconds = 3600.0
        self._username = username
        self._password = password
        self._secret = secrets.token_hex(32)

    def token(self, username: object, password: object) -> str:
        """A token for the right name and password, else error 401/11."""
        if not self._knows(str(username), str(password)):
            raise unauthorized()
        now = time.time()
        claims = {
            "iss": "arangodb",
            "preferred_username": str(username),
            "iat": now,
            "exp": int(now + self.token_seconds),
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def revoke_tokens(self) -> None:
        """Makes every token issued so far worthless."""
        self._secret = secrets.token_hex(32)

    def check(self, header: str | None) -> None:
        """Raises error 401/11 unless the Authorization header is good."""
        scheme, _, credentials = (header or "").partition(" ")
        if scheme.lower() == "basic":
            try:
                username, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise unauthorized() from None
            if self._knows(username, password):
                return
        elif scheme.lower() == "bearer":
            try:
                jwt.decode(credentials, self._secret, algorithms=["HS256"], issuer="arangodb")
                return
            except jwt.PyJWTError:
                raise unauthorized() from None
        raise unauthorized()

    def _knows(self, username: str, password: str) -> bool:
        said, known = f"{username}:{password}", f"{self._username}:{self._password}"
        return hmac.compare_digest(said.encode(), known.encode())


def unauthorized() -> ApiError:
    return ApiError(401, UNAUTHORIZED, "not authorized to execute this request")
