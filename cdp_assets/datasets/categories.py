"""The tree of categories from its adjacency list: depth, path and root of any depth, and what is wrong with it.

Belongs here: walking the tree from its roots, a level at a time. Whatever a walk never reaches lies in a cycle or
below one.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

SEPARATOR = " > "

_SCHEMA = {
    "category_id": pl.Int64, "category_name": pl.String, "parent_category_id": pl.Int64, "root_category_id": pl.Int64,
    "category_depth": pl.Int64, "category_path": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Tree:
    """Categories with their place, and those that have none.

    Attributes:
        rows: category_id, category_name, parent_category_id, root_category_id, category_depth (0 for a root),
            category_path (names from the root down); depth, root and path are null in a cycle.
        roots: ids without a parent.
        orphans: ids whose parent does not exist; they are taken for roots.
        cyclic: ids in a cycle or below one.
    """

    rows: pl.DataFrame
    roots: tuple[int, ...]
    orphans: tuple[int, ...]
    cyclic: tuple[int, ...]


def tree(categories: pl.DataFrame) -> Tree:
    """The tree of categories (category_id, category_name, parent_id); takes as many joins as it has levels."""
    nodes = (
        categories.unique("category_id", keep="first", maintain_order=True)
        .sort("category_id")
        .rename({"parent_id": "parent_category_id"})
    )
    parent = pl.col("parent_category_id")
    is_root = parent.is_null()
    is_orphan = ~is_root & ~parent.is_in(nodes["category_id"].implode())
    name = pl.col("category_name").fill_null("")
    level = nodes.filter(is_root | is_orphan).with_columns(
        pl.col("category_id").alias("root_category_id"),
        pl.lit(0, pl.Int64).alias("category_depth"),
        name.alias("category_path"),
    )
    levels = [level.select(*_SCHEMA)]
    while levels[-1].height:
        above = levels[-1].select(
            pl.col("category_id").alias("parent_category_id"),
            "root_category_id",
            "category_depth",
            "category_path",
        )
        below = nodes.join(above, on="parent_category_id").with_columns(
            pl.col("category_depth") + 1,
            pl.concat_str("category_path", pl.lit(SEPARATOR), name).alias("category_path"),
        )
        levels.append(below.select(*_SCHEMA))
    reached = pl.concat(levels)
    cyclic = nodes.join(reached, on="category_id", how="anti")
    lost = cyclic.with_columns(
        pl.lit(None, pl.Int64).alias("root_category_id"),
        pl.lit(None, pl.Int64).alias("category_depth"),
        pl.lit(None, pl.String).alias("category_path"),
    )
    return Tree(
        pl.concat([reached, lost.select(*_SCHEMA)]).sort("category_id"),
        tuple(nodes.filter(is_root)["category_id"]),
        tuple(nodes.filter(is_orphan)["category_id"]),
        tuple(cyclic["category_id"]),
    )
