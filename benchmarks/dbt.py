"""dbt measured: a tenant's marts built whole, again, and after 1 % changed, against dbt's own start-up as the floor.

`python -m benchmarks.dbt` starts a server of its own in a temporary folder, writes landed rows of both sources there,
and runs dbt as the product does, each pass in a fresh process. See README.md.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.ways import TENANT, wal_position
from cdp_assets.environment import dbt_environment
from cdp_assets.modeling.project import PROJECT
from cdp_assets.settings import Settings
from cdp_assets.warehouse.migrate import migrate
from cdp_assets.warehouse.server import EmbeddedServer
from cdp_assets.warehouse.tenants import Tenant

VIEWS = ("--select", "config.materialized:view")
MARTS = ("--select", "config.materialized:incremental", "resource_type:snapshot")
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")

LINES_PER_ORDER = 2.5
LINES_PER_CUSTOMER = 10
PRODUCTS = 5_000

LANDED = """
insert into raw.customers (tenant_id, id, name, email, phone, created_at, updated_at)
select %(tenant)s, n, 'Customer ' || n, 'c' || n || '@shop.vn', '09' || lpad(n::text, 8, '0'), t, t
from generate_series(1, %(customers)s::bigint) as n, (values (timestamptz '2025-01-01')) as landed (t);

insert into raw.products (tenant_id, id, sku, name, price, currency, category, stock_quantity, created_at, updated_at)
select %(tenant)s, n, 'S' || n, 'Product ' || n, 10 + n %% 90, 'VND', 'Category ' || n %% 40, 100, t, t
from generate_series(1, %(products)s::bigint) as n, (values (timestamptz '2025-01-01')) as landed (t);

insert into raw.orders (
    tenant_id, id, order_number, customer_id, order_date, status, channel, currency, total_amount, created_at,
    updated_at
)
select
    %(tenant)s, n, 'N' || n, 1 + n * 7919 %% %(customers)s, t + n * 31 %% 600 * interval '1 day',
    (array['completed', 'completed', 'shipped', 'Canceled', 'pending'])[1 + n %% 5],
    (array['web', 'app', 'store'])[1 + n %% 3], 'VND', 100, t, t
from generate_series(1, %(orders)s::bigint) as n, (values (timestamptz '2025-01-01')) as landed (t);

insert into raw.order_items (tenant_id, id, order_id, product_id, quantity, unit_price, created_at, updated_at)
select
    %(tenant)s, n, 1 + n * 104729 %% %(orders)s, 1 + n * 7919 %% %(products)s, 1 + n %% 3, 10 + n %% 90, t, t
from generate_series(1, %(lines)s::bigint) as n, (values (timestamptz '2025-01-01')) as landed (t);

insert into cdp.customer_profile (
    tenant_id, cdp_profile_id, root_profile_id, status, profile_type, data_context, full_name, email, identities,
    job_titles, data_labels, content_keywords, product_keywords, media_channels, segment_ids, receive_email,
    receive_sms, receive_web_push, receive_app_push, receive_ads, metadata, content_hash, created_at, updated_at
)
select
    %(tenant)s, 'p' || n, 'p' || n, 'active', 'CUSTOMER', 'production', 'Customer ' || n, 'c' || n || '@shop.vn',
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', 1, 0, 0, 0, 0, '{}', '', t, t
from generate_series(1, %(customers)s::bigint) as n, (values (timestamptz '2025-01-01')) as landed (t)
where n %% 5 <> 0;

insert into cdp.product_item (
    tenant_id, product_key, item_id, title, currency, keywords, status, metadata, content_hash
)
select %(tenant)s, 'k' || n, 'S' || n, 'Product ' || n, 'VND', '{}', 'active', '{}', ''
from generate_series(1, %(products)s::bigint) as n;

-- LEO knows nine orders of ten, by one line each.
insert into cdp.transactional_context (
    tenant_id, txn_id, transaction_id, cdp_profile_id, source_profile_id, product_key, txn_type, txn_timestamp, amount,
    currency, context_data, content_hash
)
select
    %(tenant)s, 't' || n, 'N' || n, p, p, 'k' || 1 + n %% %(products)s, 'purchase',
    timestamptz '2025-01-01' + n * 31 %% 600 * interval '1 day', 100, 'VND', '{}', ''
from generate_series(1, %(orders)s::bigint) as n, lateral (select 'p' || 1 + n * 7919 %% %(customers)s) as owner (p)
where n %% 10 <> 0;
"""

ONE_PERCENT = """
update raw.orders set status = 'completed', total_amount = total_amount + 1, updated_at = now() where id %% 100 = 3;
update raw.order_items set quantity = quantity + 1, updated_at = now() where id %% 100 = 3;
"""


@dataclass(frozen=True)
class Pass:
    """One run of dbt: seconds in all and in its nodes, rows of marts written or removed, bytes of write-ahead log."""

    name: str
    seconds: float
    in_nodes: float
    rows: int
    wal: int


class Bench:
    """One server with one tenant, and dbt against it."""

    def __init__(self, server: EmbeddedServer, folder: Path, lines: int, console: Console) -> None:
        self._owner, self._folder, self._console = server.dsn(), folder, console
        migrate(self._owner)
        sizes = {
            "tenant": TENANT,
            "lines": lines,
            "orders": int(lines / LINES_PER_ORDER),
            "customers": max(lines // LINES_PER_CUSTOMER, 1),
            "products": PRODUCTS,
        }
        with psycopg.connect(self._owner, autocommit=True) as conn:
            for statement in LANDED.split(";\n"):
                conn.execute(statement, sizes)
        self.passes: list[Pass] = []

    def run(self, name: str, *command: str) -> None:
        """One pass, added to `passes`; stops the benchmark where dbt fails."""
        with psycopg.connect(self._owner, autocommit=True) as conn:
            # what an earlier pass left behind is not to be paid for by the next one
            conn.execute("vacuum analyze")
            conn.execute("checkpoint")
            rows, wal = _rows_written(conn), wal_position(conn)
            began = perf_counter()
            self._dbt(*command)
            seconds = perf_counter() - began
            conn.execute("select pg_stat_clear_snapshot()")
            found = Pass(
                name, seconds, self._in_nodes(), _rows_written(conn) - rows, wal_position(conn) - wal
            )
        self.passes.append(found)
        self._console.print(f"  {name}: {seconds:.2f} s, {found.rows:,} rows", style="dim")

    def change(self) -> None:
        """Another status and total for 1 % of the orders, another quantity for 1 % of the lines."""
        with psycopg.connect(self._owner, autocommit=True) as conn:
            conn.execute(ONE_PERCENT.replace("%%", "%"))

    def _in_nodes(self) -> float:
        results = self._folder / "dbt" / "run_results.json"
        return float(json.loads(results.read_bytes())["elapsed_time"]) if results.exists() else 0.0

    def _dbt(self, *command: str) -> None:
        with dbt_environment(
            Settings(data_dir=self._folder), self._owner, Tenant(TENANT, TENANT, "active", "dump", {})
        ):
            done = subprocess.run(
                [
                    Path(sys.executable).with_name("dbt"), *command,
                    "--project-dir", PROJECT, "--profiles-dir", PROJECT, "--log-path", self._folder / "logs", "--quiet",
                ],
                check=False, capture_output=True, text=True,
            )  # fmt: skip
        if done.returncode:
            raise click.ClickException(f"dbt {' '.join(command)}: {done.stdout}{done.stderr}")


def _rows_written(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute(
        "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_user_tables "
        "where schemaname = 'marts'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def report(console: Console, lines: int, passes: list[Pass]) -> None:
    """Print what was measured; the floor is dbt with nothing to do."""
    floor = next(p.seconds for p in passes if p.name == "dbt, nothing to do")
    table = Table(title=f"{lines:,} order lines of one tenant")
    table.add_column("pass", no_wrap=True)
    for heading in ("seconds", "above the floor", "in nodes", "rows written", "WAL MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for found in passes:
        above = f"{found.seconds - floor:.2f}" if found.name.startswith("marts") else ""
        table.add_row(
            found.name,
            f"{found.seconds:.2f}",
            above,
            f"{found.in_nodes:.2f}",
            f"{found.rows:,}",
            f"{found.wal / 1e6:,.1f}",
        )
    console.print(table)


@click.command()
@click.option("--lines", default=200_000, show_default=True, help="Order lines of the shop.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here."
)
def main(lines: int, json_file: Path | None) -> None:
    """Measure a tenant's full build and an incremental one, against dbt's start-up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    console = Console() if sys.stdout.isatty() else Console(width=110)
    folder = Path(tempfile.mkdtemp(prefix="cdp-bench-"))
    server = EmbeddedServer(folder / "server")
    try:
        console.print(f"landing {lines:,} order lines", style="dim")
        bench = Bench(server.start(), folder, lines, console)
        bench.run("dbt, parsing the project", "parse", "--no-partial-parse")
        bench.run("views, made", "run", *VIEWS)
        bench.run("dbt, nothing to do", "run", "--select", "config.materialized:ephemeral")
        bench.run("marts, full build", "build", *MARTS, *NO_TESTS)
        bench.run("marts, nothing changed", "build", *MARTS, *NO_TESTS)
        bench.change()
        bench.run("marts, 1 % changed", "build", *MARTS, *NO_TESTS)
        bench.run("marts, 1 % changed, with tests", "build", *MARTS, "--exclude-resource-type", "unit_test")
        report(console, lines, bench.passes)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if json_file:
        json_file.write_text(json.dumps([asdict(p) for p in bench.passes], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
