"""The rules for identifiers: what a tenant, segment or document key may look like.

Belongs here: patterns and their validation, so that partitions, warehouse and command line agree. Dagster itself
accepts any text as a dynamic partition key and then silently drops keys with `|` from two-dimensional partitions.
"""

from __future__ import annotations

import re

TENANT_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
SEGMENT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.@:-]{0,253}"
DOCUMENT_KEY_PATTERN = r"^[A-Za-z0-9_\-.@()+,=;$!*'%:]{1,254}$"
"""ArangoDB's own rule for `_key`."""

_TENANT = re.compile(TENANT_PATTERN)
_SEGMENT = re.compile(SEGMENT_PATTERN)


def tenant_id(value: str) -> str:
    """Return `value` if it may name a tenant.

    Raises:
        ValueError: names the value and the rule.
    """
    if not _TENANT.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot name a tenant: use 1 to 63 of a-z, 0-9, '_' and '-', beginning with a letter or digit"
        )
    return value


def is_segment_id(value: str) -> bool:
    """Whether a segment key of LEO can be a partition key (no `|`, comma, space or `...`)."""
    return bool(_SEGMENT.fullmatch(value)) and "..." not in value
