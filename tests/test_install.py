"""`make install` on a newcomer's machine: where torch comes from, and folders with spaces. No index is asked."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "deploy" / "torch_index.py"
HERE = f"cp{sys.version_info[0]}{sys.version_info[1]}"
WHEEL = f"torch-9.9.9%2Bcpu-{HERE}-{HERE}-manylinux_2_28_{platform.machine()}.whl"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("torch_index", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- Is there a driver


@pytest.mark.parametrize("trace", ["proc/driver/nvidia", "dev/nvidia0"])
def test_a_driver_is_known_by_its_traces(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trace: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not script.has_driver(tmp_path)
    (tmp_path / trace).mkdir(parents=True)
    assert script.has_driver(tmp_path)


def test_a_driver_is_known_by_its_tool(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert script.has_driver(tmp_path)


# --- Does the index answer


class Page(BaseHTTPRequestHandler):
    """An index with one page."""

    body, status = "", 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Quiet."""


@contextmanager
def serving(body: str, status: int = 200) -> Iterator[str]:
    handler = type("_Page", (Page,), {"body": body, "status": status})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("body", "status", "offers"),
    [
        (f'<a href="/whl/cpu/{WHEEL}#sha256=1">x</a>', 200, True),
        (WHEEL.replace("%2B", "+"), 200, True),
        (WHEEL.replace("9.9.9", "9.9.90"), 200, False),
        (WHEEL.replace("%2Bcpu", "%2Bcu130"), 200, False),
        (WHEEL.replace(HERE, "cp310"), 200, False),
        (WHEEL.replace(platform.machine(), "riscv64"), 200, False),
        (WHEEL.replace("manylinux_2_28", "win"), 200, False),
        (WHEEL, 404, False),
        (WHEEL, 500, False),
        ("", 200, False),
        ("<html>log in to the network</html>", 200, False),
    ],
)
def test_only_an_index_that_has_the_wheel_is_taken(
    script: ModuleType, body: str, status: int, offers: bool
) -> None:
    with serving(body, status) as index:
        assert script.offers(index, "9.9.9", 20) is offers


def test_an_index_that_does_not_answer_is_not_waited_for(script: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert not script.offers(f"http://127.0.0.1:{silent.getsockname()[1]}", "9.9.9", 0.3)
        assert time.monotonic() - began < 5
    assert not script.offers("http://127.0.0.1:1", "9.9.9", 5)
    assert not script.offers("no address", "9.9.9", 5)


# --- What follows


@pytest.mark.parametrize(
    ("system", "installed", "driver", "offered", "index", "said"),
    [
        ("Linux", False, False, True, True, ""),
        ("Linux", False, False, False, False, "TORCH_INDEX=address names another"),
        ("Linux", False, True, True, False, "an NVIDIA driver is here"),
        ("Linux", True, False, True, False, ""),
        ("Darwin", False, False, True, False, ""),
    ],
)
def test_the_cpu_build_is_taken_where_nothing_else_is_of_use(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, system: str, installed: bool, driver: bool, offered: bool,
    index: bool, said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(script.platform, "system", lambda: system)
    monkeypatch.setattr(script, "is_installed", lambda _: installed)
    monkeypatch.setattr(script, "has_driver", lambda: driver)
    monkeypatch.setattr(script, "offers", lambda *_: offered)
    found, line = script.chosen("9.9.9")
    assert found == (script.CPU_INDEX if index else "")
    assert (said in line) if said else (line == "")
    assert "\n" not in line


def test_the_version_is_the_one_of_the_constraints(script: ModuleType) -> None:
    assert f"torch=={script.wanted_version()}\n" in (ROOT / "constraints.txt").read_text()
    assert script.is_installed(script.wanted_version())
    assert not script.is_installed("9.9.9")


# --- The Makefile

PYTHON = """#!/bin/sh
# stands for every Python: notes what it is asked
printf '%s\\n' "$*" >> "$LOG"
case "$*" in
    "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    deploy/torch_index.py) echo "$FOUND" ;;
    *import*tomllib*) echo duckdb ;;
    *"-r .venv/.bench"*) exit "${BENCH_RC:-0}" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder of mine"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copyfile(ROOT / name, folder / name)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return folder


def make(checkout: Path, *arguments: str, **environment: str) -> tuple[str, str, int]:
    """What make said, what Python was asked, and the exit status."""
    log = checkout.parent / "log"
    done = subprocess.run(
        ["make", f"PYTHON={checkout.parent / 'python'}", *arguments], cwd=checkout, check=False, text=True,
        env=os.environ | {"LOG": str(log), "FOUND": ""} | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout, log.read_text(), done.returncode


def torch_installs(asked: str) -> list[str]:
    return [line for line in asked.splitlines() if "--index-url" in line]


def test_torch_comes_from_the_index_that_was_found(checkout: Path) -> None:
    said, asked, status = make(checkout, "install", FOUND="https://cpu.example/whl")
    assert status == 0, said
    (line,) = torch_installs(asked)
    assert "--no-deps --index-url https://cpu.example/whl torch==" in line
    assert asked.index("--index-url") < asked.index("-e .[dev]")


def test_without_one_everything_comes_from_pips_index(checkout: Path) -> None:
    said, asked, status = make(checkout, "install")
    assert status == 0, said
    assert not torch_installs(asked)
    assert "-c constraints.txt -e .[dev]" in asked


def test_an_index_that_is_named_is_taken_unasked(checkout: Path) -> None:
    _, asked, status = make(
        checkout, "install", "TORCH_INDEX=https://mine.example/cu130", FOUND="https://cpu.example/whl"
    )
    assert status == 0
    (line,) = torch_installs(asked)
    assert "https://mine.example/cu130" in line
    assert "deploy/torch_index.py" not in asked


def test_an_install_is_done_once(checkout: Path) -> None:
    make(checkout, "install")
    (checkout.parent / "log").write_text("")
    _, asked, status = make(checkout, "install")
    assert (asked, status) == ("", 0)


def test_bench_installs_what_it_compares_with_or_says_so_in_one_line(checkout: Path) -> None:
    _, asked, status = make(checkout, "bench", "BENCH=datasets.events")
    assert status == 0
    assert asked.index("-r .venv/.bench") < asked.index("-m benchmarks.datasets.events")
    said, asked, status = make(checkout, "bench", BENCH_RC="1")
    assert status != 0
    assert said.count("make bench needs the packages of the extra bench") == 1
    assert "-m benchmarks.landing" not in asked


def test_the_pythons_of_the_makefile_are_those_of_the_package(checkout: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    named = [name.rpartition(" ")[2] for name in project["classifiers"] if "Python :: 3." in name]
    assert named == ["3.11", "3.12", "3.13"]
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (ROOT / "Makefile").read_text()
    python = checkout.parent / "python"
    python.write_text(PYTHON.replace('case "$*" in', 'case "$*" in\n    *version_info*) exit 1 ;;'))
    said, asked, status = make(checkout, "install")
    assert status != 0
    assert "Python 3.11, 3.12 or 3.13 is needed: make install PYTHON=" in said
    assert "venv" not in asked


def test_a_benchmark_names_the_package_that_it_misses_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "needs.py").write_text("import benchmarks, no_such_package\n")
    done = subprocess.run(
        [sys.executable, "needs.py"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "this benchmark needs the package no_such_package: benchmarks/README.md says how to install it"
    ]
