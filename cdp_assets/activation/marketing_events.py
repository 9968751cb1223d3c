"""Writing marketing events: the door through which a plan enters the warehouse.

Belongs here: upsert and tombstones of `activation.marketing_event`. Does not belong here: where plans come from (a
planning tool, the demo), campaigns, and the vectors, which follow by a trigger in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from cdp_assets.warehouse.connection import Warehouse

COLUMNS = {
    "marketing_event_id": "text",
    "campaign_id": "text",
    "name": "text",
    "description": "text",
    "event_type": "text",
    "channel": "text",
    "starts_at": "timestamptz",
    "ends_at": "timestamptz",
    "status": "text",
}
"""What an event may say, as columns of the table; `campaign_id` and `description` may be left out."""

_NAMES = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
_CONTENT = [sql.Identifier(name) for name in COLUMNS if name != "marketing_event_id"]

# One statement for all events: its trigger fires once.
_UPSERT = sql.SQL(
    "insert into activation.marketing_event as t (tenant_id, {names}) "
    "select %s, {names} from unnest({arrays}) as given ({names}) "
    "on conflict (tenant_id, marketing_event_id) do update set {updated}, changed_at = now(), deleted_at = null "
    "where ({old}) is distinct from ({new}) or t.deleted_at is not null"
).format(
    names=_NAMES,
    arrays=sql.SQL(", ").join(sql.SQL(f"%s::{type_}[]") for type_ in COLUMNS.values()),
    updated=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in _CONTENT),
    old=sql.SQL(", ").join(sql.SQL("t.{}").format(name) for name in _CONTENT),
    new=sql.SQL(", ").join(sql.SQL("excluded.{}").format(name) for name in _CONTENT),
)
_TOMBSTONE = (
    "update activation.marketing_event set deleted_at = now(), changed_at = now() "
    "where tenant_id = %s and marketing_event_id = any(%s) and deleted_at is null"
)


def put_marketing_events(
    warehouse: Warehouse, tenant_id: str, events: Sequence[Mapping[str, Any]], gone: Sequence[str] = ()
) -> int:
    """Write new and changed events, and mark those named in `gone` as deleted; all or nothing.

    Args:
        warehouse: opened as role cdp_pipeline.
        tenant_id: the tenant whose plan it is.
        events: one mapping per event, keys as in `COLUMNS`. An event that was deleted before is there again.
        gone: ids of events that the plan no longer holds.

    Returns:
        Rows written. Events that say what the table says are not written.

    Raises:
        ValueError: an event has an unknown key, an id comes twice, or an event is both given and gone.
        psycopg.errors.IntegrityError: a required value is missing, a channel or status is unknown, or the event ends
            before it starts.
    """
    unknown = sorted({name for event in events for name in event} - set(COLUMNS))
    if unknown:
        raise ValueError(f"a marketing event has no {', '.join(unknown)}; it has {', '.join(COLUMNS)}")
    named = [*(str(event.get("marketing_event_id")) for event in events), *gone]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise ValueError(f"marketing events are named more than once: {', '.join(twice)}; name each once")
    with warehouse.tenant(tenant_id) as conn:
        arrays = [[event.get(name) for event in events] for name in COLUMNS]
        written = conn.execute(_UPSERT, (tenant_id, *arrays)).rowcount if events else 0
        return written + conn.execute(_TOMBSTONE, (tenant_id, list(gone))).rowcount
