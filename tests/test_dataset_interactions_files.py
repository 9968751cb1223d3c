"""Dataset A: the files of a version as the tools that they are for read them."""

from __future__ import annotations

import json
import time
from io import BytesIO
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_array, load_npz

from cdp_assets.datasets.files import npz
from cdp_assets.datasets.interactions.card import core, gini, top_share
from tests.interactions_support import build, event, frames, line, noon, review, row, table_of

KINDS = {"token", "token_seq", "float", "float_seq"}
INPUTS = frames(
    [line("b", "x", noon(30)), line("a", "y", noon(9), "-5"), line("a", "x", noon(3))],
    [
        event("a", "y", "view", noon(10)),
        event("a", "y", "remove_from_cart", noon(2)),
        event("c", "z", "cart", noon(1)),
    ],
    [review("b", "x", 2.0, noon(20)), review("b", "x", 4.5, noon(10))],
    [
        {"article_id": "x", "product_category": "Áo\tkhoác\n nam", "brand": None},
        {"article_id": "q", "brand": "none"},
    ],
)


def atomic(content: bytes) -> list[dict[str, str]]:
    """Rows of an atomic file as RecBole reads them: a header of name:type, tabs, no quotes."""
    header, *lines = content.decode().splitlines()
    fields = [field.split(":") for field in header.split("\t")]
    assert all(len(field) == 2 and field[1] in KINDS for field in fields)
    rows = [dict(zip([name for name, _ in fields], text.split("\t"), strict=True)) for text in lines]
    for each, (name, kind) in product(rows, fields):
        if kind == "float":
            float(each[name])
    return rows


def test_recbole_reads_every_signal_that_speaks_for_an_article() -> None:
    built = build(INPUTS)
    rows = atomic(built.files["user_item_interactions.inter"])
    users, items = (table_of(built, file) for file in ("user_index.parquet", "item_index.parquet"))
    names = (
        {str(number): key for number, key in [*users.rows()]},
        {str(number): key for number, key in items.rows()},
    )
    told = [
        (names[0][each["user_id"]], names[1][each["item_id"]], each["signal"], float(each["rating"]))
        for each in rows
    ]
    assert sorted(told) == [
        ("a", "x", "purchase", 6.0), ("a", "y", "view", 1.0), ("b", "x", "purchase", 6.0), ("b", "x", "rating", 1.5),
        ("c", "z", "cart", 4.0),
    ]  # fmt: skip
    assert float(rows[-1]["timestamp"]) == noon(1).timestamp()


def test_the_parts_for_recbole_are_its_signals_apart() -> None:
    files = build(INPUTS).files
    parts = [atomic(files[f"user_item_interactions.{part}.inter"]) for part in ("train", "val", "test")]
    assert [len(part) for part in parts] == [1, 2, 2]
    every = atomic(files["user_item_interactions.inter"])
    assert sorted(str(each) for part in parts for each in part) == sorted(map(str, every))


def test_recbole_reads_the_articles_without_their_line_ends() -> None:
    rows = atomic(build(INPUTS).files["user_item_interactions.item"])
    assert rows == [
        {"item_id": "0", "article_id": "x", "product_category": "Áo khoác nam", "brand": ""},
        {"item_id": "1", "article_id": "y", "product_category": "", "brand": ""},
        {"item_id": "2", "article_id": "z", "product_category": "", "brand": ""},
    ]


def test_the_matrix_holds_the_confidence_of_pairs_that_speak_for_the_article() -> None:
    built = build(INPUTS)
    matrix = load_npz(BytesIO(built.files["matrix.npz"])).toarray()
    expected = np.zeros((3, 3), np.float32)
    for user, item in ((0, 0), (1, 0), (2, 2)):
        expected[user, item] = row(built, "abc"[user], "xyz"[item])["confidence"]
    np.testing.assert_array_equal(matrix, expected)


def test_a_purchase_of_years_ago_stays_an_entry() -> None:
    built = build(frames([line("a", "x", noon(3_000))]))
    assert load_npz(BytesIO(built.files["matrix.npz"])).toarray().tolist() == [[1.0]]


def test_an_id_once_given_stays_when_others_come_and_its_owner_goes() -> None:
    first = build(frames([line("m", "x", noon(3)), line("t", "y", noon(3))]))
    second = build(frames([line("t", "a", noon(3)), line("b", "y", noon(3))]), previous=first.files)
    assert table_of(second, "user_index.parquet").rows() == [(0, "m"), (1, "t"), (2, "b")]
    assert table_of(second, "item_index.parquet").rows() == [(0, "x"), (1, "y"), (2, "a")]
    assert load_npz(BytesIO(second.files["matrix.npz"])).shape == (3, 3)
    assert second.table.height == 2, "who has gone has an id and no row"


KEYS = st.lists(st.text("abcdé", min_size=1, max_size=3), unique=True, max_size=6)


@settings(max_examples=20)
@given(st.lists(KEYS, min_size=1, max_size=4))
def test_ids_are_the_same_in_every_version_and_without_gaps(versions: list[list[str]]) -> None:
    known: dict[str, int] = {}
    files: dict[str, bytes] = {}
    for keys in versions:
        built = build(frames([line(key, "x", noon(1)) for key in keys]), previous=files)
        ids = {key: number for number, key in table_of(built, "user_index.parquet").rows()}
        assert sorted(ids.values()) == list(range(len(ids)))
        assert known.items() <= ids.items()
        assert set(ids) == set(known) | set(keys)
        known, files = ids, dict(built.files)


def test_building_on_its_own_ids_gives_the_same_bytes_at_another_time() -> None:
    first = build(INPUTS)
    time.sleep(2.1)  # a zip file tells time in steps of two seconds
    assert build(INPUTS, previous=first.files).files == first.files


@settings(max_examples=20)
@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.sampled_from([0, 1, 2])
    )
)
def test_scipy_reads_what_npz_writes(dense: np.ndarray) -> None:
    read = load_npz(BytesIO(npz(csr_array(dense))))
    assert isinstance(read, csr_array)
    np.testing.assert_array_equal(read.toarray(), dense)
    assert read.dtype == np.float32


def test_the_card_tells_size_sparsity_and_the_long_tail() -> None:
    lines = [line(f"p{i}", "hit", noon(40 + i)) for i in range(8)]
    lines += [line("p0", "rare", noon(50)), line("p0", "hit", noon(20))]
    card = json.loads(build(frames(lines)).files["card.json"])
    assert (card["n_users"], card["n_items"], card["n_pairs"], card["n_signals"]) == (8, 2, 9, 10)
    assert card["density"] == pytest.approx(9 / 16)
    assert card["item_share_top_1"] == pytest.approx(0.9), "one article at least"
    assert card["item_gini"] == pytest.approx(0.4), "9 and 1: half of (9 - 1) / (9 + 1)"
    assert card["repeat_purchase_share"] == pytest.approx(1 / 9)
    assert card["median_history"] == 1.0
    assert card["core_5_pairs"] == 0


@pytest.mark.parametrize(
    ("counts", "expected"), [([1, 1, 1, 1], 0.0), ([4, 0, 0, 0], 0.75), ([3, 1], 0.25), ([], 0.0), ([0], 0.0)]
)
def test_gini_of_small_cases(counts: list[int], expected: float) -> None:
    assert gini(np.array(counts)) == pytest.approx(expected)


def test_the_share_of_the_top_counts_one_article_at_least() -> None:
    assert top_share(np.array([5, 3, 2]), 0.01) == 0.5
    assert top_share(np.array([5, 3, 2]), 0.67) == 0.8
    assert top_share(np.array([]), 0.2) == 0.0


def test_the_core_drops_those_who_are_left_with_too_few() -> None:
    # a ring of three, and a chain that unravels from its end
    users = np.array([0, 0, 1, 1, 2, 2, 2, 3, 3])
    items = np.array([0, 1, 1, 2, 2, 0, 3, 3, 4])
    assert core(users, items, 2) == {"core_2_users": 3, "core_2_items": 3, "core_2_pairs": 6}
    assert core(users, items, 3) == {"core_3_users": 0, "core_3_items": 0, "core_3_pairs": 0}


def test_files_hold_no_key_but_those_of_customers_and_articles() -> None:
    built = build(INPUTS)
    assert table_of(built, "splits.parquet").columns == [
        "user", "item", "signal", "at", "strength", "split", "leave_last_out",
    ]  # fmt: skip
    assert pl.read_parquet(BytesIO(built.files["train.parquet"])).columns == built.table.columns
