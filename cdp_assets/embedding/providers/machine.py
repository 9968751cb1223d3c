"""What this machine can compute with: cores that the process may use, 16-bit arithmetic, a GPU.

Belongs here: facts read from the system, at no cost. Does not belong here: which backend follows from them (`local`).
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def cores() -> int:
    """Cores that this process may keep busy: its affinity, less what a container's quota allows."""
    # not os.cpu_count(): threads beyond the allowed cores spin against each other (macOS has no affinity)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_QUOTA.read_text().split()
    except (OSError, ValueError):
        return allowed
    return allowed if quota == "max" else max(1, min(allowed, round(int(quota) / int(period))))


@cache
def computes_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; elsewhere bfloat16 is slower than float32."""
    try:
        info = CPU_INFO.read_text()
    except OSError:
        return False
    flags = next((line.split() for line in info.splitlines() if line.startswith("flags")), [])
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


@cache
def has_gpu() -> bool:
    """Whether torch can use an NVIDIA GPU; torch is imported only where there is a driver."""
    if not NVIDIA_DRIVER.exists():
        return False
    import torch

    return torch.cuda.is_available()
