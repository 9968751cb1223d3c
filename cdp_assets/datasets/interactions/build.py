"""From purchased lines, events and reviews to dataset A and its files.

Belongs here: the order of the steps. Each step is in the module of its name.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from cdp_assets.datasets.files import parquet
from cdp_assets.datasets.interactions import exports, index, signals, split
from cdp_assets.datasets.interactions.card import card, to_json
from cdp_assets.datasets.interactions.index import Index
from cdp_assets.datasets.interactions.pairs import PAIR, aggregate, pair
from cdp_assets.datasets.model import Built, Scope

NAME = "user_item_interactions"


def build(
    scope: Scope,
    purchases: pl.DataFrame,
    events: pl.DataFrame,
    reviews: pl.DataFrame,
    articles: pl.DataFrame,
    previous: Mapping[str, bytes],
) -> Built:
    """Signals of known customers and articles, summed per pair; a pair without a purchase has zeros and nulls there.

    The table counts what is a sale today. What is trained on counts orders as they were placed: on the day, nobody knew
    which would be cancelled.

    Files: `splits.parquet` (one row per signal, with its part), `train.parquet` (the table's columns from train alone,
    as of the end of train), `matrix.npz` and `matrix_train.npz` of both, ids of customers and articles, RecBole's
    files (all signals, each part, articles), `card.json`.
    """
    lines = signals.linked_lines(scope, purchases)
    told = [signals.of_events(scope, events), signals.of_reviews(scope, reviews)]
    users, items = index.users(previous, lines, *told), index.items(previous, lines, *told)
    lines, *told = (_encoded(frame, users, items) for frame in (lines, *told))
    # rows of a pair together: each step from here on takes half the time of one over rows in any order
    bought = signals.of_sales(lines).with_columns(lines["is_sale"])
    every = pl.concat([bought, *(each.with_columns(pl.lit(True).alias("is_sale")) for each in told)]).sort(
        PAIR
    )
    sold = lines.filter("is_sale")
    parts = split.parted(every, scope.as_of)
    pairs = aggregate(every.filter("is_sale"), sold, scope.as_of)
    end = split.train_end(scope.as_of)
    train = aggregate(every.filter(pl.col("on") <= end), lines.filter(pl.col("on") <= end), end)
    sales = purchases.filter("is_revenue").height
    figures = {**card(pairs, parts), **split.cold(parts)}
    return Built(
        _decoded(pairs, users, items),
        files={
            "splits.parquet": parquet(parts.drop("on")),
            "train.parquet": parquet(_decoded(train, users, items)),
            "matrix.npz": exports.matrix_file(pairs, users, items),
            "matrix_train.npz": exports.matrix_file(train, users, items),
            users.file: users.to_file(),
            items.file: items.to_file(),
            f"{NAME}.inter": exports.inter(parts),
            **{
                f"{NAME}.{part}.inter": exports.inter(parts.filter(pl.col("split") == part))
                for part in split.PARTS
            },
            f"{NAME}.item": exports.item(items, articles),
            "card.json": to_json(figures),
        },
        time_column="last_interaction_date",
        numbers={
            **figures,
            "lines_not_sales": purchases.height - sales,
            "sale_lines_unlinked": sales - sold.height,
            "outlier_customers": pairs.filter("is_outlier")["user"].n_unique(),
        },
    )


def _encoded(frame: pl.DataFrame, users: Index, items: Index) -> pl.DataFrame:
    return items.encoded(users.encoded(frame)).select(pair(), pl.all())


def _decoded(pairs: pl.DataFrame, users: Index, items: Index) -> pl.DataFrame:
    keys = [index.keys.gather(pairs[index.id_name]) for index in (users, items)]
    return pairs.select(*keys, pl.exclude("user", "item", "strength"))
