"""Which package index `make install` takes torch from: prints its address, or nothing for the one that pip knows.

Without an NVIDIA driver the CUDA build, which pip's usual index gives on Linux, is several GB that nothing can use.
PyTorch's own index of CPU builds serves then, if it offers the wanted version within seconds. Runs in a fresh virtual
environment, so it needs nothing but Python.
"""

from __future__ import annotations

import platform
import re
import shutil
import sys
import urllib.request
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Thread

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS = 8.0
CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"


def wanted_version() -> str:
    """Version of torch that the constraints name."""
    found = re.search(r"^torch==(\S+)$", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        sys.exit(f"{CONSTRAINTS.name} names no version of torch")
    return found[1]


def is_installed(wanted: str) -> bool:
    """Whether this environment has the version, whatever it was built for."""
    try:
        return version("torch").partition("+")[0] == wanted
    except PackageNotFoundError:
        return False


def has_driver(root: Path = Path("/")) -> bool:
    """Whether an NVIDIA driver is here: its tool, its entry of the kernel, or its device."""
    traces = (root / "proc/driver/nvidia", root / "dev/nvidia0")
    return shutil.which("nvidia-smi") is not None or any(trace.exists() for trace in traces)


def offers(index: str, wanted: str, seconds: float = SECONDS) -> bool:
    """Whether the index offers the version for this Python and machine, and says so within the time.

    A thread of its own reads, since a name server that does not answer cannot be interrupted.
    """
    wheel = re.compile(
        rf"torch-{re.escape(wanted)}(\+|%2B)cpu-cp{sys.version_info[0]}{sys.version_info[1]}-cp\d+-\w*linux\w*_{platform.machine()}\.whl"
    )
    found: list[bool] = []

    def read() -> None:
        try:
            with urllib.request.urlopen(f"{index}/torch/", timeout=seconds) as answer:  # noqa: S310 - https, or a test's
                found.append(wheel.search(answer.read().decode("utf-8", "replace")) is not None)
        except (OSError, ValueError):
            found.append(False)

    reading = Thread(target=read, daemon=True)
    reading.start()
    reading.join(seconds)
    return found == [True]


def chosen(wanted: str) -> tuple[str, str]:
    """The index, blank for pip's own; and what to tell of it, blank for nothing."""
    if platform.system() != "Linux" or is_installed(wanted):
        return "", ""
    if has_driver():
        return "", "torch comes from pip's index, with CUDA: an NVIDIA driver is here"
    if offers(CPU_INDEX, wanted):
        return CPU_INDEX, ""
    return "", (
        f"torch comes from pip's index, usually the CUDA build of several GB: {CPU_INDEX} does not offer "
        f"{wanted} for this Python within {SECONDS:.0f} s. TORCH_INDEX=address names another index"
    )


if __name__ == "__main__":
    index, said = chosen(wanted_version())
    sys.stderr.write(f"{said}\n" if said else "")
    sys.stdout.write(f"{index}\n")
