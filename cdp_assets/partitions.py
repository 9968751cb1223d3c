"""Partitions of the graph: tenants, and segments of tenants.

Belongs here: the definitions and their names. Keys are validated by `keys` before they are registered: Dagster
takes any text, and drops keys with `|` from two-dimensional partitions without a word. Names are global in a
Dagster instance, hence the prefix.
"""

from __future__ import annotations

import dagster as dg

TENANT_DIMENSION = "leo_cdp_tenant"
SEGMENT_DIMENSION = "leo_cdp_segment"

tenants = dg.DynamicPartitionsDefinition(name=TENANT_DIMENSION)
"""One partition per active tenant; the sensor `tenant_partitions` keeps it in step with `ops.tenant`."""

segments = dg.DynamicPartitionsDefinition(name=SEGMENT_DIMENSION)
"""One partition per segment id of any tenant, kept in step with `cdp.segment`."""

segments_of_tenants = dg.MultiPartitionsDefinition({SEGMENT_DIMENSION: segments, TENANT_DIMENSION: tenants})
"""One partition per segment and tenant; a key reads `segment|tenant`. Most tenants lack most segments: such a partition
is skipped, not failed, so that a backfill over all of them ends well."""
