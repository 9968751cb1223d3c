"""Events of any number in the shape that dataset F reads, the same ones for the same number.

Belongs here: what `world.told_events` leaves out since A and C do not read it: pages, browsers, campaigns, orders, when
a source received an event; acts that both sources tell, automata, pages that never sleep.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.datasets.world import AS_OF, told_events
from cdp_assets.datasets.events.contract import RAW

BROWSERS = (
    "Mozilla/5.0 (Linux; Android 14; SM-A546E) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
)
DEVICES = ("mobile", "mobile", "desktop", "desktop", "desktop")
NAMES = {
    "view": "product-view", "click": "click", "wishlist": "add-wishlist", "add_to_cart": "add-to-cart",
    "remove_from_cart": "remove-from-cart", "purchase": "purchase", "search": "search",
}  # fmt: skip
"""Canonical type -> what a source calls it."""

TWICE, IMPORTED = 0.02, 0.002
RELOADS = 300
"""Events of a page that reloads itself every quarter of an hour; there is one per 50,000 events."""


def raw_events(size: int) -> pl.DataFrame:
    """About so many events with the columns `RAW`, shuffled."""
    dice = np.random.default_rng(7)
    told = told_events(dice, size, max(size // 25, 50), max(size // 250, 60))
    reloading = _reloading(dice, told, max(size // 50_000, 1))
    made = _described(dice, pl.concat([told, reloading.select(told.columns)]))
    again = made.filter(pl.Series(dice.random(made.height) < TWICE)).with_columns(
        ("shop:" + pl.col("event_id").str.slice(4)).alias("event_id"),
        pl.lit("shop").alias("source"),
        pl.col("event_at") + pl.duration(milliseconds=400),
    )
    return pl.concat([made, again]).sample(fraction=1, shuffle=True, seed=1)


def _reloading(dice: np.random.Generator, told: pl.DataFrame, pages: int) -> pl.DataFrame:
    """Views of visitors whose browser was left open for days."""
    page, tick = np.divmod(np.arange(pages * RELOADS), RELOADS)
    seconds = 900 * tick + dice.integers(0, 300, tick.size)
    begin = pl.datetime(AS_OF.year, AS_OF.month, 1, time_zone="UTC")
    return pl.select(
        pl.format("leo:r{}", pl.Series(np.arange(tick.size))).alias("event_id"),
        pl.format("r{}", pl.Series(page)).alias("visitor_id"),
        (begin + pl.duration(seconds=pl.Series(seconds))).cast(told.schema["event_at"]).alias("event_at"),
        pl.lit("leo").alias("source"),
        pl.lit("view").alias("event_type"),
        pl.lit("unknown").alias("customer_id"),
        pl.format("r{}", pl.Series(page)).alias("session_id"),
        pl.lit("shop:1").alias("article_id"),
    ).with_columns(pl.col("event_at").dt.date().alias("event_on"))


def _described(dice: np.random.Generator, told: pl.DataFrame) -> pl.DataFrame:
    size = told.height
    burst = told["session_id"].rle_id().to_numpy()
    bursts = int(burst[-1]) + 1
    browser = dice.choice(len(BROWSERS), bursts, p=[0.44, 0.2, 0.25, 0.1, 0.01])[burst]
    sources = pl.Series(["google", "facebook", "zalo", None])
    source = sources.gather(dice.choice(4, bursts, p=[0.2, 0.15, 0.05, 0.6])[burst])
    kind, product = pl.col("event_type"), pl.col("article_id").str.slice(5)
    is_buy, is_search = kind == "purchase", kind == "search"
    known = {
        "source_event_type": kind.replace_strict(NAMES),
        "received_at": pl.col("event_at") + pl.duration(milliseconds=pl.Series(dice.integers(20, 90_000, size))),
        "customer_reference": pl.when(pl.col("customer_id") != "unknown").then("customer_id"),
        "client_session_id": pl.col("session_id"),
        "article_id": pl.when(~is_search).then("article_id"),
        "product_reference": pl.when(~is_search).then("sku:S" + product),
        "category_id": pl.when(~is_search).then(10 + product.cast(pl.Int64) % 40),
        "order_number": pl.when(is_buy).then(pl.format("DH{}", pl.Series(np.arange(size) // 2))),
        "order_reference": pl.lit(None),
        "order_value": pl.when(is_buy).then(pl.Series(10_000 * dice.integers(1, 300, size))),
        "currency": pl.when(is_buy).then(pl.Series(["VND", "USD"]).gather((dice.random(size) < 0.05).astype(int))),
        "page": pl.when(is_search).then(pl.lit("https://shop.vn/search")).otherwise("https://shop.vn/p/" + product),
        "campaign_id": source + "-" + pl.Series(burst % 24).cast(pl.String),
        "utm_source": source,
        "device_type": pl.Series(DEVICES).gather(browser),
        "browser": pl.Series(BROWSERS).gather(browser),
        "is_imported": pl.Series(dice.random(size) < IMPORTED),
    }  # fmt: skip
    return told.select(known.get(name, pl.col(name)).cast(type_).alias(name) for name, type_ in RAW.items())
