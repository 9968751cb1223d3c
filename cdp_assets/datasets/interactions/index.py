"""Integer ids of customers and articles, the same in every version: a trained factor stays whose it was.

Belongs here: giving ids, and reading and writing the files with them. An id once given stays, also when its customer
has gone: the new ones are appended in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import polars as pl

from cdp_assets.datasets.files import parquet

ID = pl.UInt32


@dataclass(frozen=True)
class Index:
    """Keys in the order of their ids, from 0.

    Attributes:
        file: its name in a version.
        id_name, key_name: columns of the file.
    """

    file: str
    id_name: str
    key_name: str
    keys: pl.Series

    def __len__(self) -> int:
        return self.keys.len()

    def encoded(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with ids in the place of keys.

        Raises:
            polars.exceptions.InvalidOperationError: a key has no id.
        """
        ids = pl.col(self.key_name).cast(pl.Enum(self.keys)).to_physical().cast(ID).alias(self.id_name)
        return frame.select(ids, pl.exclude(self.key_name))

    def table(self) -> pl.DataFrame:
        """One row per id."""
        ids = pl.int_range(len(self), dtype=ID, eager=True).alias(self.id_name)
        return pl.DataFrame([ids, self.keys])

    def to_file(self) -> bytes:
        """As it lies in a version."""
        return parquet(self.table())


def users(previous: Mapping[str, bytes], *frames: pl.DataFrame) -> Index:
    """Ids of all customers of the frames, those of the version before kept."""
    return _extended("user_index.parquet", "user", "customer_id", previous, frames)


def items(previous: Mapping[str, bytes], *frames: pl.DataFrame) -> Index:
    """Ids of all articles of the frames, those of the version before kept."""
    return _extended("item_index.parquet", "item", "article_id", previous, frames)


FILES = ("user_index.parquet", "item_index.parquet")


def _extended(
    file: str, id_name: str, key_name: str, previous: Mapping[str, bytes], frames: tuple[pl.DataFrame, ...]
) -> Index:
    kept = pl.Series(key_name, [], pl.String)
    if file in previous:
        kept = pl.read_parquet(BytesIO(previous[file])).sort(id_name)[key_name]
    found = pl.concat([frame[key_name].unique() for frame in frames]).unique()
    new = found.filter(~found.is_in(kept.implode())).sort()
    return Index(file, id_name, key_name, kept.append(new))
