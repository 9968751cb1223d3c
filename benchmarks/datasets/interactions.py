"""Dataset A with pandas: the same logic as a data scientist would write it, for the benchmark only.

Belongs here: the core of the table, the split, the matrix and RecBole's files. Left out: the card, the ids of the
version before, and contract and checks of either side.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, save_npz

from cdp_assets.datasets.event_types import ALIASES
from cdp_assets.datasets.interactions.signals import SIGNAL_OF_EVENT, STRENGTHS
from cdp_assets.datasets.model import Scope

KEY = ["customer_id", "article_id"]


def pandas_way(frames: dict[str, pd.DataFrame], scope: Scope) -> dict[str, pd.DataFrame | bytes]:
    """Table, train table, split signals, matrices and RecBole's files."""
    lines = _sale_lines(frames["purchases"], scope)
    signals = _signals(lines, frames["events"], frames["reviews"], scope)
    as_of = pd.Timestamp(scope.as_of)
    end = as_of - pd.Timedelta(days=14)
    table = _table(signals, lines, as_of)
    train = _table(signals[signals["on"] <= end], lines[lines["on"] <= end], end)
    users, items = np.sort(signals["customer_id"].unique()), np.sort(signals["article_id"].unique())
    parts = _parts(signals, as_of)
    return {
        "table": table,
        "train": train,
        "splits": parts,
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
    kind = seen["event_type"].str.lower().str.replace("-", "_").replace(ALIASES).map(SIGNAL_OF_EVENT)
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


def _matrix(table: pd.DataFrame, users: np.ndarray, items: np.ndarray) -> bytes:
    liked = table[table["strength"] > 0]
    rows, columns = np.searchsorted(users, liked["customer_id"]), np.searchsorted(items, liked["article_id"])
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
