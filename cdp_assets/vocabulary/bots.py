"""Which browsers are programs: crawlers, monitors, previews of links, libraries that fetch pages.

Belongs here: telling one by its name. The list is that of `crawlerdetect`; here are the few names that it lacks, and
browsers of people that it takes for programs. How bots behave is in `datasets.events`.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from crawlerdetect import CrawlerDetect  # type: ignore[import-untyped]

_PROGRAMS = re.compile(
    r"headless|lighthouse|selenium|webdriver|externalagent|\bmonitor(ing)?\b|\bpreview\b", re.I
)
_PEOPLE = re.compile(r"^(yandex|yandex browser|yabrowser)( mobile)?([ /][\d.]+)?$", re.I)
"""Browsers whose makers have crawlers as well, as LEO names them."""


@lru_cache(maxsize=65_536)
def is_bot(browser: str) -> bool:
    """Whether a browser's name, or its whole user agent, is that of a program."""
    if _PEOPLE.search(browser):
        return False
    return bool(_PROGRAMS.search(browser)) or bool(_detector().is_crawler(browser))


@cache
def _detector() -> CrawlerDetect:
    return CrawlerDetect()
