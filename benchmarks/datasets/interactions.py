"""Dataset A with pandas: the same logic as a data scientist would write it, for the benchmark only.

Belongs here: the table, the train table, the split, and all files: matrices, RecBole's, ids, card. Left out here: ids
of the version before (there is none in the benchmark), and sums that are the same in any order of the rows. Left out on
both sides: contract and checks.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, save_npz

from cdp_assets.datasets.interactions.signals import SIGNAL_OF_EVENT, STRENGTHS
from cdp_assets.datasets.model import Scope
from cdp_assets.vocabulary.event_types import event_type

KEY = ["customer_id", "article_id"]


def pandas_way(
    frames: dict[str, pd.DataFrame], scope: Scope
) -> dict[str, pd.DataFrame | bytes | dict[str, float]]:
    """The table, the card, and the content of the files."""
    lines = _sale_lines(frames["purchases"], scope)
    signals = _signals(lines, frames["events"], frames["reviews"], scope)
    as_of = pd.Timestamp(scope.as_of)
    end = as_of - pd.Timedelta(days=14)
    table = _table(signals, lines, as_of)
    train = _table(signals[signals["on"] <= end], lines[lines["on"] <= end], end)
    users, items = (pd.Index(signals[name].unique()).sort_values() for name in KEY)
    parts = _parts(signals, as_of)
    return {
        "user_item_interactions": table,
        "card": _card(table, parts),
        "user_index.parquet": _parquet(users.to_frame(name="customer_id")),
        "item_index.parquet": _parquet(items.to_frame(name="article_id")),
        "item": _item(items, frames["articles"]),
        "splits.parquet": _parquet(parts),
        "train.parquet": _parquet(train),
        "matrix": _matrix(table, users, items),
        "matrix_train": _matrix(train, users, items),
        "inter": _inter(parts),
        **{f"{name}.inter": _inter(parts[parts["split"] == name]) for name in ("train", "val", "test")},
    }


def _known(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[
        (frame["customer_id"] != "unknown") & (frame["article_id"] != "unknown") & frame["article_id"].notna()
    ]


def _sale_lines(purchases: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    lines = _known(purchases[purchases["is_revenue"]]).copy()
    lines["on"] = pd.to_datetime(lines["purchased_on"])
    lines["line_total"] = lines["line_total"].astype(float)
    lines["is_return"] = (lines["quantity"] < 0) | (lines["line_total"] < 0)
    lines["is_main"] = lines["currency"] == scope.currency
    return lines.sort_values(["purchased_at", "purchase_key"])


def _signals(lines: pd.DataFrame, events: pd.DataFrame, reviews: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    bought = lines[[*KEY, "on"]].assign(
        at=lines["purchased_at"], signal=np.where(lines["is_return"], "return", "purchase")
    )
    seen = _known(events)
    signals = {name: SIGNAL_OF_EVENT.get(event_type(name)) for name in seen["event_type"].unique()}
    kind = seen["event_type"].map(signals)
    seen = (
        seen[KEY]
        .assign(on=pd.to_datetime(seen["event_on"]), at=seen["event_at"], signal=kind)
        .dropna(subset="signal")
    )
    rated = _known(reviews).dropna(subset="rating")
    rated = rated[[*KEY, "rating"]].assign(
        on=rated["created_at"].dt.tz_convert(scope.timezone).dt.tz_localize(None).dt.normalize(),
        at=rated["created_at"],
        signal="rating",
    )
    every = pd.concat([bought, seen, rated], ignore_index=True)
    every["strength"] = every["signal"].map(STRENGTHS) + (every["rating"] - 3).fillna(0)
    return every


def _table(signals: pd.DataFrame, lines: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    age = (as_of - signals["on"]).dt.days
    table = (
        signals.assign(
            implicit_weight=signals["strength"] * 0.95**age,
            **{
                f"n_{name}": signals["signal"] == name
                for name in ("view", "click", "wishlist", "cart", "remove")
            },
        )
        .groupby(KEY)
        .agg(
            n_view=("n_view", "sum"),
            n_click=("n_click", "sum"),
            n_wishlist=("n_wishlist", "sum"),
            n_cart=("n_cart", "sum"),
            n_remove=("n_remove", "sum"),
            strength=("strength", "sum"),
            implicit_weight=("implicit_weight", "sum"),
            last_interaction_date=("on", "max"),
        )
    )
    bought = lines[~lines["is_return"]]
    bought = (
        bought.assign(
            paid=bought["line_total"].where(bought["is_main"], 0),
            other=~bought["is_main"],
            decayed=np.exp(-(as_of - bought["on"]).dt.days / 30),
        )
        .groupby(KEY)
        .agg(
            purchase_count=("on", "size"),
            other_currency_count=("other", "sum"),
            paid=("paid", "sum"),
            first_purchase_date=("on", "min"),
            last_purchase_date=("on", "max"),
            decayed_purchase_score=("decayed", "sum"),
            last_sales_channel=("channel", "last"),
        )
    )
    returned = lines[lines["is_return"]]
    returned = (
        returned.assign(refunded=returned["line_total"].where(returned["is_main"], 0))
        .groupby(KEY)
        .agg(return_count=("on", "size"), refunded=("refunded", "sum"))
    )
    rating = (
        signals[signals["signal"] == "rating"].sort_values(["at", "rating"]).groupby(KEY)["rating"].last()
    )
    table = table.join([bought, returned, rating]).reset_index()
    zero = [
        "purchase_count",
        "return_count",
        "other_currency_count",
        "paid",
        "refunded",
        "decayed_purchase_score",
    ]
    table[zero] = table[zero].fillna(0)
    table["total_spent"] = table["paid"] + table["refunded"]
    table["avg_price_paid"] = table["paid"] / (
        table["purchase_count"] - table["other_currency_count"]
    ).replace(0, np.nan)
    table["recency_days"] = (as_of - table["last_purchase_date"]).dt.days
    recency = table["recency_days"].fillna(0)
    table["time_weighted_score"] = table["purchase_count"] * np.exp(-recency / 30)
    table["hyperbolic_score"] = table["purchase_count"] / (1 + 0.1 * recency)
    table["confidence"] = 1 + 40 * np.log1p(table["implicit_weight"].clip(lower=0))
    table["is_outlier"] = table["customer_id"].isin(_outliers(signals))
    return table.drop(columns=["paid", "refunded"])


def _outliers(signals: pd.DataFrame) -> set[str]:
    found: set[str] = set()
    for chosen in (signals["signal"] == "purchase", signals["signal"] != "purchase"):
        most = signals[chosen].groupby(["customer_id", "on"]).size().groupby("customer_id").max()
        found |= set(most.index[most > most.quantile(0.999, interpolation="higher")])
    return found


def _parts(signals: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    days = (as_of - signals["on"]).dt.days
    baskets = signals.loc[signals["signal"] == "purchase", ["customer_id", "at"]].drop_duplicates()
    baskets = baskets.sort_values(["customer_id", "at"])
    of_customer = baskets.groupby("customer_id")["at"]
    cuts = pd.DataFrame({"test_from": of_customer.last(), "baskets": of_customer.size()})
    cuts["val_from"] = baskets[of_customer.cumcount(ascending=False) == 1].set_index("customer_id")["at"]
    cuts = cuts[cuts["baskets"] >= 3]
    parts = signals.merge(
        cuts[["test_from", "val_from"]], left_on="customer_id", right_index=True, how="left"
    )
    parts["split"] = np.select([days < 7, days < 14], ["test", "val"], "train")
    parts["leave_last_out"] = np.select(
        [parts["at"] >= parts["test_from"], parts["at"] >= parts["val_from"]], ["test", "val"], "train"
    )
    columns = [*KEY, "signal", "at", "strength", "split", "leave_last_out"]
    return parts[columns].sort_values(["customer_id", "at", "article_id", "signal", "strength"])


def _card(table: pd.DataFrame, parts: pd.DataFrame) -> dict[str, float]:
    liked, signals = table[table["strength"] > 0], parts[parts["strength"] > 0]
    per_item = signals["article_id"].value_counts().to_numpy()
    found = {
        "n_users": liked["customer_id"].nunique(),
        "n_items": liked["article_id"].nunique(),
        "n_pairs": len(liked),
        "n_signals": len(signals),
        "repeat_purchase_share": (table["purchase_count"] > 1).sum() / (table["purchase_count"] > 0).sum(),
        "median_history": signals["customer_id"].value_counts().median(),
        "item_gini": (
            per_item.size + 1 - 2 * (np.arange(1, per_item.size + 1) * per_item).sum() / per_item.sum()
        )
        / per_item.size,
    }
    for share in (0.01, 0.1, 0.2):
        found[f"item_share_top_{share}"] = (
            per_item[: max(1, round(share * per_item.size))].sum() / per_item.sum()
        )
    train = parts[parts["split"] == "train"]
    for name in ("val", "test"):
        asked = parts[parts["split"] == name]
        for key in KEY:
            found[f"cold_{key}_{name}"] = (~asked[key].drop_duplicates().isin(train[key].unique())).sum()
    users, items = (pd.factorize(liked[key])[0] for key in KEY)
    while users.size:
        keeps = (np.bincount(users)[users] >= 5) & (np.bincount(items)[items] >= 5)
        if keeps.all():
            break
        users, items = users[keeps], items[keeps]
    return found | {"core_5_pairs": users.size}


def _item(items: pd.Index, articles: pd.DataFrame) -> bytes:
    known = articles.set_index("article_id").reindex(items)[["product_category", "brand"]]
    return known.replace(r"\s+", " ", regex=True).reset_index().to_csv(sep="\t", index=False).encode()


def _matrix(table: pd.DataFrame, users: pd.Index, items: pd.Index) -> bytes:
    liked = table[table["strength"] > 0]
    rows, columns = users.get_indexer(liked["customer_id"]), items.get_indexer(liked["article_id"])
    matrix = csr_array(
        (liked["confidence"].to_numpy(np.float32), (rows, columns)), shape=(users.size, items.size)
    )
    buffer = BytesIO()
    save_npz(buffer, matrix, compressed=False)
    return buffer.getvalue()


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.to_parquet(buffer, compression="zstd", index=False)
    return buffer.getvalue()


def _inter(parts: pd.DataFrame) -> bytes:
    liked = parts[parts["strength"] > 0]
    rows = pd.DataFrame(
        {
            "user_id:token": liked["customer_id"],
            "item_id:token": liked["article_id"],
            "rating:float": liked["strength"],
            "timestamp:float": liked["at"].dt.as_unit("s").astype("int64"),
            "signal:token": liked["signal"],
        }
    )
    return rows.to_csv(sep="\t", index=False).encode()
