"""Schema drift: top-level attributes of stored documents that are new, or that LEO has stopped to write.

Belongs here: the comparison. The known attributes are in `leo_attributes`. LEO writes every attribute of its model
into every document that it saves, so a release shows first in the documents that were saved last.
"""

from __future__ import annotations

from typing import LiteralString

from cdp_assets.checks.leo_attributes import is_known
from cdp_assets.checks.subject import Subject
from cdp_assets.quality import SAMPLE_ROWS, Measure, Severity

SAMPLED = 2_000
"""Documents looked at: those saved last, and those saved first, half of each. Reading all of 100,000 takes seconds."""

MAX_NEW_SHARE = 0.01
"""A new attribute in fewer documents than this is an import's slip, not a change of LEO's model."""

COMMON_SHARE = 0.5
MIN_HALF = 20
"""An attribute has vanished when at least half of the older documents have it and no newer one, of at least 20 each."""

_ATTRIBUTES: LiteralString = """
    with placed as (
        select {key} as key, row_number() over (order by {time} desc nulls last, {key}) as place,
            count(*) over () as total
        from {table} where tenant_id = %(tenant)s and deleted_at is null
    ),
    chosen as materialized (
        select key, place * 2 <= total as is_newer from placed where place <= %(half)s or place > total - %(half)s
    ),
    size as materialized (
        select count(*) filter (where not is_newer) as older, count(*) filter (where is_newer) as newer from chosen
    )
    select a.attribute, count(*) filter (where not c.is_newer), count(*) filter (where c.is_newer), s.older, s.newer
    from chosen as c
    inner join {table} as t on t.tenant_id = %(tenant)s and t.{key} = c.key
    cross join lateral jsonb_object_keys(t.{document}) as a (attribute)
    cross join size as s
    group by a.attribute, s.older, s.newer order by a.attribute
"""


def schema_drift(subject: Subject) -> Measure:
    """Attributes above `MAX_NEW_SHARE` that LEO is not known to write, and attributes gone from newer documents."""
    found = subject.rows(_ATTRIBUTES, half=SAMPLED // 2)
    older, newer = found[0][3:] if found else (0, 0)
    documents = older + newer
    rows: list[tuple[float, tuple[str, str, str, str]]] = []
    for attribute, in_older, in_newer, _, _ in found:
        share = (in_older + in_newer) / documents
        shares = (_percent(in_older, older), _percent(in_newer, newer))
        if share > MAX_NEW_SHARE and not is_known(subject.table.collection, attribute):
            rows.append((share, (attribute[:60], "new", *shares)))
        elif in_newer == 0 and in_older >= COMMON_SHARE * older and min(older, newer) >= MIN_HALF:
            rows.append((share, (attribute[:60], "vanished", *shares)))
    rows.sort(key=lambda row: (-row[0], row[1]))
    new = sum(1 for _, row in rows if row[1] == "new")
    return Measure(
        len(rows),
        f"{new} attributes are new and {len(rows) - new} have vanished, of {len(found)} in {documents} documents"
        + (f": {', '.join(row[0] for _, row in rows[:SAMPLE_ROWS])}" if rows else ""),
        {
            "documents_sampled": documents,
            "attributes": len(found),
            "attributes_new": new,
            "attributes_vanished": len(rows) - new,
            "max_new_share": MAX_NEW_SHARE,
        },
        ("attribute", "problem", "in older documents", "in newer documents"),
        [row for _, row in rows[:SAMPLE_ROWS]],
        Severity.WARN,
    )


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
