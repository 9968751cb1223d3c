"""The command line as a newcomer uses it: real processes on a data folder of their own, one story from start to end."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from click.testing import CliRunner

from cdp_assets.cli import cdp
from tests.conftest import CDNOW

BIN = Path(sys.executable).parent


class Installation:
    """A data folder and the commands run on it."""

    def __init__(self, folder: Path) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CDP_", "DAGSTER_", "PYTEST"))
        }
        self.env = {**kept, "CDP_DATA_DIR": str(folder), "PYTHONWARNINGS": "ignore"}

    def run(
        self, *command: str, env: dict[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            env={**self.env, **(env or {})}, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def dagster_env(self) -> dict[str, str]:
        exports = self.run("cdp", "env").stdout.splitlines()
        pairs = (shlex.split(line.removeprefix("export "))[0].partition("=") for line in exports)
        return {name: value for name, _, value in pairs}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("cdp") / "data"
    folder.mkdir()
    (model_cache / "models").mkdir(parents=True, exist_ok=True)
    (folder / "models").symlink_to(model_cache / "models")
    installation = Installation(folder)
    yield installation
    installation.run("cdp", "down")


@pytest.fixture(scope="module")
def first(installed: Installation) -> str:
    """Output of the first `cdp pipeline`. Of one tenant: each takes half a minute, and the next goes the same way."""
    return installed.run("cdp", "pipeline", "--size", "tiny", "--tenant", "acme-demo", "--verbose").stdout


def rows_of(output: str, tenant: str, asset: str) -> list[str]:
    line = next(line for line in output.splitlines() if re.search(rf"{tenant}\s+│ \w+\.{asset}\s", line))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_the_first_run_builds_every_asset(first: str) -> None:
    for asset in (
        "segment", "customer_profile", "transactional_context", "customer_metrics", "profile_embedding",
        "transaction_embedding", "product_embedding", "review_embedding", "marketing_event_embedding", "orders",
        "order_items", "dim_customers", "dim_products", "fct_sales", "fct_orders", "mart_customer_360",
        "user_item_interactions", "customer_features", "funnel_daily", "segment_member",
    ):  # fmt: skip
        cells = rows_of(first, "acme-demo", asset)
        assert int(cells[2].replace(",", "")) > 0
        assert int(cells[5]) > 0, "checks ran"
        assert cells[7] == "0", "no check failed"
    assert "NOT BUILT" not in first
    assert "cdp dev" in first
    assert "│ lotus-demo" not in first, "only the tenant that was asked for"


FIRST_STAGES = """
from cdp_assets.cli import cdp, pipeline
pipeline.STAGES = pipeline.STAGES[:3]
cdp(["pipeline", "--verbose"])
"""
"""`cdp pipeline` without the stages that take longest."""


def test_without_a_tenant_all_of_the_demo_world_are_built(installed: Installation, first: str) -> None:
    output = installed.run("python", "-c", FIRST_STAGES).stdout
    for tenant in ("acme-demo", "lotus-demo", "nova-demo"):
        # the first tenant's vectors are there already: sources are read again, that stage is not run
        derived = () if tenant == "acme-demo" else ("profile_embedding",)
        for asset in ("segment", "customer_profile", "transactional_context", "orders", *derived):
            cells = rows_of(output, tenant, asset)
            assert int(cells[2].replace(",", "")) > 0
            assert int(cells[5]) > 0, "checks ran"
            assert cells[7] == "0", "no check failed"
    assert "NOT BUILT" not in output


def test_dbt_runs_for_a_tenant(installed: Installation, first: str) -> None:
    inline = "select count(*) as sales, min(tenant_id) as whose from marts.fct_sales"
    shown = installed.run(
        "cdp", "dbt", "--tenant", "acme-demo", "show", "--inline", inline, "--output", "json"
    ).stdout
    assert re.search(r'"sales": [1-9]\d*', shown)
    assert '"whose": "acme-demo"' in shown


def test_search_and_lookalike_find_rows_of_the_tenant(installed: Installation, first: str) -> None:
    found = installed.run(
        "cdp", "search", "màu đỏ", "--tenant", "acme-demo", "--entity", "product", "--k", "3"
    ).stdout
    assert len(re.findall(r"│ +[123] │", found)) == 3
    key = re.search(
        r"│ +1 │ [\d.]+ │ (\w{20,22}) +│",
        installed.run("cdp", "search", "cà phê", "--tenant", "acme-demo", "--entity", "profile").stdout,
    )
    assert key is not None
    alike = installed.run("cdp", "lookalike", "--tenant", "acme-demo", "--profile", key[1], "--k", "5").stdout
    assert len(re.findall(r"│ +[1-5] │", alike)) == 5
    assert key[1] not in alike.split("━┩")[-1]


def test_a_day_later_only_what_changed_is_written_and_then_nothing(
    installed: Installation, first: str
) -> None:
    installed.run("cdp", "demo", "advance")
    output = installed.run("cdp", "pipeline", "--tenant", "acme-demo", "--verbose").stdout
    total, changed = (
        int(cell.replace(",", "")) for cell in rows_of(output, "acme-demo", "customer_profile")[2:4]
    )
    assert 0 < changed < total
    again = installed.run("cdp", "pipeline", "--tenant", "acme-demo")
    assert "Nothing changed" in again.stdout
    for stage in ("embeddings", "marts", "datasets", "audiences"):
        assert re.search(rf"│ acme-demo +│ {stage} \(nothing changed\)", again.stdout)
    assert len(again.stdout.splitlines()) < 60, "one screen"


def runs_of(installed: Installation, dataset: str) -> int:
    """Closed runs of acme-demo in the registry."""
    socket = parse_qs(urlsplit(installed.dagster_env()["DAGSTER_POSTGRES_URL"]).query)["host"][0]
    with psycopg.connect(host=socket, dbname="cdp_warehouse", user="cdp_pipeline") as conn:
        conn.execute("select set_config('app.tenant_id', 'acme-demo', true)")
        row = conn.execute(
            "select count(*) from ops.etl_runs where dataset = %s and status = 'success'", (dataset,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_dagsters_own_command_materializes_a_tenant(installed: Installation, first: str) -> None:
    before = runs_of(installed, "cdp.segment")
    installed.run(
        "dagster", "asset", "materialize", "-m", "cdp_assets", "--select", "key:cdp/segment",
        "--partition", "acme-demo",
        env=installed.dagster_env(),
    )  # fmt: skip
    assert runs_of(installed, "cdp.segment") == before + 1


def test_a_dump_of_ones_own_becomes_a_tenant_of_its_own(installed: Installation, first: str) -> None:
    output = installed.run("cdp", "pipeline", "--source", str(CDNOW), "--verbose").stdout
    assert rows_of(output, "cdnow_sample", "customer_profile")[2] == "2,357"
    assert rows_of(output, "cdnow_sample", "transactional_context")[2] == "6,919"
    assert "cdnow_sample" in installed.run("cdp", "tenants", "list").stdout


def test_checks_run_alone_and_name_what_cannot(installed: Installation, first: str) -> None:
    before = runs_of(installed, "cdp.consent")
    output = installed.run("cdp", "checks", "run", "--tenant", "acme-demo", "--asset", "cdp.consent").stdout
    assert "acme-demo: 4 of 4 checks passed" in output
    assert runs_of(installed, "cdp.consent") == before, "nothing is built"


def test_status_and_quarantine_tell_where_each_tenant_stands(installed: Installation, first: str) -> None:
    status = installed.run("cdp", "status", "--tenant", "acme-demo").stdout
    assert "cdp_profile2conversion" in status
    assert "never" not in status.split("last sweep")[0]
    listed = installed.run("cdp", "quarantine", "list", "--tenant", "acme-demo").stdout
    key = next(
        cell
        for line in listed.splitlines()
        if "unknown code 5" in line
        for cell in [line.split("│")[2].strip()]
    )
    shown = installed.run("cdp", "quarantine", "show", "acme-demo", key).stdout
    assert '"status": 5' in shown
    assert "DEMOSECRET" not in shown
    replayed = installed.run("cdp", "quarantine", "replay", "acme-demo", "--key", key).stdout
    assert "1 tried, 0 landed, 0 gone from the source, 1 still open" in replayed


def test_tenants_are_added_suspended_resumed_and_removed(installed: Installation, first: str) -> None:
    folder = Path(installed.env["CDP_DATA_DIR"]) / "demo" / "nova-demo"
    added = installed.run(
        "cdp", "tenants", "add", "mirror", "--dump", str(folder), "--option", "default_region=US"
    )
    assert "cdp_profile" in added.stdout
    again = installed.run("cdp", "tenants", "add", "mirror", "--dump", str(folder), check=False)
    assert again.returncode == 1
    assert "--replace" in again.stderr
    assert "Traceback" not in again.stderr
    installed.run("cdp", "tenants", "suspend", "mirror")
    suspended = installed.run(
        "dagster", "asset", "materialize", "-m", "cdp_assets", "--select", "key:cdp/segment", "--partition", "mirror",
        env=installed.dagster_env(), check=False,
    )  # fmt: skip
    assert suspended.returncode != 0
    assert "cdp tenants resume mirror" in suspended.stderr + suspended.stdout
    installed.run("cdp", "tenants", "resume", "mirror")
    assert '"default_region": "US"' in installed.run("cdp", "tenants", "show", "mirror").stdout
    versions = Path(installed.env["CDP_DATA_DIR"]) / "ml" / "customer_features"
    shutil.copytree(versions / "acme-demo", versions / "mirror")
    installed.run("cdp", "tenants", "remove", "mirror", "--yes")
    assert "mirror" not in installed.run("cdp", "tenants", "list").stdout
    assert "acme-demo" in {folder.name for folder in versions.iterdir()}
    assert not (versions / "mirror").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("tenants", "add", "No Good", "--dump", "."), 2, "cannot name a tenant"),
        (("tenants", "add", "fine"), 2, "give either --dump or --arango"),
        (("tenants", "show", "nobody"), 1, "cdp tenants list"),
        (("tenants", "add", "fine", "--dump", str(CDNOW.parent.parent)), 1, "dump"),
        (("quarantine", "replay", "nobody"), 1, "no tenant"),
        (("checks", "run", "--tenant", "nobody"), 1, "cdp tenants list"),
        (
            ("checks", "run", "--tenant", "acme-demo", "--asset", "datasets.reviews_nlp"),
            2,
            "cannot be measured alone",
        ),
        (("pipeline", "--tenant", "nobody"), 2, "no tenant 'nobody'"),
    ],
)
def test_mistakes_get_one_readable_block_and_an_exit_code(
    installed: Installation, first: str, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = installed.run("cdp", *arguments, check=False)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_explains_itself(installed: Installation) -> None:
    top = installed.run("cdp", "--help").stdout
    for command in (
        "pipeline",
        "dev",
        "up",
        "down",
        "env",
        "migrate",
        "status",
        "tenants",
        "quarantine",
        "embedding",
        "search",
        "lookalike",
        "demo",
    ):
        assert command in top
        assert len(CliRunner().invoke(cdp, [command, "--help"]).stdout) > 80
