"""The next day of a tenant: which changes happen, in which order.

Belongs here: the order. Does not belong here: the changes themselves (`day_removals`, `day_growth`, `day_segments`,
`day_edits`). Removals come first, so that nothing is written to a document that the same day removes.
"""

from __future__ import annotations

from cdp_assets.demo.day import Day
from cdp_assets.demo.day_edits import Edits
from cdp_assets.demo.day_growth import Growth
from cdp_assets.demo.day_removals import Removals
from cdp_assets.demo.day_segments import SegmentChanges
from cdp_assets.demo.tenant import TenantWorld


def advance_tenant(tenant: TenantWorld) -> None:
    """Moves the tenant on by one day, in place. `tenant.database.changes` then holds this day's changes only."""
    tenant.database.changes.clear()
    day = Day(tenant, tenant.step + 1)

    removals = Removals(day)
    removals.cleaning_job()
    removals.direct_deletes()
    removals.soft_deletes()
    removals.merges()

    growth = Growth(day)
    growth.people()
    growth.orders()
    growth.visits()
    growth.reviews()
    growth.late_imports()
    growth.catalog()

    edits = Edits(day)
    edits.forget_gone()
    edits.consents()
    edits.refire()
    edits.restate()
    if not tenant.clean:
        edits.redeliver()
        edits.mends()
        edits.spoil()
    SegmentChanges(day).run()
    edits.nightly_batch()
    edits.rewrites()

    tenant.step = day.step
    tenant.days.append(day.record)
