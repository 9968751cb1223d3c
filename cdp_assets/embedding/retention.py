"""What the embedding stage keeps for a while, and then forgets.

Belongs here: how long, and the deletes. Does not belong here: what leaves at once with its row (`embedding.enqueue`).
"""

from __future__ import annotations

from cdp_assets.warehouse.connection import Connection

RETIRED_DAYS = 30
"""A text that returns later than this is embedded again."""

PROBES = 20
"""Per model and entity: drift is looked at over the last fills, not over years."""


def purge(conn: Connection, tenant_id: str) -> dict[str, int]:
    """Delete retired vectors and probes that are too old, inside a transaction of the tenant.

    Returns:
        Rows deleted, by table.
    """
    retired = conn.execute(
        "delete from embedding.retired_vector where tenant_id = %s and retired_at < now() - make_interval(days => %s)",
        (tenant_id, RETIRED_DAYS),
    ).rowcount
    probes = conn.execute(
        "with ranked as materialized (select model_id, entity, probed_at, row_number() over "
        "(partition by model_id, entity order by probed_at desc) as place from embedding.probe where tenant_id = %s) "
        "delete from embedding.probe as p using ranked as r where p.tenant_id = %s and p.model_id = r.model_id "
        "and p.entity = r.entity and p.probed_at = r.probed_at and r.place > %s",
        (tenant_id, tenant_id, PROBES),
    ).rowcount
    return {"retired_vector": retired, "probe": probes}
