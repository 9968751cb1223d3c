"""Dataset D with pandas: the same logic as a data scientist would write it, for the benchmark only.

Belongs here: levels, the complete panel, calendar, promotions, lags and windows per day and week, and the forecasts of
each series with their back-test. Left out: the further files of a version (series, calendar, Nixtla's format), demand
classes beyond what chooses the method, contract and checks of either side.
"""

from __future__ import annotations

from datetime import timedelta

import holidays
import numpy as np
import pandas as pd

from cdp_assets.datasets.model import Scope
from cdp_assets.datasets.timeseries.calendar import region_of
from cdp_assets.datasets.timeseries.forecast import ALPHA, DAYS, FOLDS, HORIZON, MAX_ADI
from cdp_assets.datasets.timeseries.levels import ACTIVE_DAYS, MAX_ARTICLES
from cdp_assets.datasets.timeseries.panel import LEAD, last_monday, shown_from

KEYS = ["level", "series_id"]
SUMS = ["sales", "sales_other_currency", "units", "revenue", "returns", "refunds"]


def pandas_way(frames: dict[str, pd.DataFrame], scope: Scope) -> dict[str, pd.DataFrame]:
    """The three tables."""
    lines = _lines(frames, scope)
    as_of, first = pd.Timestamp(scope.as_of), pd.Timestamp(shown_from(scope.as_of))
    start = first - LEAD
    calendar = _calendar(frames["promotions"], scope, first, as_of)
    sums = _sums(lines)
    daily = _daily(_complete(sums, start, as_of, "D"), calendar, first)
    sunday = pd.Timestamp(last_monday(scope.as_of)) + pd.Timedelta(days=6)
    weeks = lines[lines["date"] <= sunday].copy()
    weeks["date"] = weeks["date"] - pd.to_timedelta(weeks["date"].dt.weekday, unit="D")
    weekly = _weekly(_complete(_sums(weeks), start, sunday, "W-MON"), calendar, first)
    forecast = _forecasts(
        _complete(sums, as_of - pd.Timedelta(days=DAYS - 1), as_of, "D"), scope.as_of + timedelta(days=1)
    )
    return {"timeseries_daily": daily, "timeseries_weekly": weekly, "timeseries_forecast": forecast}


def _lines(frames: dict[str, pd.DataFrame], scope: Scope) -> pd.DataFrame:
    purchases = frames["purchases"]
    lines = purchases[purchases["is_revenue"]].copy()
    lines["date"] = pd.to_datetime(lines["purchased_on"])
    is_return = (lines["line_total"] < 0) | (lines["quantity"] < 0)
    is_main = lines["currency"] == scope.currency
    amount = lines["line_total"].astype(float)
    lines["sales"] = (~is_return).astype(int)
    lines["sales_other_currency"] = (~is_return & ~is_main).astype(int)
    lines["units"] = lines["quantity"].where(~is_return, 0)
    lines["priced_units"] = lines["quantity"].where(~is_return & is_main, 0)
    lines["revenue"] = amount.where(~is_return & is_main, 0.0)
    lines["returns"] = is_return.astype(int)
    lines["refunds"] = (-amount).where(is_return & is_main, 0.0)
    lines["customer"] = lines["customer_id"].where(~is_return & (lines["customer_id"] != "unknown"))
    recent = lines[
        (lines["sales"] > 0)
        & (lines["date"] > pd.Timestamp(scope.as_of) - pd.Timedelta(days=ACTIVE_DAYS))
        & (lines["article_id"] != "unknown")
    ]
    sold = recent.groupby("article_id").size().reset_index(name="n")
    own = sold.sort_values(["n", "article_id"], ascending=[False, True]).head(MAX_ARTICLES)["article_id"]
    lines = lines.merge(
        _categories(frames["articles"], frames["categories"]), on="article_id", how="left"
    ).fillna({"category_id": "unknown", "root_category_id": "unknown"})
    lines["is_own"] = lines["article_id"].isin(own)
    return lines


def _categories(articles: pd.DataFrame, categories: pd.DataFrame) -> pd.DataFrame:
    parent = dict(zip(categories["category_id"], categories["parent_id"], strict=True))
    root = {}
    for category in parent:
        top = category
        for _ in range(20):
            if pd.isna(parent[top]) or parent[top] not in parent:
                break
            top = parent[top]
        root[category] = top
    found = articles[["article_id"]].copy()
    number = articles["category_id"]
    name = "leo:" + articles["product_category"].astype(object)
    shop, top = (
        "shop:" + ids.astype("Int64").astype(str).astype(object)
        for ids in (number, number.map(root).fillna(number))
    )
    found["category_id"] = shop.where(number.notna(), name).fillna("unknown")
    found["root_category_id"] = top.where(number.notna(), name).fillna("unknown")
    return found


def _sums(lines: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for level, key, rows in (
        ("total", None, lines),
        ("root_category", "root_category_id", lines),
        ("category", "category_id", lines),
        ("article", "article_id", lines[lines["is_own"]]),
        ("rest", "category_id", lines[~lines["is_own"]]),
    ):
        ids = rows[key] if key else pd.Series("all", index=rows.index)
        groups = rows.assign(level=level, series_id=ids).groupby([*KEYS, "date"])
        found = groups[[*SUMS, "priced_units"]].sum()
        found["customers"] = groups["customer"].nunique()
        if level == "article":
            found["category_id"] = groups["category_id"].first()
        parts.append(found.reset_index())
    return pd.concat(parts, ignore_index=True)


def _complete(sums: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp, freq: str) -> pd.DataFrame:
    parts = []
    for (level, series_id), rows in sums.groupby(KEYS):
        days = pd.date_range(max(rows["date"].min(), first), last, freq=freq)
        found = rows.set_index("date").drop(columns=[*KEYS, "category_id"]).reindex(days)
        found["is_observed"] = found["sales"].notna()
        found = found.fillna(0).rename_axis("date").reset_index()
        is_article = level == "article"
        price = found["revenue"] / found["priced_units"].where(found["priced_units"] > 0)
        found["avg_price"] = price.ffill() if is_article else np.nan
        category = rows["category_id"].iloc[0] if is_article else series_id
        parts.append(
            found.assign(
                level=level,
                series_id=series_id,
                article_id=series_id if is_article else None,
                category_id=category if level in {"article", "category", "rest"} else None,
            )
        )
    return pd.concat(parts, ignore_index=True)


def _calendar(
    promotions: pd.DataFrame, scope: Scope, first: pd.Timestamp, last: pd.Timestamp
) -> pd.DataFrame:
    days = pd.DataFrame({"date": pd.date_range(first, last)})
    region = region_of(scope)
    years = range(first.year - 1, last.year + 2)
    free = pd.DatetimeIndex(sorted(holidays.country_holidays(region, years=years)))
    date = days["date"]
    day, month = date.dt.day, date.dt.month
    days["weekday"], days["month"], days["year"] = date.dt.weekday, month, date.dt.year
    days["is_weekend"] = days["weekday"] >= 5
    days["is_payday"] = day.isin([5, 15, 25]) | date.dt.is_month_end
    days["holiday_flag"] = date.isin(free)
    days["days_to_holiday"] = (free[free.searchsorted(date)] - date).dt.days
    days["days_from_holiday"] = (date - free[free.searchsorted(date, side="right") - 1]).dt.days
    days["is_tet_window"] = False
    days["shopping_day"] = None
    days.loc[day == month, "shopping_day"] = "double_day"
    days.loc[(month == 11) & (days["weekday"] == 4) & day.between(23, 29), "shopping_day"] = "black_friday"
    if region == "VN":
        named = holidays.country_holidays("VN", years=years, language="en_US").items()
        for tet in (pd.Timestamp(day) for day, name in named if name == "Lunar New Year"):
            days.loc[
                date.between(tet - pd.Timedelta(days=21), tet + pd.Timedelta(days=7)), "is_tet_window"
            ] = True
        for (on, of), name in {
            (8, 3): "women_day",
            (20, 10): "vietnamese_women_day",
            (20, 11): "teachers_day",
        }.items():
            days.loc[(day == on) & (month == of), "shopping_day"] = name
    days["promo_flag"], days["promo_depth"] = False, 0.0
    for row in promotions.itertuples():
        start = row.starts_at.tz_convert(scope.timezone).normalize().tz_localize(None)
        end = (row.ends_at - pd.Timedelta(microseconds=1)).tz_convert(scope.timezone).tz_localize(None)
        runs = date.between(start, end)
        days.loc[runs, "promo_flag"] = True
        days.loc[runs, "promo_depth"] = days.loc[runs, "promo_depth"].clip(lower=row.discount_percent / 100)
    return days


def _daily(panel: pd.DataFrame, calendar: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    series = panel.groupby(KEYS)["sales"]
    before = series.shift(1)
    keys = [panel[name] for name in KEYS]

    def rolling(values: pd.Series, days: int, least: int = 1) -> pd.core.window.RollingGroupby:
        return values.groupby(keys).rolling(days, min_periods=least)

    def flat(found: pd.Series) -> pd.Series:
        return found.droplevel(KEYS)

    panel["rolling_7"] = flat(rolling(panel["sales"], 7).mean())
    panel["rolling_30"] = flat(rolling(panel["sales"], 30).mean())
    for days in (1, 7, 14, 28, 364):
        panel[f"lag_{days}"] = series.shift(days)
    for days in (7, 28, 91, 364):
        panel[f"rolling_{days}_lag1"] = flat(rolling(before, days).mean())
    panel["rolling_std_28_lag1"] = flat(rolling(before, 28, 2).std())
    panel["zero_share_28_lag1"] = flat(rolling((before == 0).astype(float).where(before.notna()), 28).mean())
    for days in (7, 28):
        means = series.ewm(halflife=days).mean().droplevel(KEYS)
        panel[f"ewm_{days}_lag1"] = means.groupby(keys).shift(1)
    panel["same_weekday_mean_4"] = pd.concat([series.shift(days) for days in (7, 14, 21, 28)], axis=1).mean(
        axis=1
    )
    week = flat(rolling(panel["sales"], 7).sum())
    earlier = flat(rolling(week.groupby(keys).shift(7), 7, 7).mean())
    growth = ((week - earlier) / earlier.where(earlier > 0)).fillna(0).clip(lower=0)
    panel["trend_score"] = 0.6 * week + 0.3 * flat(rolling(panel["sales"], 30).sum()) + 0.1 * growth
    shown = panel[panel["date"] >= first].merge(calendar, on="date", how="left")
    return shown.rename(columns={name: f"daily_{name}" for name in SUMS} | {"customers": "unique_customers"})


def _weekly(panel: pd.DataFrame, calendar: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    series = panel.groupby(KEYS)["sales"]
    before = series.shift(1)
    keys = [panel[name] for name in KEYS]
    panel["rolling_4"] = series.rolling(4, min_periods=1).mean().droplevel(KEYS)
    for weeks in (1, 4, 52):
        panel[f"lag_{weeks}"] = series.shift(weeks)
    for weeks in (4, 13, 52):
        panel[f"rolling_{weeks}_lag1"] = (
            before.groupby(keys).rolling(weeks, min_periods=1).mean().droplevel(KEYS)
        )
    iso = panel["date"].dt.isocalendar()
    panel["iso_year"], panel["iso_week"] = iso["year"], iso["week"]
    monday = calendar["date"] - pd.to_timedelta(calendar["weekday"], unit="D")
    weeks = calendar.groupby(monday)[["promo_flag", "holiday_flag"]].sum()
    weeks.columns = ["promo_days", "holiday_days"]
    shown = panel[panel["date"] >= first].merge(weeks, left_on="date", right_index=True, how="left")
    names = {"customers": "unique_customers", "date": "week_start"}
    return shown.rename(columns={name: f"weekly_{name}" for name in SUMS} | names)


def _forecasts(panel: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    days = pd.date_range(first, periods=HORIZON)
    parts = []
    for (level, series_id), rows in panel.groupby(KEYS):
        y = rows["sales"].to_numpy(dtype=float)
        year = y[-ACTIVE_DAYS:]
        sold = (year > 0).sum()
        is_rare = sold > 0 and year.size / sold >= MAX_ADI
        errors = {
            name: [] for name in ("seasonal_naive", "moving_average", "seasonal_average", "croston_sba")
        }
        for fold in range(FOLDS, 0, -1):
            origin = y.size - fold * HORIZON
            if origin >= 56:
                actual = y[origin : origin + HORIZON]
                for name, found in _methods(y[:origin]).items():
                    errors[name].append(actual - found)
        regular = [name for name in errors if name != "croston_sba" and errors[name]]
        method = (
            "croston_sba"
            if is_rare
            else min(regular, key=lambda name: np.abs(errors[name]).mean())
            if regular
            else "moving_average"
        )
        found = _methods(y)[method]
        part = pd.DataFrame(
            {"level": level, "series_id": series_id, "date": days, "forecast": found, "method": method}
        )
        if errors[method]:
            pooled = np.concatenate(errors[method])
            for name, quantile in zip(
                ("q10", "q50", "q90"), np.quantile(pooled, [0.1, 0.5, 0.9]), strict=True
            ):
                part[f"forecast_{name}"] = np.maximum(found + quantile, 0)
            actual = y[-pooled.size :].sum()
            part["wape"] = np.abs(pooled).sum() / actual if actual else np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _methods(y: np.ndarray) -> dict[str, np.ndarray]:
    tail = np.concatenate([np.full(max(56 - y.size, 0), np.nan), y[-56:]])
    return {
        "seasonal_naive": np.tile(tail[-7:], HORIZON // 7),
        "moving_average": np.full(HORIZON, y[-28:].mean()),
        "seasonal_average": np.tile(pd.DataFrame(tail.reshape(8, 7)).mean().to_numpy(), HORIZON // 7),
        "croston_sba": np.full(HORIZON, _croston(y)),
    }


def _croston(y: np.ndarray) -> float:
    at = np.flatnonzero(y > 0)
    if not at.size:
        return 0.0
    size, interval = y[at[0]], 0.0
    for times, (day, before) in enumerate(zip(at[1:], at[:-1], strict=True), start=1):
        interval += (day - before - interval) * max(ALPHA, 1 / times)
        size += (y[day] - size) * max(ALPHA, 1 / (times + 1))
    return (1 - ALPHA / 2) * size / max(interval, y.size - 1 - at[-1], 1.0)
