"""Dataset C with pandas: the same logic as a data scientist would write it, for the benchmark only.

Belongs here: features of both days, training rows and their file, models and back-test. The models are fitted with
slopes that scipy finds by itself. Left out here: the share of the main brand, value bins of the back-test, and the
ranges of the scores, each a fraction of a second. Left out on both sides: contract and checks.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1

from cdp_assets.datasets.customers.behaviour import COUNTS
from cdp_assets.datasets.model import Scope
from cdp_assets.vocabulary.event_types import event_type

WINDOWS = (7, 30, 90, 180, 365)
KEY = "customer_id"


def pandas_way(frames: dict[str, pd.DataFrame], scope: Scope) -> dict[str, pd.DataFrame | bytes]:
    """The table, and the training rows of 60 days before with their file."""
    before = replace(scope, as_of=scope.as_of - timedelta(days=60))
    table, orders, _ = _features(frames, scope)
    earlier, _, expected = _features(frames, before)
    since = orders[orders["day"] > pd.Timestamp(before.as_of)].groupby(KEY)["day"].nunique()
    training = earlier[earlier["total_orders"] > 0].copy()
    training["churned_60d"] = ~training.index.isin(since.index)
    came = since.reindex(expected.index).fillna(0)
    backtest = pd.DataFrame({"expected": expected, "came": came})
    buffer = BytesIO()
    training.to_parquet(buffer, compression="zstd")
    return {
        "customer_features": table,
        "training": training,
        "training.parquet": buffer.getvalue(),
        "backtest": backtest,
    }


def _features(frames: dict[str, pd.DataFrame], scope: Scope) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    until, as_of = pd.Timestamp(scope.until), pd.Timestamp(scope.as_of)
    lines = frames["purchases"]
    lines = lines[(lines["purchased_at"] < until) & (lines[KEY] != "unknown")].copy()
    lines["day"] = pd.to_datetime(lines["purchased_on"])
    lines["age"] = (as_of - lines["day"]).dt.days
    cancelled = lines[lines["order_status"] == "cancelled"].groupby(KEY)["order_key"].nunique()
    people = frames["customers"]
    people = people[people["customer_since"] < until].drop_duplicates(KEY).set_index(KEY)
    table = pd.DataFrame(index=people.index.union(lines[KEY].unique()))
    table = table.join(_people(people, as_of, scope))
    lines = lines[lines["is_revenue"]]
    main = lines["currency"] == scope.currency
    returned = (lines["line_total"] < 0) | (lines["quantity"] < 0)
    lines = lines.assign(money=lines["line_total"].where(main, 0.0), is_main=main)
    bought = lines[~returned]
    table = table.join(_lines(lines, bought, returned)).join(cancelled.rename("cancelled_orders"))
    orders = (
        bought.groupby([KEY, "order_key"])
        .agg(at=("purchased_at", "min"), day=("day", "min"), age=("age", "max"), channel=("channel", "min"),
             is_main=("is_main", "any"))
        .reset_index()
    )  # fmt: skip
    table = table.join(_orders(orders, as_of, frames["promotions"], scope))
    table = table.join(_tastes(bought, frames["articles"]))
    events = frames["events"]
    events = events[(events["event_at"] < until) & (events[KEY] != "unknown")].copy()
    events["day"] = pd.to_datetime(events["event_on"])
    events["age"] = (as_of - events["day"]).dt.days
    table = table.join(_events(events))
    days = pd.concat([events[[KEY, "day"]], orders[[KEY, "day"]]]).drop_duplicates()
    table["active_days"] = days.groupby(KEY).size()
    reviews = frames["reviews"]
    reviews = reviews[(reviews["created_at"] < until) & (reviews[KEY] != "unknown")]
    table = table.join(reviews.groupby(KEY)["rating"].agg(reviews_written="size", rating_mean="mean"))
    table = _derived(table, as_of)
    value, expected = _value(orders, bought, as_of)
    return table.join(value), orders, expected


def _people(people: pd.DataFrame, as_of: pd.Timestamp, scope: Scope) -> pd.DataFrame:
    born = pd.to_datetime(people["birth_date"])
    early = (born.dt.month * 100 + born.dt.day) <= as_of.month * 100 + as_of.day
    age = as_of.year - born.dt.year - 1 + early
    signup = people["customer_since"].dt.tz_convert(scope.timezone).dt.tz_localize(None).dt.normalize()
    found = people[["country", "language", "is_in_shop", "is_in_leo"]].copy()
    found["age"], found["signup_date"] = age.where(age.between(0, 120)), signup
    found["signup_age_days"] = (as_of - signup).dt.days
    return found


def _lines(lines: pd.DataFrame, bought: pd.DataFrame, returned: pd.Series) -> pd.DataFrame:
    sums = {"total_amount_spent": lines["money"], "returned_lines": returned}
    for days in WINDOWS:
        sums[f"spend_{days}d"] = lines["money"].where(lines["age"] < days, 0.0)
    for months in (6, 12):
        start = lines["day"].max() - pd.DateOffset(months=months)
        sums[f"monetary_{months}m"] = lines["money"].where(lines["day"] > start, 0.0)
    found = pd.DataFrame(sums).groupby(lines[KEY]).sum()
    sums = {"total_transactions": bought["age"] >= 0, "transactions_in_currency": bought["is_main"]}
    sums |= {"total_revenue": bought["money"], "total_items_bought": bought["quantity"]}
    for days in WINDOWS:
        sums[f"items_{days}d"] = bought["quantity"].where(bought["age"] < days, 0)
    found = found.join(pd.DataFrame(sums).groupby(bought[KEY]).sum())
    return found.join(bought.groupby(KEY)["day"].agg(first_purchase_date="min", last_purchase_date="max"))


def _orders(
    orders: pd.DataFrame, as_of: pd.Timestamp, promotions: pd.DataFrame, scope: Scope
) -> pd.DataFrame:
    local = orders["at"].dt.tz_convert(scope.timezone)
    counts = {"total_orders": orders["age"] >= 0, "orders_in_currency": orders["is_main"]}
    counts |= {f"orders_{days}d": orders["age"] < days for days in WINDOWS}
    counts["orders_prev_30d"] = orders["age"].between(30, 59)
    for months in (6, 12):
        counts[f"frequency_{months}m"] = orders["day"] > as_of - pd.DateOffset(months=months)
    promoted = pd.Series(False, index=orders.index)
    for start, end in zip(promotions["starts_at"], promotions["ends_at"], strict=True):
        promoted |= (orders["at"] >= start) & (orders["at"] < end)
    found = pd.DataFrame(counts).groupby(orders[KEY]).sum()
    shares = pd.DataFrame({"weekend_share": local.dt.dayofweek > 4, "promotion_share": promoted})
    found = found.join(shares.groupby(orders[KEY]).mean())
    days = orders[[KEY, "day"]].drop_duplicates().sort_values([KEY, "day"])
    days["gap"] = days.groupby(KEY)["day"].diff().dt.days
    gaps = days.groupby(KEY)["gap"].agg(
        order_days="size", days_between_orders_mean="mean", days_between_orders_std="std"
    )
    found = found.join(gaps)
    timed = orders.assign(weekday=local.dt.dayofweek + 1, hour=local.dt.hour)
    for name in ("weekday", "hour"):
        found[f"preferred_{name}"] = _favourites(timed.groupby([KEY, name]).size(), name)[name]
    channels = _favourites(orders[orders["channel"] != "unknown"].groupby([KEY, "channel"]).size(), "channel")
    found["most_used_sales_channel"] = channels["channel"]
    found["most_used_channel_share"] = channels["share"]
    return found


def _favourites(counts: pd.Series, name: str) -> pd.DataFrame:
    """The value of the highest count per customer, of equals the first, and its share."""
    table = counts.rename("count").reset_index()
    table["share"] = table["count"] / table.groupby(KEY)["count"].transform("sum")
    table = table.sort_values([KEY, "count", name], ascending=[True, False, True])
    return table.drop_duplicates(KEY).set_index(KEY)


def _tastes(bought: pd.DataFrame, articles: pd.DataFrame) -> pd.DataFrame:
    kinds = articles[["article_id", "category_path", "product_category", "brand"]].copy()
    kinds["category"] = kinds["category_path"].str.split(" > ").str[-1].fillna(kinds["product_category"])
    lines = bought.merge(kinds[["article_id", "category", "brand"]], on="article_id", how="left")
    counts = lines.groupby([KEY, "category"])["quantity"].sum()
    top = _favourites(counts, "category")
    found = top[["category", "share"]].rename(
        columns={"category": "top_category", "share": "top_category_share"}
    )
    shares = counts.rename("count").reset_index()
    shares["share"] = shares["count"] / shares.groupby(KEY)["count"].transform("sum")
    shares = shares.sort_values([KEY, "share", "category"], ascending=[True, False, True])
    shares["bits"] = -shares["share"] * np.log2(shares["share"])
    found = found.join(shares.groupby(KEY)["bits"].agg(category_entropy="sum", categories_bought="size"))
    first = shares.groupby(KEY).head(3)
    found["top_categories"] = first.groupby(KEY)["category"].agg(list)
    found["top_shares"] = first.groupby(KEY)["share"].agg(list)
    brands = lines.dropna(subset="brand").groupby([KEY, "brand"])["quantity"].sum()
    found = found.join(_favourites(brands, "brand").rename(columns={"brand": "top_brand"})["top_brand"])
    priced = lines[lines["is_main"] & lines["category"].notna()]
    of_category = priced.groupby("category")["unit_price"]
    level = (of_category.rank() - 0.5) / of_category.transform("count")
    found["price_level"] = level.groupby(priced[KEY]).mean()
    return found


def _events(events: pd.DataFrame) -> pd.DataFrame:
    kind = events["event_type"].map(
        {name: event_type(name) or name for name in events["event_type"].unique()}
    )
    counts = {"session_events": events["age"] >= 0, **{name: kind == value for name, value in COUNTS.items()}}
    for days in WINDOWS:
        counts[f"views_{days}d"] = (kind == "view") & (events["age"] < days)
        counts[f"carts_{days}d"] = (kind == "add_to_cart") & (events["age"] < days)
    found = pd.DataFrame(counts).groupby(events[KEY]).sum()
    found["days_since_last_event"] = events.groupby(KEY)["age"].min()
    found["dominant_event_type"] = found[list(COUNTS)].idxmax(axis=1)
    sessions = events.groupby([KEY, "session_id"])["age"].min().reset_index()
    counts = {"total_sessions": sessions["age"] >= 0}
    counts |= {f"sessions_{days}d": sessions["age"] < days for days in WINDOWS}
    counts["sessions_prev_30d"] = sessions["age"].between(30, 59)
    found = found.join(pd.DataFrame(counts).groupby(sessions[KEY]).sum())
    for name, value in {"wishlist_size": "wishlist", "cart_additions": "add_to_cart"}.items():
        wanted = events.loc[(kind == value) & events["article_id"].notna(), [KEY, "article_id"]]
        found[name] = wanted.drop_duplicates().groupby(KEY).size()
    return found


def _derived(table: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    means = {"share", "rate", "mean", "std", "level", "entropy", "age", "hour", "weekday", "event"}
    numbers = [
        name for name in table.select_dtypes("number") if name.split("_")[-1] not in means and name != "age"
    ]
    table[numbers] = table[numbers].fillna(0)
    table["recency_days"] = (as_of - table["last_purchase_date"]).dt.days
    table["tenure_days"] = (as_of - table["first_purchase_date"]).dt.days
    table["active"] = table[["recency_days", "days_since_last_event"]].min(axis=1) < 90
    for name, part, whole in (
        ("avg_transaction_value", "total_amount_spent", "transactions_in_currency"),
        ("avg_order_value", "total_revenue", "orders_in_currency"),
        ("avg_basket_size", "total_items_bought", "total_orders"),
    ):
        table[name] = table[part] / table[whole].replace(0, np.nan)
    table["days_to_next_expected"] = table["days_between_orders_mean"] - table["recency_days"]
    for name in ("orders", "sessions"):
        table[f"{name}_trend_30d"] = (table[f"{name}_30d"] + 1) / (table[f"{name}_prev_30d"] + 1)
    abandoned = (table["carts"] - table["buys"]).clip(lower=0)
    for name, part, whole in (
        ("return_rate", table["returned_lines"], "total_transactions"),
        ("conversion_rate", table["buys"], "views"),
        ("click_through_rate", table["clicks"], "views"),
        ("add_to_cart_rate", table["carts"], "clicks"),
        ("cart_abandon_rate", abandoned, "carts"),
    ):
        capped = np.minimum(part, table[whole])
        table[name] = capped / table[whole].replace(0, np.nan)
        table[f"{name}_smoothed"] = (capped + 20 * capped.sum() / max(table[whole].sum(), 1)) / (
            table[whole] + 20
        )
    table = table.copy()  # in one piece again: pandas is slow on a frame that grew by columns
    buyers = table["total_orders"] > 0
    for name, raw, ascending in (
        ("r", "recency_days", False), ("f", "total_orders", True), ("m", "total_amount_spent", True),
    ):  # fmt: skip
        rank = table.loc[buyers, raw].rank(ascending=ascending)
        table[f"{name}_score"] = np.minimum(5, 1 + np.floor(5 * (rank - 0.5) / buyers.sum()))
    r, f, m = (table[f"{name}_score"] for name in "rfm")
    table["rfm_score"] = r + f + m
    table["rfm_cell"] = (100 * r + 10 * f + m).astype("Int64").astype("string")
    fm, rarely = (f + m) / 2, (f == 1) | ((f + m) / 2 < 2)
    rules = {
        "prospect": ~buyers, "cant_lose": (r == 1) & (fm >= 4), "champions": (r >= 4) & (fm >= 4),
        "loyal": (r == 3) & (fm >= 4), "at_risk": (r <= 2) & (fm >= 3), "new": (r == 5) & rarely,
        "promising": (r == 4) & rarely, "potential_loyalist": r >= 4, "needs_attention": (r == 3) & (fm >= 2),
        "about_to_sleep": r == 3, "hibernating": r == 2,
    }  # fmt: skip
    table["rfm_segment"] = np.select(list(rules.values()), list(rules), "lost")
    return table


def _value(orders: pd.DataFrame, bought: pd.DataFrame, as_of: pd.Timestamp) -> tuple[pd.DataFrame, pd.Series]:
    """Columns of the models, and the purchases expected within 60 days."""
    daily = bought.groupby([KEY, "day"])["money"].sum().reset_index()
    first = daily.groupby(KEY)["day"].transform("min")
    seen = daily.groupby(KEY)["day"].agg(["size", "min", "max"])
    repeated = (
        daily[(daily["day"] > first) & (daily["money"] > 0)].groupby(KEY)["money"].agg(["size", "mean"])
    )
    repeated = repeated.reindex(seen.index).fillna(0)
    paid = (daily["money"] > 0).groupby(daily[KEY]).sum()
    x = (seen["size"] - 1).to_numpy(float)
    t_x, t = (
        (seen["max"] - seen["min"]).dt.days.to_numpy(float),
        (as_of - seen["min"]).dt.days.to_numpy(float),
    )
    n, value = repeated["size"].to_numpy(float), repeated["mean"].to_numpy()
    bounds = [(-7, 9)] * 4
    fits = [
        (minimize(_bg_nbd, np.log([1, t.mean(), 1, 2]), (x, t_x, t, c), "L-BFGS-B", bounds=bounds), c)
        for c in (0, 1)
    ]
    best, first_too = min(fits, key=lambda fit: fit[0].fun)
    r, alpha, a, b = np.exp(best.x)
    again, scale = n > 0, value[n > 0].mean()
    gamma = minimize(
        _gamma_gamma, np.zeros(3), (n[again], value[again] / scale), "L-BFGS-B", bounds=bounds[:3]
    )
    p, q, v = np.exp(gamma.x) + np.array([0, 1, 0])
    chances = x + first_too
    odds = a / np.maximum(b + chances - 1, 1e-12) * ((alpha + t) / (alpha + t_x)) ** (r + x)
    alive = 1 / (1 + np.where(chances > 0, odds, 0))

    def expected(days: int) -> np.ndarray:
        z = days / (alpha + t + days)
        none = (1 - z) ** (r + x) * hyp2f1(r + x, b + chances, a + b + chances - 1, z)
        return (a + b + chances - 1) / (a - 1) * (1 - none) * alive

    spend = p * (v * scale + n * value) / (p * n + q - 1)
    usual = paid.sum() / (x + 1).sum()
    in_currency = (paid.reindex(seen.index).to_numpy() + 2 * usual) / (x + 3)
    months = np.stack([expected(30 * month) for month in range(1, 7)])
    coming = np.diff(months, axis=0, prepend=0) / 1.01 ** np.arange(1, 7)[:, None]
    columns = pd.DataFrame(
        {"p_alive": alive, "expected_purchases_30": months[0], "expected_purchases_90": months[2],
         "expected_purchases_180": months[5], "expected_spend": spend, "clv_180": coming.sum(0) * in_currency * spend},
        index=seen.index,
    )  # fmt: skip
    return columns, pd.Series(expected(60), index=seen.index)


def _bg_nbd(logs: np.ndarray, x: np.ndarray, t_x: np.ndarray, t: np.ndarray, first_too: int) -> float:
    r, alpha, a, b = np.exp(logs)
    chances = x + first_too
    left = np.log(a / np.maximum(b + chances - 1, 1e-12)) - (r + x) * np.log(alpha + t_x)
    both = np.logaddexp(-(r + x) * np.log(alpha + t), np.where(chances > 0, left, -np.inf))
    of_x = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    of_x += gammaln(a + b) + gammaln(b + chances) - gammaln(b) - gammaln(a + b + chances)
    return -(of_x + both).mean()


def _gamma_gamma(logs: np.ndarray, n: np.ndarray, value: np.ndarray) -> float:
    p, q, v = np.exp(logs) + np.array([0, 1, 0])
    likelihood = gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(v)
    likelihood += p * n * np.log(n * value) - (p * n + q) * np.log(v + n * value)
    return -likelihood.mean()
