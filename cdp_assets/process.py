"""Which process does something, written down so that another one can tell later whether it is gone.

Belongs here: the mark of a process, and the judgement. What is done about work whose process is gone is the caller's.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_CONTAINER = re.compile(r"[0-9a-f]{12}")
"""Host name that Docker gives to a container, and to no other."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A process: host, boot of its kernel, name space of its number, number, start. Blank: not known."""

    host: str
    boot: str
    space: str
    number: int
    start: str

    def __str__(self) -> str:
        return " ".join((self.host, self.boot or "-", self.space or "-", str(self.number), self.start))

    @classmethod
    def of(cls, text: str) -> Mark | None:
        """The mark that was written as this text; None for anything else."""
        parts = text.split(" ")
        if len(parts) != 5 or not parts[3].isdigit():
            return None
        return cls(parts[0], parts[1].strip("-"), parts[2].strip("-"), int(parts[3]), parts[4])

    @classmethod
    def of_process(cls, number: int) -> Mark:
        """The mark of a process of this host.

        Raises:
            ProcessLookupError: there is none.
        """
        return cls(socket.gethostname(), _boot(), _space(), number, _start(number))


def here() -> str:
    """The mark of this process, as text without personal data."""
    return str(Mark.of_process(os.getpid()))


def began_at() -> float:
    """When this process started, in seconds since 1970."""
    return float(psutil.Process().create_time())


def is_gone(text: str) -> bool | None:
    """Whether the process of a mark is gone; None where that cannot be told, as of another host."""
    mark = Mark.of(text)
    if mark is None or mark.host != socket.gethostname():
        return None
    if mark.boot != _boot():
        return True if mark.boot and _boot() else None
    if mark.space != _space():
        # numbers of two containers, which share a name only if somebody named them; else it is the same one, restarted
        return True if _CONTAINER.fullmatch(mark.host) else None
    try:
        return _start(mark.number) != mark.start
    except ProcessLookupError:
        return None if _exists(mark.number) else True


def _exists(number: int) -> bool:
    """Whether there is such a process, though we may not look at it: a system can hide those of other users."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@cache
def _boot() -> str:
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip().replace("-", "") if file.exists() else ""


@cache
def _space() -> str:
    link = Path("/proc/self/ns/pid")
    return "".join(filter(str.isdigit, str(link.readlink()))) if link.is_symlink() else ""


def _start(number: int) -> str:
    """When the process started: in ticks since the boot where the kernel counts them, which no clock's change moves."""
    try:
        if Path("/proc/self/stat").exists():
            state, *rest = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            return "ended" if state == "Z" else rest[18]  # Z: its parent has not looked yet
        return f"{psutil.Process(number).create_time():.0f}"
    except (FileNotFoundError, psutil.NoSuchProcess) as error:
        raise ProcessLookupError(number) from error
