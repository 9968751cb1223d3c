"""Dataset F beside pandas and DuckDB: sessions and one funnel, the same logic three ways, each in a process of its own.

`python -m benchmarks.datasets.events --events 5000000`. Belongs here: stitching, repeats, sessions with a day's cap,
the counts of F2, and the funnel of seven days by visitor. Left out on the other sides: bots, texts of F2 (page,
campaign), F3, lists of seconds, contracts and checks; the product does all of F1 and F2 and full members.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks.datasets.world import SCOPE, told_events
from benchmarks.ways import peak_memory
from cdp_assets.datasets.events.behaviour import counted
from cdp_assets.datasets.events.contract import RAW
from cdp_assets.datasets.events.funnels import DEFAULTS, members
from cdp_assets.datasets.events.identity import stitch
from cdp_assets.datasets.events.summaries import enrich
from cdp_assets.datasets.model import Scope

MIB = 2**20
FUNNEL = DEFAULTS[1]
Seconds = dict[str, float]

COUNTS = {
    "views": "view", "clicks": "click", "wishlist": "wishlist", "carts": "add_to_cart", "removes": "remove_from_cart",
    "buys": "purchase",
}  # fmt: skip


def product(events: pl.DataFrame) -> tuple[Seconds, int, int]:
    """Seconds of each part; sessions; completed members."""
    began = perf_counter()
    enriched, sessions = enrich(SCOPE, stitch(events))
    middle = perf_counter()
    found = members(FUNNEL, counted(enriched), SCOPE.until)
    done = found.filter(pl.col("state") == "completed").height
    return {"sessions": middle - began, "funnel": perf_counter() - middle}, sessions.height, done


def pandas_way(frames: dict[str, pd.DataFrame], scope: Scope) -> dict[str, pd.DataFrame]:
    """Events with their sessions, counts of sessions, members of `FUNNEL`."""
    events = _pandas_sessions(frames["events"], scope)
    told = events[~events["is_duplicate"]]
    grouped = told.groupby("session_no", sort=False)
    sessions = grouped.agg(
        visitor_key=("visitor_key", "first"), first_event=("event_at", "first"), last_event=("event_at", "last"),
        events=("event_id", "size"), articles=("article_id", "nunique"),
    )  # fmt: skip
    counts = pd.crosstab(told["session_no"], told["event_type"])
    for column, name in COUNTS.items():
        sessions[column] = counts.get(name, 0)
    return {"events": events, "sessions": sessions, "members": _pandas_funnel(told, scope)}


def _pandas_sessions(events: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    known = events[events["customer_id"] != "unknown"].sort_values(["event_at", "customer_id"])
    by_device = known.groupby("visitor_id")["customer_id"].agg(["last", "nunique"])
    last = by_device.loc[by_device["nunique"] <= 3, "last"]
    stitched = events["customer_id"].where(events["customer_id"] != "unknown", events["visitor_id"].map(last))
    events = events.assign(visitor_key=stitched.fillna("visitor:" + events["visitor_id"]))
    events = events.sort_values(["visitor_key", "event_at", "event_id"], ignore_index=True)
    gap = events.groupby(["visitor_key", "event_type", "article_id"], sort=False)["event_at"].diff()
    events["is_duplicate"] = gap <= pd.Timedelta(seconds=1)
    told = events[~events["is_duplicate"]].copy()
    new = (told["visitor_key"] != told["visitor_key"].shift()) | (
        told["event_at"].diff() > pd.Timedelta(minutes=30)
    )
    while True:
        number = new.cumsum()
        over = told["event_at"] - told.groupby(number)["event_at"].transform("first") > pd.Timedelta(hours=24)
        if not over.any():
            break
        new |= over & ~over.groupby(number).shift(fill_value=False)
    first = told.groupby(number)["event_id"].transform("first")
    told["session_no"] = pd.util.hash_array((told["visitor_key"] + "/" + first).to_numpy())
    told["event_index"] = told.groupby("session_no").cumcount() + 1
    told["gap_s"] = told.groupby("visitor_key")["event_at"].diff().dt.total_seconds()
    columns = ["session_no", "event_index", "gap_s"]
    events[columns] = told[columns].reindex(events.index)
    events["session_no"] = events["session_no"].ffill()
    local = events["event_at"].dt.tz_convert(scope.timezone)
    events["event_hour"], events["event_day"] = local.dt.hour, (local.dt.dayofweek + 1) % 7
    events["event_on"] = local.dt.normalize()
    return events


def _pandas_funnel(told: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """For each look the next cart and the next purchase after that, by position; of a day's looks the best."""
    rows = told[told["event_type"].isin(FUNNEL.steps)].reset_index(drop=True)
    place = pd.Series(rows.index, dtype="float64")
    by_visitor = rows["visitor_key"]
    following = {
        step: place.where(rows["event_type"] == step).groupby(by_visitor, sort=False).bfill()
        for step in FUNNEL.steps[1:]
    }
    looks = rows[rows["event_type"] == FUNNEL.steps[0]].copy()
    deadline, here = looks["event_at"] + FUNNEL.window, pd.Series(looks.index, looks.index, dtype="float64")
    looks["reached"] = 1
    for step in FUNNEL.steps[1:]:
        here = here.map(following[step])
        at = here.map(rows["event_at"])
        here = here.where(at <= deadline)
        looks["reached"] += here.notna()
    day = looks["event_at"].dt.tz_convert(scope.timezone).dt.normalize()
    best = looks.assign(day=day).sort_values("reached", ascending=False, kind="stable")
    return best.drop_duplicates(["visitor_key", "day"])


SESSIONS_SQL = """
create table stitched as
with known as (
    select visitor_id, arg_max(customer_id, event_at) as last, count(distinct customer_id) as customers
    from events where customer_id <> 'unknown' and visitor_id is not null group by 1
)
select e.*, case when e.customer_id <> 'unknown' then e.customer_id when k.customers <= 3 then k.last
    else 'visitor:' || e.visitor_id end as visitor_key
from events as e left join known as k using (visitor_id);
create table marked as
select *, coalesce(epoch_us(event_at) - lag(epoch_us(event_at)) over (
    partition by visitor_key, event_type, article_id order by event_at, event_id) <= 1000000, false) as is_duplicate
from stitched;
create table told as
with gaps as (
    select *, epoch_us(event_at) - lag(epoch_us(event_at)) over w as gap from marked where not is_duplicate
    window w as (partition by visitor_key order by event_at, event_id)
), numbered as (
    select *, sum(case when gap is null or gap > 1800000000 then 1 else 0 end) over (
        partition by visitor_key order by event_at, event_id) as chain from gaps
)
select *, md5('acme' || visitor_key || first_value(event_id) over s) as session_id,
    row_number() over s as event_index, first_value(event_at) over s as session_start,
    hour(event_at + interval 7 hour) as event_hour, cast(event_at + interval 7 hour as date) as event_on
from numbered window s as (partition by visitor_key, chain order by event_at, event_id);
create table sessions as
select session_id, any_value(visitor_key) as visitor_key, min(event_at) as first_event, max(event_at) as last_event,
    count(*) as events, count(distinct article_id) as articles, {counts}
from told group by session_id;
"""
"""No cap of a day: the benchmark's bursts are shorter, and SQL would need a recursion for it."""

FUNNEL_SQL = """
create table members as
with looks as (select visitor_key, event_at, event_on, event_id from told where event_type = 'view'),
carts as (select visitor_key, event_at from told where event_type = 'add_to_cart'),
buys as (select visitor_key, event_at from told where event_type = 'purchase'),
second as (
    select l.*, case when c.event_at <= l.event_at + interval 7 day then c.event_at end as cart_at
    from looks as l asof left join carts as c on l.visitor_key = c.visitor_key and l.event_at < c.event_at
), third as (
    select s.*, case when b.event_at <= s.event_at + interval 7 day then b.event_at end as buy_at
    from second as s asof left join buys as b on s.visitor_key = b.visitor_key and s.cart_at < b.event_at
)
select visitor_key, event_on, arg_max(event_id, reached) as entry, max(reached) as reached
from (select *, 1 + (cart_at is not null)::int + (buy_at is not null)::int as reached from third) group by 1, 2;
"""


def duckdb_way(events: pl.DataFrame) -> tuple[Seconds, int, int]:
    """Seconds of each part; sessions; completed members."""
    with duckdb.connect() as db:
        db.execute("set enable_progress_bar = false")
        db.execute("set timezone = 'UTC'")
        db.register("arrow_events", events.to_arrow())
        db.execute("create table events as select * from arrow_events")
        counts = ", ".join(
            f"count(*) filter (where event_type = '{name}') as {column}" for column, name in COUNTS.items()
        )
        began = perf_counter()
        db.execute(SESSIONS_SQL.format(counts=counts))
        middle = perf_counter()
        db.execute(FUNNEL_SQL)
        seconds = {"sessions": middle - began, "funnel": perf_counter() - middle}
        sessions = db.execute("select count(*) from sessions").fetchone()
        done = db.execute("select count(*) from members where reached = 3").fetchone()
        assert sessions is not None
        assert done is not None
        return seconds, sessions[0], done[0]


def pandas_timed(events: pl.DataFrame) -> tuple[Seconds, int, int]:
    """As the others; both parts are one."""
    frame = pd.DataFrame({name: events[name].to_pandas() for name in events.columns})
    began = perf_counter()
    found = pandas_way({"events": frame}, SCOPE)
    done = int((found["members"]["reached"] == len(FUNNEL.steps)).sum())
    return {"both": perf_counter() - began}, len(found["sessions"]), done


WAYS: dict[str, Callable[[pl.DataFrame], tuple[Seconds, int, int]]] = {
    "product": product, "duckdb": duckdb_way, "pandas": pandas_timed,
}  # fmt: skip


def _alone(name: str, path: Path, answer: Any) -> None:
    events = pl.read_parquet(path)
    if name != "product":
        events = events.select(
            "event_id", "visitor_id", "customer_id", "article_id", "event_at",
            pl.col("source_event_type").alias("event_type"),
        )  # fmt: skip
    answer.put((*WAYS[name](events), peak_memory()))


@click.command()
@click.option("--events", "count", default=5_000_000, show_default=True)
def main(count: int) -> None:
    """Measure sessions and a funnel three ways, one after the other."""
    customers, articles = max(count // 25, 50), max(count // 250, 60)
    made = told_events(np.random.default_rng(7), count, customers, articles).rename(
        {"event_type": "source_event_type"}
    )
    missing = [
        pl.lit(None, type_).alias(name)
        for name, type_ in RAW.items()
        if name not in made.columns and name != "is_imported"
    ]
    raw = made.with_columns(*missing, pl.lit(False).alias("is_imported")).select(*RAW)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        raw.sample(fraction=1, shuffle=True, seed=1).write_parquet(path)
        for name in WAYS:
            context = get_context("spawn")
            answer = context.Queue()
            process = context.Process(target=_alone, args=(name, path, answer))
            process.start()
            seconds, sessions, done, peak = answer.get()
            process.join()
            parts = ", ".join(f"{part} {spent:.2f} s" for part, spent in seconds.items())
            total = np.sum(list(seconds.values()))
            click.echo(
                f"{name:8} {parts}; {count / total:,.0f} events/s, {peak / MIB:,.0f} MB; "
                f"{sessions:,} sessions, {done:,} converted"
            )


if __name__ == "__main__":
    main()
