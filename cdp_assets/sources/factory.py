"""Open the source that a tenant's registration names.

Belongs here: registration -> `Source`, and the check of what a registration must say. Secrets are looked up by the
name that the registration gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cdp_assets.sources.model import Source, SourceRejected


def open_source(
    kind: str,
    address: Mapping[str, Any],
    *,
    secret: Callable[[str], str | None],
    timeout_s: float = 60.0,
    page_size: int = 2000,
) -> Source:
    """Open a tenant's source; nothing is read yet.

    Args:
        kind: `arango` or `dump`.
        address: `ops.tenant.source`.
        secret: name -> value, or None when it is not set.
        timeout_s: seconds without an answer before a read is repeated.
        page_size: documents per page.

    Raises:
        SourceRejected: the registration lacks something, or a secret it names is not set.
    """
    if kind == "dump":
        from cdp_assets.sources.dump import DumpSource

        return DumpSource(Path(_required(address, "folder")), database=address.get("database"))
    if kind == "arango":
        from cdp_assets.sources.arango import ArangoSource

        name = _required(address, "password_secret")
        password = secret(name)
        if password is None:
            raise SourceRejected(
                f"the secret {name} is not set: export it, or put it into the file {name.lower()} in CDP_SECRETS_DIR"
            )
        return ArangoSource(
            hosts=list(_required(address, "hosts")),
            database=_required(address, "database"),
            username=_required(address, "username"),
            password=password,
            auth_method=address.get("auth", "basic"),
            verify=address.get("ca", True),
            request_timeout=timeout_s,
            page_size=page_size,
        )
    raise SourceRejected(f"unknown kind of source {kind!r}: known are arango and dump")


def _required(address: Mapping[str, Any], name: str) -> Any:
    value = address.get(name)
    if not value:
        raise SourceRejected(
            f"the tenant's registration has no {name}; correct it with `cdp tenants add --replace`"
        )
    return value
