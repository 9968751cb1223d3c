"""Days of the demo world: `cdp pipeline`, then `cdp demo advance` and `cdp pipeline` day by day, as a person does it.

`python -m benchmarks.demo_days` works in a temporary folder with a server of its own. It ends with exit code 1 when a
command failed, or when a check warns on a later day that did not on the first: the world's planted defects are there
from the first day, so what comes later is a false alarm. With `--clean` nothing is planted, and every warning is one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import click
import psycopg
from rich.console import Console
from rich.table import Table

from cdp_assets.demo import TENANTS, generate
from cdp_assets.warehouse.server import EmbeddedServer

Alarms = set[tuple[str, str, str]]
"""Tenant, asset and check of what does not pass."""


@click.command()
@click.option("--days", default=14, show_default=True)
@click.option("--size", type=click.Choice(["tiny", "small", "medium"]), default="small", show_default=True)
@click.option("--tenant", help="Only this tenant of the demo world.")
@click.option("--clean", is_flag=True, help="Without planted defects: every warning is a false alarm.")
def main(days: int, size: str, tenant: str | None, clean: bool) -> None:
    """Let days pass, and look at exit codes and warnings."""
    console = Console()
    only = ("--tenant", tenant) if tenant else ()
    with tempfile.TemporaryDirectory(prefix="demo-days-") as folder:
        data = Path(folder)
        generate(data / "demo", size=size, clean=clean)
        bad = False
        known: Alarms = set()
        shown = Table("day", "seconds", "exit code", "not passed", "false alarms")
        try:
            for day in range(days + 1):
                if day:
                    _run(data, "demo", "advance")
                began = perf_counter()
                code = _run(data, "pipeline", *only)
                found = _alarms(data)
                known = known or (set() if clean else found)
                false = found - known
                bad = bad or code != 0 or bool(false)
                words = "\n".join(" ".join(alarm) for alarm in sorted(false))
                shown.add_row(f"{day}", f"{perf_counter() - began:.0f}", f"{code}", f"{len(found)}", words)
                console.print(f"day {day}: exit code {code}, {words or 'no false alarm'}")
        finally:
            _run(data, "down")
    console.print(shown)
    sys.exit(1 if bad else 0)


def _run(data: Path, *arguments: str) -> int:
    """A command on the data folder; what it prints is shown when it fails."""
    env = {**os.environ, "CDP_DATA_DIR": str(data)}
    command = [str(Path(sys.executable).parent / "cdp"), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    return done.returncode


def _alarms(data: Path) -> Alarms:
    """The newest results that are not passed."""
    server = EmbeddedServer(data / "postgres")
    found: Alarms = set()
    with psycopg.connect(server.dsn("cdp_warehouse", user="cdp_pipeline")) as conn:
        for spec in TENANTS:
            conn.execute("select set_config('app.tenant_id', %s, false)", (spec.id,))
            rows = conn.execute("select asset, check_name from ops.check_result where not passed").fetchall()
            found |= {(spec.id, asset, check) for asset, check in rows}
    return found


if __name__ == "__main__":
    main()
