"""What changed in the catalogue since the last version of an earlier day.

Belongs here: fingerprints of articles and their comparison. A version carries its own fingerprints and those that it
was compared with, so that making it again on the same day finds the same changes.
"""

from __future__ import annotations

from datetime import date
from hashlib import sha256

import polars as pl

FINGERPRINTS = "fingerprints.parquet"
CHANGES = "changes.parquet"

KINDS = ("added", "attr_changed", "price_changed", "removed", "restocked", "text_changed")

_SEPARATOR = "\x1f"
_HASHES = {"text_changed": "content_hash", "attr_changed": "attr_hash", "price_changed": "price_hash"}


def hashed(table: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    """SHA-256 of some columns of each row as text; null is not the empty text."""
    joined = table.select(
        pl.concat_str(
            [pl.col(name).cast(pl.String).fill_null("\x00") for name in columns], separator=_SEPARATOR
        )
    ).to_series()
    return pl.Series([sha256(text.encode()).hexdigest() for text in joined], dtype=pl.String)


def fingerprints(as_of: date, table: pl.DataFrame) -> pl.DataFrame:
    """article_id, hashes and whether there is stock, of one day."""
    return table.select(
        pl.lit(as_of).alias("as_of"), "article_id", *_HASHES.values(), (pl.col("stock") > 0).alias("in_stock")
    ).sort("article_id")


def base_of(as_of: date, known: pl.DataFrame | None) -> pl.DataFrame | None:
    """Fingerprints of the newest day before `as_of` among those that the published version carries."""
    if known is None:
        return None
    earlier = known.filter(pl.col("as_of") < as_of)
    return earlier.filter(pl.col("as_of") == pl.col("as_of").max()) if earlier.height else None


def changes(now: pl.DataFrame, base: pl.DataFrame | None) -> pl.DataFrame:
    """One row per article and kind of change: article_id, change. Without a base everything is added.

    restocked: pieces in stock where there were none. An article may change in several ways; what is added or removed is
    that alone.
    """
    if base is None:
        return now.select("article_id", pl.lit("added").alias("change"))
    both = now.join(base, on="article_id", suffix="_before")
    found = [
        now.join(base, on="article_id", how="anti").select("article_id", pl.lit("added").alias("change")),
        base.join(now, on="article_id", how="anti").select("article_id", pl.lit("removed").alias("change")),
        both.filter(pl.col("in_stock") & ~pl.col("in_stock_before")).select(
            "article_id", pl.lit("restocked").alias("change")
        ),
        *(
            both.filter(pl.col(name) != pl.col(f"{name}_before")).select(
                "article_id", pl.lit(kind).alias("change")
            )
            for kind, name in _HASHES.items()
        ),
    ]
    return pl.concat(found).sort("article_id", "change")
