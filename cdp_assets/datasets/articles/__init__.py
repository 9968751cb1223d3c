"""Dataset B: what is sold, cleaned and comparable, and what changed since the day before."""

from cdp_assets.datasets.articles.dataset import ARTICLES, ARTICLES_IMAGE_VECTORS, ARTICLES_TFIDF

DATASETS = (ARTICLES, ARTICLES_TFIDF, ARTICLES_IMAGE_VECTORS)
