"""Of what the vectors of a tenant are made, and whether a run would find anything to do.

Belongs here: what each entity's texts are made of. Does not belong here: comparing (`warehouse.freshness`), and what
waits in the queue (`queue`).
"""

from __future__ import annotations

from cdp_assets.embedding.entities import PRODUCT, TRANSACTION, Entity
from cdp_assets.warehouse.connection import Connection
from cdp_assets.warehouse.freshness import Recipe, code_digest, current_run


def recipe(entity: Entity) -> Recipe:
    """Of what the vectors of an entity are made: no option and no day enters a text.

    Models are not counted: adding one puts every text into the queue.
    """
    also = (PRODUCT.source,) if entity == TRANSACTION else ()
    return Recipe((entity.source, *also), (f"embedding.{entity.table}",), {"code": code_digest()})


def is_current(connection: Connection, tenant_id: str, entity: Entity) -> bool:
    """Whether each text has its vector under every model, and none waits, inside a transaction of the tenant."""
    if current_run(connection, tenant_id, f"embedding.{entity.table}", recipe(entity)) is None:
        return False
    row = connection.execute(
        "select exists (select from embedding.active_model where tenant_id = %(tenant)s) "
        "and not exists (select from embedding.job where tenant_id = %(tenant)s and entity = %(entity)s)",
        {"tenant": tenant_id, "entity": entity.name},
    ).fetchone()
    return row == (True,)
