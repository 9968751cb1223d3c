"""Customers who are not in a segment and whose vectors lie nearest to the centre of those who are.

Belongs here: the search and the step from profiles to customers. What is near is decided in `embedding.lookalike`.
"""

from __future__ import annotations

import polars as pl

from cdp_assets.warehouse.connection import Connection

K = 100
"""Customers per segment: a first wave of a campaign; who wants more asks `cdp lookalike --segment`."""

SCHEMA = {
    "place": pl.Int64,
    "customer_id": pl.String,
    "cdp_profile_id": pl.String,
    "score": pl.Float64,
    "model_id": pl.String,
}


def nearest(connection: Connection, segment_id: str) -> pl.DataFrame:
    """Columns as `audience.segment_lookalike`; no row when no member has a vector, or no model is active.

    Several profiles of one customer take one place, that of the nearest.
    """
    rows = connection.execute(
        "with seeds as materialized (select array_agg(m.cdp_profile_id) as keys "
        "from audience.members(%(segment)s) as m where exists (select from embedding.profile_embedding as e "
        "inner join embedding.active_model as a on a.tenant_id = e.tenant_id and a.model_id = e.model_id "
        "where e.entity_key = m.cdp_profile_id)), "
        "near as materialized (select n.* from seeds cross join lateral embedding.lookalike(seeds.keys, %(k)s) as n "
        "where seeds.keys is not null), links as materialized (select source_id, customer_key "
        "from intermediate.int_customer_links where source = 'leo'), "
        "placed as (select distinct on (links.customer_key) links.customer_key, near.* "
        "from near inner join links on links.source_id = near.entity_key "
        "where not exists (select from audience.members(%(segment)s) as m where m.customer_id = links.customer_key) "
        "order by links.customer_key, near.score desc, near.entity_key) "
        "select row_number() over (order by score desc, customer_key), customer_key, entity_key, score, model_id "
        "from placed order by 1",
        {"segment": segment_id, "k": K},
    ).fetchall()
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
