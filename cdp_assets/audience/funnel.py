"""The funnels of dataset F over the members of a segment, beside all customers.

Belongs here: counting. Who entered a funnel and how far each got is decided in `datasets.events.funnels`.
"""

from __future__ import annotations

from datetime import date
from typing import LiteralString

import polars as pl

from cdp_assets.warehouse.connection import Connection, without_loops

DAYS = 30
"""Days of entry that count, up to the run's as_of: enough for a small segment, few enough for the shop of today."""

SCHEMA = {
    "funnel_id": pl.String,
    "step": pl.Int64,
    "event_type": pl.String,
    "count_by": pl.String,
    "entries": pl.Int64,
    "open": pl.Int64,
    "rate_first": pl.Float64,
    "customers_entries": pl.Int64,
    "customers_rate_first": pl.Float64,
    "first_day": pl.Date,
    "last_day": pl.Date,
}

_STEPS: LiteralString = (
    "with days as materialized (select %(as_of)s::date as last_day, %(as_of)s::date - %(days)s + 1 as first_day), "
    "steps as materialized (select funnel_id, step, min(event_type) as event_type, min(count_by) as count_by "
    "from datasets.funnel_daily where tenant_id = %(tenant)s group by funnel_id, step), "
    "members as materialized (select customer_id from audience.members(%(segment)s)), "
    "entries as materialized (select f.funnel_id, f.reached, f.state, m.customer_id is not null as is_member, "
    "count(*) as entries from datasets.funnel_member as f cross join days "
    "left join members as m on f.customer_id = m.customer_id "
    "where f.tenant_id = %(tenant)s and f.day between days.first_day and days.last_day "
    "group by f.funnel_id, f.reached, f.state, m.customer_id is not null), "
    "reached as (select s.funnel_id, s.step, s.event_type, s.count_by, "
    "coalesce(sum(e.entries) filter (where e.is_member), 0)::bigint as entries, "
    "coalesce(sum(e.entries) filter (where e.is_member and e.state = 'open' and e.reached = s.step), 0)::bigint "
    "as open, coalesce(sum(e.entries), 0)::bigint as customers_entries from steps as s left join entries as e "
    "on e.funnel_id = s.funnel_id and e.reached >= s.step group by s.funnel_id, s.step, s.event_type, s.count_by) "
    "select r.funnel_id, r.step, r.event_type, r.count_by, r.entries, r.open, "
    "r.entries::float8 / nullif(first_value(r.entries) over w, 0), r.customers_entries, "
    "r.customers_entries::float8 / nullif(first_value(r.customers_entries) over w, 0), d.first_day, d.last_day "
    "from reached as r cross join days as d window w as (partition by r.funnel_id order by r.step) order by 1, 2"
)


def of_members(connection: Connection, tenant_id: str, segment_id: str, as_of: date) -> pl.DataFrame:
    """One row per funnel and step, columns as `audience.segment_funnel`; none where nobody ever entered a funnel.

    Entries count that were made on the last days up to `as_of`.
    """
    with without_loops(connection):
        rows = connection.execute(
            _STEPS, {"tenant": tenant_id, "segment": segment_id, "days": DAYS, "as_of": as_of}
        ).fetchall()
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
