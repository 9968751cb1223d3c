"""Dataset E: what people write of their purchases, in their own language, and what it adds up to per article."""

from cdp_assets.datasets.reviews.dataset import REVIEW_PRODUCTS, REVIEWS

DATASETS = (REVIEWS, REVIEW_PRODUCTS)
