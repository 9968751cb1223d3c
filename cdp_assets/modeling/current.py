"""Whether a tenant's marts are what its landed rows and the models of today give.

Belongs here: asking the registry of runs. Does not belong here: building (`assets`), and who asks (schedules and
`cdp pipeline`).
"""

from __future__ import annotations

from cdp_assets.modeling.project import digest_of_files
from cdp_assets.warehouse.connection import Connection

WHOLE, PART = "dbt", "dbt.part"
"""Names in `ops.etl_runs` of runs of all models and of some; the metrics say by which project they were built."""


def is_current(connection: Connection, tenant_id: str) -> bool:
    """Whether the last build of all models succeeded, by the models of today, and nothing was landed since it began.

    Inside a transaction of the tenant. Tests are no reason to build: they look at rows, and the rows are the same.
    """
    row = connection.execute(
        "select built.status = 'success' and built.metrics ->> 'project' = %(project)s and not exists ("
        "select from ops.etl_runs as landed where landed.tenant_id = built.tenant_id and landed.rows_out > 0 "
        "and (landed.dataset = 'raw' or landed.dataset like 'cdp.%%') and landed.finished_at >= built.started_at) "
        "from ops.etl_runs as built where built.tenant_id = %(tenant)s and built.dataset = %(whole)s "
        "order by built.started_at desc limit 1",
        {"project": digest_of_files(), "tenant": tenant_id, "whole": WHOLE},
    ).fetchone()
    return row is not None and bool(row[0])
