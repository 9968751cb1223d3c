"""A deterministic synthetic world: Vietnamese and English shops whose LEO CDP holds every trap of a real one.

Belongs here: what other packages and tests use. One model of people, products, purchases, visits and reviews
(`model`), rendered as LEO documents (`leo*`), with planted faults (`defects`) and later days (`advance`), and as the
database of a shop (`shop*`).
"""

from __future__ import annotations

from cdp_assets.demo.defects import KINDS as DEFECT_KINDS
from cdp_assets.demo.leo_profile import SECRET_MARKER
from cdp_assets.demo.model import WORLD_END, batch_instant, end_of_step
from cdp_assets.demo.shop import shop_rows
from cdp_assets.demo.shop_database import put_shops, shop_database_name, sync_shop
from cdp_assets.demo.shop_truth import shop_defects, shop_truth
from cdp_assets.demo.sizes import SIZES, TENANTS, tenant_spec
from cdp_assets.demo.world import (
    World,
    WorldError,
    WorldSummary,
    advance,
    change_log,
    defect_ledger,
    generate,
    leo_documents,
    options_of,
    step_of,
    tenant_at,
    truth_of,
    world_at,
    world_in,
)

__all__ = [
    "DEFECT_KINDS",
    "SECRET_MARKER",
    "SIZES",
    "TENANTS",
    "WORLD_END",
    "World",
    "WorldError",
    "WorldSummary",
    "advance",
    "batch_instant",
    "change_log",
    "defect_ledger",
    "end_of_step",
    "generate",
    "leo_documents",
    "options_of",
    "put_shops",
    "shop_database_name",
    "shop_defects",
    "shop_rows",
    "shop_truth",
    "step_of",
    "sync_shop",
    "tenant_at",
    "tenant_spec",
    "truth_of",
    "world_at",
    "world_in",
]
