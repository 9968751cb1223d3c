"""All contracts by collection, in the order in which they are landed."""

from __future__ import annotations

from cdp_assets.landing import conversion, event, feedback, product, profile, segment
from cdp_assets.landing.contract import Contract

CONTRACTS: dict[str, Contract] = {
    module.CONTRACT.collection: module.CONTRACT
    for module in (segment, profile, product, event, conversion, feedback)
}
