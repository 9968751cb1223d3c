"""Frames of any size in the shape of the datasets' inputs, the same ones for the same size.

Belongs here: numbers that are like a shop's: few articles sell much (Zipf-Mandelbrot), customers buy at rates of their
own and stop, events come in bursts, reviews are short and repeat themselves. Not the demo world: that one is for
truth, this one for volume.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from cdp_assets.datasets.frames import FRAMES
from cdp_assets.datasets.model import Scope

AS_OF = date(2026, 6, 30)
DAYS = 730
SCOPE = Scope("bench", AS_OF, "Asia/Ho_Chi_Minh", "VND", {"default_region": "VN"})

PHRASES = (
    "hàng đẹp, giao nhanh", "chất vải mỏng, không giống hình", "shop tư vấn nhiệt tình lắm", "size hơi nhỏ nhưng đẹp",
    "giao hàng chậm quá", "sp ok, sẽ ủng hộ tiếp", "hang dep lam shop oi", "vai xau, that vong", "dong goi can than",
    "great quality, fits well", "arrived late and the box was broken", "not worth the price", "love the colour 😍",
    "tạm được", "màu đẹp mà giá hơi cao", "không nên mua", "good value for money", "rất hài lòng", "👍👍",
    "bình thường",
)  # fmt: skip


def frames(purchases: int, events: int, seed: int = 7) -> dict[str, pl.DataFrame]:
    """Every input of `cdp_assets.datasets.frames`, with so many purchased lines and events over two years."""
    dice = np.random.default_rng(seed)
    customers, articles = max(purchases // 5, 50), max(purchases // 50, 60)
    made = {
        "purchases": _purchases(dice, purchases, customers, articles),
        "customers": _customers(dice, customers),
        "articles": _articles(dice, articles),
        "categories": _categories(),
        "events": told_events(dice, events, customers, articles),
        "reviews": _reviews(dice, purchases // 5, customers, articles),
        "promotions": _promotions(),
    }
    return {name: _shaped(name, frame) for name, frame in made.items()}


def _shaped(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of the input, in order; one that is not made here is null."""
    schema = FRAMES[name].schema
    return frame.with_columns(
        pl.lit(None).alias(column) for column in schema if column not in frame.columns
    ).select(pl.col(column).cast(type_) for column, type_ in schema.items())


def _popular(dice: np.random.Generator, size: int, things: int) -> np.ndarray:
    """Indexes by Zipf-Mandelbrot with exponent 1 and shift 20."""
    weights = 1.0 / (np.arange(things) + 21.0)
    return np.searchsorted(np.cumsum(weights) / weights.sum(), dice.random(size)).clip(0, things - 1)


def _ids(prefix: str, numbers: np.ndarray) -> pl.Series:
    return pl.format("{}:{}", pl.lit(prefix), pl.Series("n", numbers)).alias("id").pipe(pl.select).to_series()


def _instants(days_ago: np.ndarray, dice: np.random.Generator) -> pl.Series:
    """Times of day peak at noon and in the evening."""
    hours = np.where(
        dice.random(days_ago.size) < 0.4,
        dice.normal(12, 2, days_ago.size),
        dice.normal(20.5, 1.8, days_ago.size),
    )
    seconds = (hours % 24) * 3600
    end = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC) - timedelta(hours=7)
    micros = int(end.timestamp() * 1e6) + ((seconds - days_ago.astype(np.float64) * 86_400) * 1e6).astype(
        np.int64
    )
    return pl.Series("at", micros).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _local_day(times: pl.Series) -> pl.Series:
    return times.dt.convert_time_zone("Asia/Ho_Chi_Minh").dt.date()


def _buyers(dice: np.random.Generator, size: int, customers: int) -> tuple[np.ndarray, np.ndarray]:
    """Customer and day (ago) of each line: rates Gamma(0.55), a lifetime of which some have reached the end."""
    rates = dice.gamma(0.55, 1.0, customers)
    who = np.searchsorted(np.cumsum(rates) / rates.sum(), dice.random(size)).clip(0, customers - 1)
    first = dice.integers(30, DAYS, customers)
    last = np.where(dice.random(customers) < 0.4, (first * dice.random(customers)).astype(np.int64), 0)
    return who, (last[who] + (first[who] - last[who]) * dice.random(size)).astype(np.int64)


def _purchases(dice: np.random.Generator, size: int, customers: int, articles: int) -> pl.DataFrame:
    who, ago = _buyers(dice, size, customers)
    what = _popular(dice, size, articles)
    at = _instants(ago, dice)
    price = 10_000 * (1 + what % 90)
    quantity = 1 + (dice.random(size) < 0.12) * dice.integers(1, 3, size)
    status = dice.choice(["completed", "shipped", "cancelled", "pending"], size, p=[0.86, 0.06, 0.05, 0.03])
    order = pl.Series("order", who * 1_000 + ago)
    return pl.DataFrame(
        {
            "purchase_key": _ids("shop", np.arange(size)),
            "source": ["shop"] * size,
            "order_key": pl.select(pl.format("shop:{}", order)).to_series(),
            "order_number": pl.select(pl.format("DH{}", order)).to_series(),
            "customer_id": _ids("leo", who),
            "article_id": _ids("shop", what),
            "channel": dice.choice(["online", "store"], size, p=[0.7, 0.3]),
            "order_status": status,
            "is_revenue": np.isin(status, ["completed", "shipped"]),
            "purchased_at": at,
            "purchased_on": _local_day(at),
            "quantity": quantity,
            "unit_price": price,
            "line_total": price * quantity,
            "currency": ["VND"] * size,
        }
    )


def _customers(dice: np.random.Generator, size: int) -> pl.DataFrame:
    since = _instants(dice.integers(0, DAYS, size), dice)
    return pl.DataFrame(
        {
            "customer_id": _ids("leo", np.arange(size)),
            "gender": dice.choice(["female", "male"], size),
            "birth_date": pl.Series(dice.integers(0, 20_000, size)).cast(pl.Int32).cast(pl.Date),
            "city": dice.choice(["Hà Nội", "Huế", "Đà Nẵng", "Hồ Chí Minh"], size),
            "country": ["VN"] * size,
            "language": dice.choice(["vi", "en"], size),
            "customer_since": since,
            "is_in_shop": dice.random(size) < 0.6,
            "is_in_leo": [True] * size,
        }
    )


def _articles(dice: np.random.Generator, size: int) -> pl.DataFrame:
    kinds = np.array(["áo khoác", "váy lụa", "giày thể thao", "túi da", "mũ len", "jacket", "sneaker"])
    colours = np.array(["đỏ", "xanh", "đen", "trắng", "red", "blue"])
    kind, colour = kinds[dice.integers(0, kinds.size, size)], colours[dice.integers(0, colours.size, size)]
    category = 10 + np.arange(size) % 40
    return pl.DataFrame(
        {
            "article_id": _ids("shop", np.arange(size)),
            "product_name": [f"{a} {b} {n}" for n, (a, b) in enumerate(zip(kind, colour, strict=True))],
            "product_description": [
                f"{a} màu {b}, form rộng, chất liệu bền" for a, b in zip(kind, colour, strict=True)
            ],
            "product_category": [f"Category {number}" for number in category],
            "category_path": [f"Root {number % 4} > Category {number}" for number in category],
            "sku": [f"SKU{number}" for number in range(size)],
            "unit_price": 10_000 * (1 + np.arange(size) % 90),
            "currency": ["VND"] * size,
            "stock_quantity": dice.integers(0, 200, size),
            "is_in_shop": [True] * size,
            "is_in_leo": [True] * size,
            "shop_product_id": np.arange(size),
            "product_since": _instants(np.full(size, DAYS), dice),
            "last_updated": _instants(dice.integers(0, DAYS, size), dice),
            "category_id": category,
        }
    )


def _categories() -> pl.DataFrame:
    roots = [(number, f"Root {number - 1}", None) for number in range(1, 5)]
    leaves = [(number, f"Category {number}", 1 + number % 4) for number in range(10, 50)]
    return pl.DataFrame(
        [*roots, *leaves],
        schema={"category_id": pl.Int64, "category_name": pl.String, "parent_id": pl.Int64},
        orient="row",
    )


def told_events(dice: np.random.Generator, size: int, customers: int, articles: int) -> pl.DataFrame:
    """Events as a source tells them: bursts of eight on average, minutes apart; half of them by known visitors."""
    bursts = max(size // 8, 1)
    who, ago = _buyers(dice, bursts, customers)
    burst = np.sort(dice.integers(0, bursts, size))
    start = _instants(ago, dice).to_numpy()[burst]
    step = np.arange(size) - np.searchsorted(burst, burst)
    at = pl.Series(start + (step * dice.integers(5, 240, size) * 1_000_000).astype("timedelta64[us]"))
    at = at.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    known = (dice.random(bursts) < 0.5)[burst]
    kinds = dice.choice(
        ["view", "click", "wishlist", "add_to_cart", "remove_from_cart", "purchase", "search"],
        size,
        p=[0.62, 0.2, 0.04, 0.08, 0.01, 0.02, 0.03],
    )
    visitor = _ids("v", who[burst])
    return pl.DataFrame(
        {
            "event_id": _ids("leo", np.arange(size)),
            "source": ["leo"] * size,
            "event_type": kinds,
            "event_at": at,
            "event_on": _local_day(at),
            "customer_id": pl.select(
                pl.when(pl.Series(known)).then(_ids("leo", who[burst])).otherwise(pl.lit("unknown"))
            ).to_series(),
            "visitor_id": visitor,
            "session_id": _ids("s", burst),
            "article_id": _ids("shop", _popular(dice, size, articles)),
        }
    ).filter(pl.col("event_at") < SCOPE.until)


def _reviews(dice: np.random.Generator, size: int, customers: int, articles: int) -> pl.DataFrame:
    phrase = np.array(PHRASES)
    first, second = phrase[dice.integers(0, phrase.size, size)], phrase[dice.integers(0, phrase.size, size)]
    return pl.DataFrame(
        {
            "review_id": _ids("shop", np.arange(size)),
            "source": ["shop"] * size,
            "customer_id": _ids("leo", dice.integers(0, customers, size)),
            "article_id": _ids("shop", _popular(dice, size, articles)),
            "rating": dice.choice([1.0, 2.0, 3.0, 4.0, 5.0], size, p=[0.06, 0.09, 0.2, 0.35, 0.3]),
            "comment": [f"{a}. {b}! {n % 997}" for n, (a, b) in enumerate(zip(first, second, strict=True))],
            "created_at": _instants(dice.integers(1, DAYS, size), dice),
        }
    )


def _promotions() -> pl.DataFrame:
    end = datetime(2026, 6, 1, tzinfo=UTC)
    starts = [end - timedelta(days=60 * number) for number in range(12)]
    return pl.DataFrame(
        {
            "promotion_id": list(range(12)),
            "promotion_code": [f"SALE{number}" for number in range(12)],
            "promotion_name": [f"Sale {number}" for number in range(12)],
            "discount_percent": [10.0 + number for number in range(12)],
            "starts_at": starts,
            "ends_at": [start + timedelta(days=5) for start in starts],
        }
    )
