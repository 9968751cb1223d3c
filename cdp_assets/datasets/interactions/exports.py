"""Dataset A in the formats of others: RecBole's atomic files, and a sparse matrix for scipy, implicit and the like.

Belongs here: layouts of files. All of them speak of customers and articles by the integer ids of `index`.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cdp_assets.datasets.files import npz
from cdp_assets.datasets.interactions.index import Index

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ITEM_FIELDS = {"article_id": "token", "product_category": "token", "brand": "token"}


def inter(signals: pl.DataFrame) -> bytes:
    """RecBole's `.inter`: user_id, item_id, rating (strength of the signal), timestamp (seconds since 1970), signal.

    Only signals that speak for the article: RecBole takes every row for a yes.
    """
    return _atomic(
        signals.filter(pl.col("strength") > 0).select(
            pl.col("user").alias("user_id:token"),
            pl.col("item").alias("item_id:token"),
            pl.col("strength").alias("rating:float"),
            pl.col("at").dt.epoch("s").alias("timestamp:float"),
            pl.col("signal").alias("signal:token"),
        )
    )


def item(items: Index, articles: pl.DataFrame) -> bytes:
    """RecBole's `.item`: item_id, and what the catalogue says of the article."""
    known = items.table().join(articles, on="article_id", how="left", maintain_order="left")
    return _atomic(
        known.select(
            pl.col("item").alias("item_id:token"),
            *(
                # a field ends at a tab, a row at a line end
                pl.col(name).str.replace_all(r"\s+", " ").alias(f"{name}:{type_}")
                for name, type_ in ITEM_FIELDS.items()
            ),
        )
    )


def _atomic(table: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    table.write_csv(buffer, separator="\t", quote_style="never", null_value="")
    return buffer.getvalue()


def matrix(pairs: pl.DataFrame, users: Index, items: Index) -> csr_array:
    """Confidences as (users, items), float32; an entry for each pair whose signals speak for the article.

    What alternating least squares takes: it prefers 1 where there is an entry and 0 elsewhere, with confidence 1 there.
    Undecayed strength decides, so that a purchase of long ago stays an entry.

    Args:
        pairs: user, item, strength, confidence, sorted by (user, item).
        users: ids of the rows.
        items: ids of the columns.
    """
    from scipy.sparse import csr_array

    entries = pairs.select("user", "item", "strength", "confidence").filter(pl.col("strength") > 0)
    counts = np.bincount(entries["user"].to_numpy(), minlength=len(users))
    found = csr_array(
        (
            entries["confidence"].to_numpy().astype(np.float32),
            entries["item"].to_numpy().astype(np.int32),
            np.concatenate([[0], counts.cumsum()]),
        ),
        shape=(len(users), len(items)),
    )
    found.indptr = found.indptr.astype(np.int32 if entries.height < 2**31 else np.int64)
    return found


def matrix_file(pairs: pl.DataFrame, users: Index, items: Index) -> bytes:
    """The matrix as a file."""
    return npz(matrix(pairs, users, items))
