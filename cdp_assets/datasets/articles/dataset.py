"""Dataset B as the graph knows it: articles, and their sparse vectors."""

from __future__ import annotations

from cdp_assets.datasets.articles import tfidf
from cdp_assets.datasets.articles.build import build
from cdp_assets.datasets.articles.changes import FINGERPRINTS
from cdp_assets.datasets.articles.checks import CHECKS
from cdp_assets.datasets.articles.contract import Articles, ArticlesTfidf
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
)
