"""What makes the repository installable and checkable: pyproject, constraints, Makefile, CI, documented settings.

Belongs here: agreement between those files, and with the code. Does not belong here: containers and Dagster's
configuration (`test_deployment`).
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cdp_assets.settings import Settings

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOW = ROOT / ".github/workflows/ci.yml"

FOLDERS_OF_OTHERS = {".venv", ".data", ".git", "node_modules"}


def _yaml_files() -> list[Path]:
    """Of the repository. Folders of others are not even walked through: an environment has 80,000 files."""
    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = set(folders) - FOLDERS_OF_OTHERS
        found += [Path(folder, name) for name in names if name.endswith((".yml", ".yaml"))]
    return sorted(found)


YAML_FILES = _yaml_files()

PROMISED_TARGETS = {
    "pipeline",
    "dev",
    "test",
    "lint",
    "format",
    "bench",
    "clean",
    "help",
    "install",
    "up",
    "down",
    "dbt-docs",
}


def requirements() -> list[Requirement]:
    """Everything that pyproject.toml asks for, extras included."""
    project = PYPROJECT["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return [Requirement(line) for line in lines]


def pins() -> dict[str, str]:
    """Canonical name -> version of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    split = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in split}


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_yaml_file_parses(path: Path) -> None:
    assert yaml.safe_load(path.read_text()) is not None


# --- pyproject.toml and constraints.txt


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_constraints_pin_a_version_that_the_requirement_admits(requirement: Requirement) -> None:
    pinned = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pinned)


def test_constraints_hold_exact_versions_and_no_addresses() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), line


def test_constraints_pin_nothing_of_cuda() -> None:
    assert not [name for name in pins() if re.match(r"nvidia|cuda|triton", name)]


def provided_by(wanted: list[Requirement]) -> set[str]:
    """Canonical names of distributions, `psycopg[pool]` standing for psycopg-pool too."""
    names = [name for one in wanted for name in (one.name, *(f"{one.name}-{extra}" for extra in one.extras))]
    return {str(canonicalize_name(name)) for name in names}


def third_party_imports(path: Path) -> set[tuple[str, bool]]:
    """Top-level modules that a file imports, and whether it does so inside a function or a condition."""
    found: set[tuple[str, bool]] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        else:
            continue
        found |= {(module.partition(".")[0], node.col_offset > 0) for module in modules}
    return {(top, lazy) for top, lazy in found if top not in sys.stdlib_module_names and top != "cdp_assets"}


def test_every_import_of_the_package_is_a_declared_dependency() -> None:
    declared = provided_by([Requirement(line) for line in PYPROJECT["project"]["dependencies"]])
    with_extras = provided_by(requirements())
    distributions = importlib.metadata.packages_distributions()
    undeclared: dict[str, str] = {}
    for path in sorted((ROOT / "cdp_assets").rglob("*.py")):
        for module, lazy in third_party_imports(path):
            names = {canonicalize_name(name) for name in distributions.get(module, [module])}
            # what comes with an extra may be imported where it is used, never at the top of a module
            if not names & (with_extras if lazy else declared):
                undeclared[module] = str(path.relative_to(ROOT))
    assert not undeclared, f"add to the dependencies in pyproject.toml: {undeclared}"


def test_the_console_script_names_something_that_exists() -> None:
    module, attribute = PYPROJECT["project"]["scripts"]["cdp"].split(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_files_that_the_build_needs_exist() -> None:
    project = PYPROJECT["project"]
    for name in (project["readme"], *project["license-files"], "cdp_assets/py.typed"):
        assert (ROOT / name).is_file(), name


# --- Makefile


def make(*arguments: str) -> str:
    # a make that runs this suite hands its own flags down
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def described_targets() -> dict[str, str]:
    return dict(re.findall(r"^  (\S+) +(\S.*)$", make("help"), flags=re.MULTILINE))


def test_help_describes_every_promised_target() -> None:
    assert set(described_targets()) == PROMISED_TARGETS


def test_plain_make_is_help() -> None:
    assert make() == make("help")


def test_the_readme_promises_no_target_that_is_missing() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "deploy/README.md").read_text()
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.MULTILINE)) <= PROMISED_TARGETS


@pytest.mark.parametrize("target", sorted(PROMISED_TARGETS))
def test_a_target_expands_without_error(target: str) -> None:
    assert make("--dry-run", target)


def test_a_dump_folder_with_spaces_reaches_the_pipeline_whole() -> None:
    assert (
        make("--dry-run", "pipeline", "SOURCE=/a folder/of mine")
        .strip()
        .endswith('--source "/a folder/of mine"')
    )


# --- CI


def jobs() -> dict[str, Any]:
    return yaml.safe_load(WORKFLOW.read_text())["jobs"]


def test_ci_run_is_executable_and_runs_the_suite() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "make test"


def test_the_workflow_has_the_jobs_that_it_must_have() -> None:
    assert set(jobs()) == {"lint", "test", "integration", "image"}
    assert "dagster asset materialize" in str(jobs()["integration"])


def test_the_workflow_may_only_read_and_every_job_ends() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in jobs().items():
        assert job["timeout-minutes"] <= 60, name
        assert "permissions" not in job, name


def test_actions_are_pinned_to_a_commit_and_leave_no_token_behind() -> None:
    for job in jobs().values():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(
    ("schema", "path"),
    [("github-workflows", ".github/workflows/ci.yml"), ("compose-spec", "docker-compose.yml")],
)
def test_a_file_matches_the_schema_of_its_tool(schema: str, path: str) -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        f"vendor.{schema}",
        str(ROOT / path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_commits_are_checked_by_the_tools_of_the_virtual_environment() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    local = next(repo for repo in config["repos"] if repo["repo"] == "local")
    for hook in local["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")


# --- Settings


def test_the_example_file_lists_every_setting_and_no_other() -> None:
    listed = set(re.findall(r"^# (CDP_\w+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    assert listed - {"CDP_SECRETS_DIR"} == {f"CDP_{name.upper()}" for name in Settings.model_fields}


def test_defaults_in_the_example_file_are_the_defaults() -> None:
    listed = re.findall(r"^# CDP_(\w+)=(.+)$", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    examples = {"WAREHOUSE_DSN", "WAREHOUSE_OWNER_DSN", "SECRETS_DIR"}
    for name, value in listed:
        if name not in examples:
            default = Settings.model_fields[name.lower()].default
            assert str(default).lower() == value.lower(), name


def test_no_file_of_settings_is_under_version_control() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {".env", ".venv/", ".data/"} <= set(ignored)
