"""Dataset C: what is known of each customer: purchases, visits, tastes, RFM, and the value still to come."""

from cdp_assets.datasets.customers.dataset import CUSTOMER_FEATURES

DATASETS = (CUSTOMER_FEATURES,)
