"""Dataset B, sparse vectors: accents and their absence both find an article, and the files say all of it."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array, load_npz

from cdp_assets.datasets.articles import ARTICLES_TFIDF
from cdp_assets.datasets.articles.tfidf import MATRIX, VOCABULARY
from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.model import Audit, Built
from cdp_assets.quality import Measure, Severity
from tests.test_dataset_articles import scope

NAMES = {
    "a": "Áo khoác đỏ", "b": "Áo khoác xanh", "c": "Ao khoac do", "d": "Nồi chiên không dầu", "e": "Nồi chiên hơi nước",
}  # fmt: skip


def build(names: dict[str, str]) -> Built:
    """Vectors of articles that have a name alone."""
    schema = dict(FRAMES["articles_content"].schema)
    rows = [
        {**dict.fromkeys(schema), "article_id": key, "prod_name": name, "content_hash": f"{len(name):064x}"}
        for key, name in names.items()
    ]
    return ARTICLES_TFIDF.build(scope(), articles_content=pl.DataFrame(rows, schema=schema))


def matrix_of(version: Built) -> csr_array:
    """The matrix as a reader opens it."""
    return csr_array(load_npz(BytesIO(version.files[MATRIX])))


def test_vectors_have_length_one_and_one_row_per_article() -> None:
    version = build(NAMES)
    table = ARTICLES_TFIDF.contract.validate(version.table)
    matrix = matrix_of(version)
    assert table["tfidf_vector_ref"].to_list() == [0, 1, 2, 3, 4]
    assert np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel() == pytest.approx(np.ones(5), abs=1e-5)
    assert table["n_terms"].to_list() == np.diff(matrix.indptr).tolist()


def test_a_name_without_accents_is_nearest_to_the_same_with_them() -> None:
    matrix = matrix_of(build(NAMES))
    near = (matrix @ matrix.T).toarray()[2]
    near[2] = 0
    assert near.argmax() == 0
    assert near[0] > 0.5 > near[3]


def test_the_vocabulary_keeps_accents_in_words_and_folds_pieces_with_the_d() -> None:
    version = build(NAMES)
    listed = json.loads(version.files[VOCABULARY])
    assert listed["articles"] == sorted(NAMES)
    assert "khoác" in listed["words"]
    assert " do " in listed["pieces"]
    assert matrix_of(version).shape == (5, len(listed["words"]) + len(listed["pieces"]))


def test_the_same_articles_in_any_order_give_the_same_bytes() -> None:
    assert build(NAMES).files == build(dict(reversed(NAMES.items()))).files


@pytest.mark.parametrize("names", [{}, {"a": "Áo"}, {"a": "Áo", "b": "Nồi"}])
def test_a_catalogue_too_small_for_a_vocabulary_has_empty_vectors(names: dict[str, str]) -> None:
    version = build(names)
    assert ARTICLES_TFIDF.contract.validate(version.table)["n_terms"].sum() == 0
    assert matrix_of(version).shape == (len(names), 0)


def test_articles_without_a_vector_and_vectors_of_another_length_are_found() -> None:
    version = build({f"{key}{copy}": name for key, name in NAMES.items() for copy in range(4)})

    def measured(table: pl.DataFrame) -> Measure:
        looked = Audit(scope(), table, table.head(0), {}, version, (), lambda: None)
        return ARTICLES_TFIDF.checks[0].measure(looked)

    def failing(table: pl.DataFrame) -> int:
        return measured(table).failing

    first = pl.col("article_id") == version.table["article_id"][0]
    wordless = version.table.with_columns(pl.when(first).then(0).otherwise("n_terms").alias("n_terms"))
    stretched = version.table.with_columns(pl.when(first).then(0.5).otherwise("norm").alias("norm"))
    assert (measured(wordless).failing, measured(wordless).severity) == (1, Severity.WARN)
    assert (measured(stretched).failing, measured(stretched).severity) == (1, Severity.ERROR)
    assert failing(version.table) == 0
    assert failing(version.table.with_columns(pl.lit(0, pl.Int64).alias("n_terms"))) == 20
    assert failing(version.table.with_columns(pl.lit(0.5).alias("norm"))) == 20
    # of a handful, few terms are in two
    assert failing(version.table.head(19).with_columns(pl.lit(0, pl.Int64).alias("n_terms"))) == 0
    assert failing(version.table.head(19).with_columns(pl.lit(0.5).alias("norm"))) == 19
