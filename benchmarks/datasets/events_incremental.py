"""Dataset F's run of every 15 minutes on a short and on a ten times as long history: it should cost the same.

`python -m benchmarks.datasets.events_incremental --history 100000`. Each history has a server of its own, filled with
events of LEO by as many visitors as it takes (25 events each), a tenth as many purchases told by the shop, and one full
run; then the same number of new events arrives, three times, and each time a run is timed. Belongs here: the
warehouse's side; the logic alone is in `events`.
"""

from __future__ import annotations

import shutil
import signal
import statistics
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter

import click
import psycopg
from rich.console import Console

from benchmarks.dbt import LINES_PER_ORDER, VIEWS, Bench
from benchmarks.ways import TENANT
from cdp_assets.datasets.events.run import refresh
from cdp_assets.datasets.model import Scope
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.server import EmbeddedServer

TIMES, PER_VISITOR = 3, 25
SCOPE = Scope(TENANT, date(2026, 6, 30), "Asia/Ho_Chi_Minh", "VND")
NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)
LIMIT = 1.5
"""How many times as long a run may take on ten times the history."""

HISTORY = """
insert into cdp.tracking_event (
    tenant_id, event_id, cdp_profile_id, source_profile_id, visitor_id, event_name, event_at, is_live, is_conversion,
    item_id, browser, device_type, touchpoint_url, state, metadata, content_hash, changed_at
)
select
    %(tenant)s, 'e' || n, p, p, 'v' || visitor,
    (array['product-view', 'product-view', 'click', 'add-to-cart', 'product-view', 'purchase', 'search'])[1 + n %% 7],
    -- visits of five events, minutes apart
    t - make_interval(days => ((n / %(visitors)s / 5 * 37 + visitor * 7) %% 180)::int)
    + (n / %(visitors)s %% 5) * interval '3 minutes' + (n %% 97) * interval '1 second',
    true, false, 'S' || 1 + n * 7919 %% 5000, 'Firefox', 'mobile', 'https://shop.vn/p/' || n * 7919 %% 5000, 'raw',
    '{}', '', now() - interval '1 day'
from generate_series(0, %(history)s::bigint - 1) as n,
    lateral (select n %% %(visitors)s) as who (visitor),
    lateral (select case when visitor %% 2 = 0 then 'p' || 1 + visitor end) as known (p),
    (values (timestamptz '2026-06-30')) as newest (t)
"""

NEWS = """
insert into cdp.tracking_event (
    tenant_id, event_id, cdp_profile_id, source_profile_id, visitor_id, event_name, event_at, is_live, is_conversion,
    item_id, browser, device_type, touchpoint_url, state, metadata, content_hash
)
select
    tenant_id, 'new' || %(time)s || event_id, cdp_profile_id, source_profile_id, visitor_id, event_name,
    timestamptz '2026-06-30 12:00Z' + %(time)s * interval '15 minutes', true, false, item_id, browser, device_type,
    touchpoint_url, state, metadata, content_hash
from cdp.tracking_event where tenant_id = %(tenant)s
and event_id = any(select 'e' || n * 7919 %% %(visitors)s from generate_series(1, %(news)s) as n)
"""

SHOP = """
insert into raw.events (
    tenant_id, id, customer_id, event_type, order_id, event_time, created_at, updated_at
)
select tenant_id, %(after)s + n, customer_id, 'purchase', orders.id, t - age, t - age, t - age
from generate_series(1, %(events)s::bigint) as n,
    lateral (
        select 1 + n * 7919 %% %(orders)s::bigint, %(days)s * (n * 31 %% 180) * interval '1 day'
    ) as told (id, age),
    (values (timestamptz '2026-06-30 12:00Z')) as newest (t),
    raw.orders
where tenant_id = %(tenant)s and orders.id = told.id
"""
"""The shop tells of purchases: the order is looked up, and what is known of it becomes the event's."""


def measured(history: int, news: int, console: Console) -> float:
    """Median seconds of a run after `news` new events, on a history of so many events."""
    folder = Path(tempfile.mkdtemp(prefix="cdp-bench-"))
    server = EmbeddedServer(folder / "server")
    lines = history // 5
    sizes = {
        "tenant": TENANT, "history": history, "visitors": history // PER_VISITOR, "news": news,
        "orders": int(lines / LINES_PER_ORDER),
    }  # fmt: skip
    try:
        bench = Bench(server.start(), folder, lines, console)
        bench.run("views, made", "run", *VIEWS)
        with (
            psycopg.connect(server.dsn(), autocommit=True) as conn,
            Warehouse(server.dsn(user="cdp_pipeline")) as warehouse,
        ):
            conn.execute(HISTORY, sizes)
            conn.execute(SHOP, {**sizes, "days": 1, "events": history // 10, "after": 0})
            # all was landed long ago: what the last hour brought is read again by every run
            for table, column in {
                "cdp.customer_profile": "changed_at", "cdp.product_item": "changed_at",
                "raw.customers": "_etl_loaded_at", "raw.products": "_etl_loaded_at", "raw.orders": "_etl_loaded_at",
                "raw.events": "_etl_loaded_at",
            }.items():  # fmt: skip
                conn.execute(f"update {table} set {column} = now() - interval '1 day'")
            conn.execute("vacuum analyze")
            began = perf_counter()
            assert refresh(warehouse, SCOPE, NOW).blocked_by == []
            console.print(f"{history:,} events: full run {perf_counter() - began:.1f} s")
            spent = []
            for time in range(TIMES):
                conn.execute("update datasets.event_state set read_until = now()")
                conn.execute("vacuum analyze")
                conn.execute("checkpoint")
                conn.execute(NEWS, {**sizes, "time": time})
                conn.execute(SHOP, {**sizes, "days": 0, "events": news // 10, "after": history * (1 + time)})
                began = perf_counter()
                outcome = refresh(warehouse, SCOPE, NOW)
                spent.append(perf_counter() - began)
                assert (outcome.is_full, outcome.blocked_by) == (False, [])
                console.print(f"  {outcome.changed:,} of them new: {spent[-1]:.2f} s")
        return statistics.median(spent)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@click.command()
@click.option("--history", default=100_000, show_default=True, help="Events of the shorter history.")
@click.option("--news", default=1_000, show_default=True, help="New events before each run.")
def main(history: int, news: int) -> None:
    """Time incremental runs on a history and on ten times as much."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    console = Console() if sys.stdout.isatty() else Console(width=110)
    short, long = (measured(size, news, console) for size in (history, 10 * history))
    console.print(
        f"{news:,} new events: {short:.2f} s after {history:,}, {long:.2f} s after {10 * history:,} events: "
        f"{long / short:.2f} times" + ("" if long / short <= LIMIT else f", wanted {LIMIT} at most")
    )


if __name__ == "__main__":
    main()
