"""What PostgreSQL takes of what an error or a count may hold: `text` has no NUL, UTF-8 no half character, JSON no NaN.

Belongs here: making any value fit to be written beside a run. Rows of a source are not mended: they are quarantined.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

_UNFIT = re.compile(r"[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    """The text with a replacement character for each that no column holds."""
    return _UNFIT.sub("\ufffd", text)


def storable(value: Any) -> Any:
    """The value as JSON that `jsonb` takes: what is no finite number is null, what JSON has no form for is its text."""
    if isinstance(value, str):
        return storable_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {storable_text(str(name)): storable(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [storable(each) for each in value]
    if hasattr(value, "item"):  # a number of numpy
        return storable(value.item())
    return storable_text(str(value))
