"""Dataset B as the graph knows it: articles, their sparse vectors, and the vectors of their images."""

from __future__ import annotations

from cdp_assets.datasets.articles import image_checks, image_vectors, tfidf
from cdp_assets.datasets.articles.build import build
from cdp_assets.datasets.articles.changes import FINGERPRINTS
from cdp_assets.datasets.articles.checks import CHECKS
from cdp_assets.datasets.articles.contract import Articles, ArticlesImageVectors, ArticlesTfidf
from cdp_assets.datasets.articles.pictures import pictures
from cdp_assets.datasets.model import Dataset

ARTICLES = Dataset(
    name="articles_content",
    letter="B",
    description="One row per article: cleaned texts, place in the tree of categories, comparable prices and stock, and "
    "hashes that tell what changed. The version's changes.parquet lists the changes since the day before.",
    contract=Articles,
    reads=("articles", "categories"),
    build=build,
    checks=CHECKS,
    pictures=pictures,
    shows=("article_id", "prod_name", "category_path", "price", "currency", "stock_bucket", "desc_lang"),
    continues=(FINGERPRINTS,),
    # each is a place among the prices or stocks of all
    pooled=("normalized_price", "normalized_stock", "price_pct_in_category", "price_robust_z"),
)

ARTICLES_TFIDF = Dataset(
    name="articles_tfidf",
    letter="B",
    description="One row per article: which row of the version's tfidf.npz is its sparse text vector, and of which "
    "text. tfidf.json holds the vocabulary.",
    contract=ArticlesTfidf,
    reads=("articles_content",),
    build=tfidf.build,
    checks=tfidf.CHECKS,
    shows=("article_id", "tfidf_vector_ref", "n_terms", "norm"),
    pooled=("tfidf_vector_ref",),
)

ARTICLES_IMAGE_VECTORS = Dataset(
    name="articles_image_vectors",
    letter="B",
    description="One row per article with an image, and model: the image's CLIP vector, of length 1. Images lie in the "
    "folder that the tenant's option image_root names, as <article_id or sku>.<png, jpg or webp>; only new ones are "
    "embedded. images_refused.parquet of the version lists those that cannot be read.",
    contract=ArticlesImageVectors,
    reads=("articles_content",),
    build=image_vectors.build,
    checks=image_checks.CHECKS,
    shows=("article_id", "model_id", "dim", "vector_norm"),
    continues=(image_vectors.TABLE,),
    reads_files=image_vectors.reads_files,
)
