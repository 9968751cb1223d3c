"""The shape of the code base: who may import whom, and that loading it stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cdp_assets

ROOT = Path(cdp_assets.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]

DAGSTER_FILES = {
    "__init__.py",
    "asset_checks.py",
    "asset_gates.py",
    "asset_runs.py",
    "dagster_storage.py",
    "definitions.py",
    "partitions.py",
    "policies.py",
    "resources.py",
}
DAGSTER_FOLDERS = {"automation", "checks", "io_managers"}
STAGES = {"landing", "modeling", "embedding", "datasets", "audience", "activation"}
UPPER = {"checks", "automation", "cli", "definitions"}

MAX_LINES = 400


def imported(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Modules that a file imports; with `top_level_only` those that loading it brings in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def package_of(name: str) -> str:
    """First folder (or module) below `cdp_assets` of a dotted name."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "cdp_assets" else ""


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_every_module_says_what_belongs_in_it(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, "open the module with what belongs here and what does not"


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_dagster_stays_where_it_belongs(path: Path) -> None:
    place = path.relative_to(ROOT)
    if str(place) in DAGSTER_FILES or place.parts[0] in DAGSTER_FOLDERS or place.name == "assets.py":
        return
    found = imported(path, top_level_only=place.parts[0] == "cli")
    assert not any(name.split(".")[0].startswith("dagster") for name in found)


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_dependencies_point_downstream(path: Path) -> None:
    place = path.relative_to(ROOT)
    home = place.parts[0].removesuffix(".py")
    used = {package_of(name) for name in imported(path)}
    if home in {"sources", "warehouse", "demo"}:
        assert not used & (STAGES | UPPER), "sources, warehouse and demo know nothing of the stages"
    if home in STAGES:
        assert not used & UPPER, "stages know nothing of checks, automation and the command line"
    if home == "sources":
        assert "warehouse" not in used


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_no_file_does_three_jobs(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_only_settings_and_the_entry_points_touch_the_environment(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    if place in {"settings.py", "environment.py"} or place.startswith("cli"):
        return
    assert "os.environ" not in path.read_text(encoding="utf-8")


def test_loading_the_definitions_needs_no_database_and_no_model_library() -> None:
    """Each step process and each CLI call pays for what the code location imports."""
    script = (
        "import sys, cdp_assets\n"
        "from cdp_assets.definitions import build_definitions\n"
        "build_definitions().resolve_all_job_defs()\n"
        "heavy = {'torch', 'sentence_transformers', 'transformers', 'onnxruntime', 'openvino', 'tokenizers',\n"
        "    'sklearn', 'matplotlib', 'dbt.cli', 'arango', 'alembic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
