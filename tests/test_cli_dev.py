"""`cdp dev` as a script starts it, in the background: SIGTERM ends it and every process that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent
BACKGROUND = "trap '' INT QUIT; exec \"$@\""
"""What a shell without job control does to the processes that it starts with `&`."""

DEFINITIONS = (
    "import dagster as dg\n\n@dg.asset\ndef thing() -> None: ...\n\ndefs = dg.Definitions([thing])\n"
)


@contextmanager
def in_background(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A process that goes on as the command by `become`; whatever is left of it is killed at the end."""
    code = "import os, sys; from cdp_assets.cli.server import become; become(sys.argv[1:], dict(os.environ))"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(folder)}
    process = subprocess.Popen(
        ["sh", "-c", BACKGROUND, "sh", sys.executable, "-c", code, *command], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    children: list[psutil.Process] = []
    try:
        yield process
    finally:
        if process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        for child in children:
            child.kill()
        process.communicate()


def test_signals_that_a_shell_ignores_for_a_script_are_heard_again(tmp_path: Path) -> None:
    shows = (
        "import signal; print([signal.getsignal(n) for n in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)])"
    )
    with in_background(tmp_path, sys.executable, "-c", shows) as process:
        said, _ = process.communicate(timeout=60)
    assert "SIG_IGN" not in said
    assert said.count("SIG_DFL") == 2
    assert "default_int_handler" in said


def test_sigterm_ends_dagster_and_all_that_it_started(tmp_path: Path) -> None:
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dagster", "dev", "-f", "definitions.py", "--port", str(port)]
    with in_background(tmp_path, *command) as process:
        started = until_it_serves(process, port)
        process.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs([psutil.Process(process.pid), *started], timeout=60)
        assert not [each.cmdline() for each in left]


def until_it_serves(process: subprocess.Popen[str], port: int) -> list[psutil.Process]:
    """All processes of it, once the webserver answers."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                started = psutil.Process(process.pid).children(recursive=True)
                assert len(started) >= 3, "webserver, daemon, code"
                return started
        time.sleep(0.2)
    pytest.fail("dagster does not serve")
