"""Addresses of pages without what leads to a person, which sites put into paths as well as into queries.

Belongs here: the parts of an address. What in a text is personal is decided once, for all texts (`cleaning.redaction`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import polars as pl

from cdp_assets.cleaning.redaction import redacted, redacted_path

_PARTS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)?([^/]*)(.*)$", re.DOTALL)
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z][A-Za-z0-9-]*(?::\d{1,5})?|")
_LONG_NUMBER = re.compile(r"\d(?:[^A-Za-z\d]{0,6}\d){8,}")


def without_personal(pages: pl.Series) -> pl.Series:
    """Addresses (scheme, host and path) in which tokens such as `[email]` stand for personal parts."""
    return _changed(pages, _page)


def value_without_personal(values: pl.Series) -> pl.Series:
    """Values of an address's query, decoded, with tokens for what is personal."""
    return _changed(values, lambda value: redacted(unquote(value)))


def _changed(texts: pl.Series, change: Callable[[str], str]) -> pl.Series:
    # many events are of one page
    changes = {text: new for text in texts.drop_nulls().unique() if (new := change(text)) != text}
    return texts.replace(list(changes), list(changes.values())) if changes else texts


def _page(address: str) -> str:
    found = _PARTS.match(address)
    scheme, host, path = found.groups("") if found else ("", address, "")
    # a name and a password may stand before the host
    site = host.rpartition("@")[2]
    if not _HOST.fullmatch(site):
        site = redacted(unquote(site))
    # a number may be spread over several parts of a path
    return scheme + site + _LONG_NUMBER.sub("[number]", redacted_path(path))
