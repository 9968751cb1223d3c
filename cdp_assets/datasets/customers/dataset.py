"""Dataset C as the graph knows it.

Of the seed's columns are left out: `club_member_status` and `fashion_news_frequency`, since neither source knows a club
or a newsletter; `category_distribution_ref`, since `top_categories` is the distribution itself. Gender is left out on
purpose: LEO's codes tell of sexual orientation. Age, country and language are those known when the version was built,
since the sources keep no history of them: of an earlier day they are told by the version of that day.
"""

from __future__ import annotations

from cdp_assets.datasets.customers.build import build
from cdp_assets.datasets.customers.checks import CHECKS
from cdp_assets.datasets.customers.contract import CustomerFeatures
from cdp_assets.datasets.customers.pictures import pictures
from cdp_assets.datasets.model import Dataset

CUSTOMER_FEATURES = Dataset(
    name="customer_features",
    letter="C",
    description=(
        "One row per customer, with or without a purchase: what they bought, when and how often, what they looked at, "
        "what they like, RFM scores with a named segment, and what is still to be expected of them (BG/NBD and "
        "Gamma-Gamma). Nothing after as_of moves a value. Beside it training.parquet: the same of 60 days before as "
        "it could be known then, with who has not come back since."
    ),
    contract=CustomerFeatures,
    reads=("purchases", "customers", "articles", "events", "reviews", "promotions"),
    build=build,
    checks=CHECKS,
    pictures=pictures,
    # views of 20 that nobody had weigh more than the handful that most customers have, and what all spend more than
    # the one or two purchases that are known of most; a score is a rank, and one order more or less moves all who tie
    pooled=(
        "conversion_rate_smoothed",
        "cart_abandon_rate_smoothed",
        "expected_spend",
        "p_alive",
        "expected_purchases_30",
        "expected_purchases_90",
        "expected_purchases_180",
        "clv_180",
        "lifetime_value_estimate",
        "r_score",
        "f_score",
        "m_score",
        "rfm_score",
        "price_level",
    ),
    shows=(
        "customer_id",
        "rfm_segment",
        "rfm_cell",
        "recency_days",
        "total_orders",
        "total_amount_spent",
        "p_alive",
        "clv_180",
    ),
)
