"""Processes that kill themselves with SIGKILL: what the workers `*_kill` and the tests that drive them share.

Belongs here: the trap, wrapping a function with it, the loop of the worker process and the caller's end of it. Does not
belong here: at which points which stage may die. Each job is a line of JSON, runs in a fork (no import is paid twice)
and is answered by a line with its exit code: -9 when the point was reached, 0 when the work came to its end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Kill = Callable[..., int]


class Trap:
    """Kills the process when it is sprung for the n-th time."""

    def __init__(self, nth: int) -> None:
        self._left = nth

    def spring(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


Point = Callable[[Trap, Any], None]
"""Sets the trap; the second argument is whatever the stage's worker plays with: its source, its provider."""


def before(owner: Any, name: str) -> Point:
    def install(trap: Trap, _: Any) -> None:
        original = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            trap.spring()
            return original(*args, **kwargs)

        setattr(owner, name, wrapped)

    return install


def after(owner: Any, name: str) -> Point:
    def install(trap: Trap, _: Any) -> None:
        original = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            trap.spring()
            return result

        setattr(owner, name, wrapped)

    return install


def serve(run: Callable[[dict[str, Any]], None]) -> None:
    """Run each job of standard input in a fork."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                run(json.loads(line))
            except BaseException:  # noqa: BLE001 - a fork must never return into its parent's loop
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


@contextmanager
def worker(module: str) -> Iterator[Kill]:
    """A process that runs `module`; what is given runs a job there and returns its exit code."""
    command = [sys.executable, "-m", module]
    root = Path(__file__).parent.parent
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(**job: Any) -> int:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield run
        process.stdin.close()
        assert process.wait(30) == 0
