"""Dataset B with pandas: the same logic as a data scientist would write it, for the benchmark only.

Belongs here: columns, the tree of categories, hashes, scales, and the change set with its files. Left out on both
sides: the TF-IDF, which is scikit-learn's either way, images, contract and checks.
"""

from __future__ import annotations

import html
import re
import unicodedata
from hashlib import sha256
from io import BytesIO

import ftfy
import numpy as np
import pandas as pd

from benchmarks.datasets.language import detect
from cdp_assets.datasets.model import Scope
from cdp_assets.datasets.reviews.normalise import BROKEN

_TEXT = ["prod_name", "detail_desc", "product_group_name", "brand"]
_BROKEN = re.compile(re.sub(r"\\x\{(\w+)\}", r"\\u\1", BROKEN))
_NAMES = {
    "product_name": "prod_name", "product_description": "detail_desc", "product_category": "product_group_name",
    "unit_price": "price", "stock_quantity": "stock", "product_since": "created_at",
}  # fmt: skip


def pandas_way(frames: dict[str, pd.DataFrame], scope: Scope) -> pd.DataFrame:
    """One row per article."""
    table = frames["articles"].rename(columns=_NAMES).drop(columns=["category_path"])
    for name in _TEXT:
        table[name] = table[name].map(_clean, na_action="ignore")
    table = table.merge(_tree(frames["categories"]), on="category_id", how="left")
    table["category_path"] = table["category_path"].fillna(table["product_group_name"])
    table["group"] = table["category_id"].astype("string").fillna(table["product_group_name"])
    table["price"] = table["price"].astype(float)
    peers = table.groupby(["currency", "group"], dropna=False)["price"]
    table["price_log"] = np.log1p(table["price"])
    table["price_pct_in_category"] = (peers.rank() - 1) / (peers.transform("count") - 1).replace(0, np.nan)
    spread = peers.transform(lambda prices: prices.quantile(0.75) - prices.quantile(0.25)).replace(0, np.nan)
    table["price_robust_z"] = (table["price"] - peers.transform("median")) / spread
    of_currency = table.groupby("currency")["price"]
    least = of_currency.transform("min")
    table["normalized_price"] = (table["price"] - least) / (of_currency.transform("max") - least + 1e-4)
    stock = table["stock"].astype(float)
    table["normalized_stock"] = (stock - stock.min()) / (stock.max() - stock.min() + 1e-4)
    table["stock_bucket"] = pd.cut(stock, [-np.inf, 0, 4, np.inf], labels=["out", "low", "in"])
    local = table["created_at"].dt.tz_convert(scope.timezone).dt.tz_localize(None).dt.normalize()
    table["lifecycle_days"] = (pd.Timestamp(scope.as_of) - local).dt.days
    table["desc_len"] = table["detail_desc"].str.len().fillna(0)
    table["desc_lang"] = table["detail_desc"].fillna(table["prod_name"]).fillna("").map(detect)
    for name, columns in {
        "content_hash": _TEXT, "attr_hash": ["sku", "category_id", "category_path"], "price_hash": ["price", "currency"]
    }.items():  # fmt: skip
        first, *rest = (table[column].astype(str) for column in columns)
        table[name] = first.str.cat(rest, sep="\x1f", na_rep="\x00").map(_hashed)
    # without a version before, everything is added
    changes = table[["article_id"]].assign(change="added")
    prints = table[["article_id", "content_hash", "attr_hash", "price_hash"]].assign(
        as_of=scope.as_of, in_stock=stock > 0
    )
    for frame in (changes, prints.sort_values("article_id")):
        frame.to_parquet(BytesIO(), compression="zstd", index=False)
    return table


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _clean(text: str) -> str:
    if _BROKEN.search(text):
        text = ftfy.fix_text(html.unescape(text))
    return re.sub(
        r"\s+", " ", re.sub(r"(?i)</?[a-z][^<>]*>", " ", unicodedata.normalize("NFC", text))
    ).strip()


def _tree(categories: pd.DataFrame) -> pd.DataFrame:
    parents = dict(zip(categories["category_id"], categories["parent_id"], strict=True))
    names = dict(zip(categories["category_id"], categories["category_name"], strict=True))
    found = []
    for key, parent in parents.items():
        path, at = [key], parent
        while pd.notna(at) and at in parents and at not in path:
            path.append(at)
            at = parents[at]
        names_down = " > ".join(str(names[each]) for each in path[::-1])
        found.append((key, names[key], parent, path[-1], len(path) - 1, names_down))
    columns = [
        "category_id",
        "category_name",
        "parent_category_id",
        "root_category_id",
        "category_depth",
        "category_path",
    ]
    return pd.DataFrame(found, columns=columns)
