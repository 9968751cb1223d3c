"""What of a tenant is not what a run would make: the one place that schedules, sensors and `cdp pipeline` ask.

Belongs here: one function per stage. What each stage reads, makes and compares is with the stage. A tenant whose
settings cannot be read is never current: its run says what is wrong.
"""

from __future__ import annotations

from cdp_assets.artifacts.store import ArtifactStore
from cdp_assets.audience import current as audience
from cdp_assets.datasets import current as datasets
from cdp_assets.datasets.catalog import DATASETS
from cdp_assets.embedding import current as embedding
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.modeling import current as modeling
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant, TenantError


def marts_are_current(warehouse: Warehouse, tenant: Tenant) -> bool:
    """Whether a build of all models would change nothing."""
    with warehouse.tenant(tenant.tenant_id) as conn:
        try:
            return modeling.is_current(conn, tenant)
        except TenantError:
            return False


def vectors_are_current(warehouse: Warehouse, tenant: Tenant) -> bool:
    """Whether each text has its vector."""
    with warehouse.tenant(tenant.tenant_id) as conn:
        return all(embedding.is_current(conn, tenant.tenant_id, entity) for entity in ENTITIES.values())


def events_are_current(warehouse: Warehouse, tenant: Tenant) -> bool:
    """Whether an incremental run of dataset F would change nothing."""
    with warehouse.tenant(tenant.tenant_id) as conn:
        try:
            return datasets.events_are_current(conn, tenant, tenant.now())
        except TenantError:
            return False


def dataset_is_current(warehouse: Warehouse, artifacts: ArtifactStore, tenant: Tenant, name: str) -> bool:
    """Whether a build of one of the datasets A to E as of the last whole day would change nothing."""
    with warehouse.tenant(tenant.tenant_id) as conn:
        try:
            return datasets.is_current(conn, artifacts, tenant, DATASETS[name])
        except TenantError:
            return False


def datasets_are_current(warehouse: Warehouse, artifacts: ArtifactStore, tenant: Tenant) -> bool:
    """Whether a build of all datasets would change nothing."""
    return events_are_current(warehouse, tenant) and all(
        dataset_is_current(warehouse, artifacts, tenant, name) for name in DATASETS
    )


def segment_is_current(warehouse: Warehouse, tenant: Tenant, segment_id: str) -> bool:
    """Whether a run of one segment would change nothing."""
    with warehouse.tenant(tenant.tenant_id) as conn:
        try:
            return audience.is_current(conn, tenant, segment_id, f"{segment_id}|{tenant.tenant_id}")
        except TenantError:
            return False
