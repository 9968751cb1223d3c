"""Sparse vectors of articles: words with their accents, and pieces of words without.

Belongs here: the vocabulary, the weights and their files. Pieces of three to five letters of the bare text find what
was typed without accents or with a slip; scikit-learn's own folding would leave the đ.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array, hstack

from cdp_assets.datasets.files import npz
from cdp_assets.datasets.model import Audit, Built, Scope
from cdp_assets.datasets.reviews.normalise import folded
from cdp_assets.quality import SAMPLE_ROWS, Check, Measure, Severity

MATRIX, VOCABULARY = "tfidf.npz", "tfidf.json"

MIN_COVERAGE = 0.995
MIN_ARTICLES = 20
"""Articles below which a vector may be missing: a term must be in two of them, and in a handful few are."""

_STOP_WORDS = """
    the a an and or of to in on for with from by is are be it this that
    và của là có cho với từ trong các những một được này khi thì ở tại
"""
"""Of both languages."""


def build(scope: Scope, articles_content: pl.DataFrame) -> Built:
    """One row per article; row `tfidf_vector_ref` of `tfidf.npz` (CSR, float32) is its vector.

    Words: 1 and 2 in a row. Pieces: 3 to 5 letters within a word. tf is 1 + ln(tf), a term is in two articles or more
    and in 80 % of them at most; vectors have length 1. `tfidf.json` lists article ids and, in the order of the columns,
    terms with their idf.
    """
    articles = articles_content.sort("article_id").with_columns(
        pl.concat_str(
            pl.col("prod_name", "product_group_name", "brand", "detail_desc"),
            separator=" ",
            ignore_nulls=True,
        )
        .str.to_lowercase()
        .alias("text")
    )
    words, word_idf = _weights(articles["text"], ngram_range=(1, 2), stop_words=_STOP_WORDS.split())
    bare = articles.select(folded(pl.col("text"))).to_series()
    pieces, piece_idf = _weights(bare, analyzer="char_wb", ngram_range=(3, 5))
    matrix = _of_length_one(csr_array(hstack([words, pieces], format="csr")))
    table = articles.select(
        "article_id",
        pl.int_range(pl.len(), dtype=pl.Int64).alias("tfidf_vector_ref"),
        pl.Series("n_terms", np.diff(matrix.indptr), dtype=pl.Int64),
        pl.Series("norm", _lengths(matrix), dtype=pl.Float64).round(4),
        "content_hash",
    )
    listed = {"articles": articles["article_id"].to_list(), "words": word_idf, "pieces": piece_idf}
    return Built(
        table,
        files={MATRIX: npz(matrix), VOCABULARY: json.dumps(listed, ensure_ascii=False).encode()},
        numbers={"words": len(word_idf), "pieces": len(piece_idf)},
    )


def _weights(texts: pl.Series, **options: Any) -> tuple[csr_array, dict[str, float]]:
    """Weights and term -> idf in the order of the columns; no columns where no term is in two articles."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        lowercase=False, sublinear_tf=True, min_df=2, max_df=0.8, norm=None, **options
    )
    try:
        weights = csr_array(vectorizer.fit_transform(texts.to_list()))
    except ValueError:  # scikit-learn's word for an empty vocabulary
        return csr_array((texts.len(), 0), dtype=np.float64), {}
    return weights, dict(
        zip(vectorizer.get_feature_names_out(), vectorizer.idf_.round(6).tolist(), strict=True)
    )


def _lengths(matrix: csr_array) -> np.ndarray:
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), dtype=np.float64).ravel())


def _of_length_one(matrix: csr_array) -> csr_array:
    """Rows divided by their length; empty ones stay. float32: half the bytes, and no ranking changes."""
    lengths = _lengths(matrix)
    scaled = csr_array(matrix.multiply((1 / np.where(lengths > 0, lengths, 1))[:, None])).astype(np.float32)
    scaled.sort_indices()
    return scaled


def vectors_are_sound(audit: Audit) -> Measure:
    """Articles with a vector whose length is not 1, and whether enough have one at all."""
    wrong = audit.table.filter((pl.col("n_terms") > 0) & ((pl.col("norm") - 1).abs() > 1e-3))
    empty = audit.table.filter(pl.col("n_terms") == 0)
    share = 1 - empty.height / max(audit.table.height, 1)
    is_short = share < MIN_COVERAGE and audit.table.height >= MIN_ARTICLES
    failing = wrong.height + (empty.height if is_short else 0)
    return Measure(
        failing,
        f"{share:.1%} of the articles have a vector ({MIN_COVERAGE:.1%} are asked for), "
        f"{wrong.height} are not of length 1",
        {"coverage": share, "min_coverage": MIN_COVERAGE, "wrong_length": wrong.height},
        ("article_id", "norm"),
        pl.concat([wrong, empty]).select("article_id", "norm").head(SAMPLE_ROWS).rows() if failing else (),
        # an article without words is the catalogue's fault, a length the build's
        Severity.ERROR if wrong.height else Severity.WARN,
    )


CHECKS: tuple[Check[Audit], ...] = (
    Check(
        "vectors_are_sound",
        "Length of each vector against 1, which fails, and, from 20 articles on, those with a vector against 99.5 %, "
        "which warns.",
        "look at the articles in the sample: one without a name and a description, or with words that no other has",
        vectors_are_sound,
    ),
)
