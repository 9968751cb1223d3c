"""Addresses of pages without what leads to a person, which sites put into paths as well as into queries.

Belongs here: the parts of an address. What in a text is personal is decided once, for all texts (`redacted`), but for
numbers of orders: a stock code in a path looks like one, and the events name their orders anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import polars as pl

from cdp_assets.datasets.reviews.normalise import redacted

_SUSPECT = r"[@%\[(]|:[^/]|\d(?:[^A-Za-z]{0,6}\d){6}|[A-Za-z0-9_]{16}|[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-|[^ -~]"
"""Occurs in every address of which a part may have to go."""

_PARTS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)?([^/]*)(.*)$", re.DOTALL)
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z][A-Za-z0-9-]*(?::\d{1,5})?|")
_TOKEN = re.compile(r"\[[a-z]+\]")
_LONG_NUMBER = re.compile(r"\d(?:[^A-Za-z\d]{0,6}\d){8,}")


def without_personal(pages: pl.Series) -> pl.Series:
    """Addresses (scheme, host and path) in which tokens such as `[email]` stand for personal parts."""
    return _replaced(pages, _redacted_pages)


def value_without_personal(values: pl.Series) -> pl.Series:
    """Values of an address's query, decoded, with tokens for what is personal."""
    return _replaced(values, lambda found: redacted(pl.Series(list(map(unquote, found)))).to_list())


def _replaced(texts: pl.Series, change: Callable[[list[str]], list[str]]) -> pl.Series:
    found = texts.filter(texts.str.contains(_SUSPECT).fill_null(value=False)).unique().to_list()
    if not found:
        return texts
    return texts.replace(found, change(found))


def _redacted_pages(pages: list[str]) -> list[str]:
    split = [_PARTS.match(page) for page in pages]
    parts = [found.groups("") if found else ("", page, "") for found, page in zip(split, pages, strict=True)]
    segments = sorted({segment for _, host, path in parts for segment in (_site(host), *path.split("/"))})
    plain = [unquote(segment) for segment in segments]
    told = {
        segment: segment if after == before or set(_TOKEN.findall(after)) == {"[order]"} else after
        for segment, before, after in zip(segments, plain, redacted(pl.Series(plain)), strict=True)
    }
    return [
        scheme + (_site(host) if _HOST.fullmatch(_site(host)) else told[_site(host)])
        # a number may be spread over several parts of a path
        + _LONG_NUMBER.sub("[number]", "/".join(told[segment] for segment in path.split("/")))
        for scheme, host, path in parts
    ]  # fmt: skip


def _site(host: str) -> str:
    """The host without the name and password that may stand before it."""
    return host.rpartition("@")[2]
