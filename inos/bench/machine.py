"""The machine that is measured, and the memory of processes on it."""

import os
import platform
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, str]:
    """Return the processor, the system, and the versions of what multiplies."""
    import numpy

    machine = {
        "processor": _find_processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": numpy.__version__,
    }
    try:
        import torch

        machine["torch"] = str(torch.__version__)
    except ImportError:
        pass
    return machine


def _find_processor() -> str:
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def read_memory_mb(pid: int, field: str) -> float:
    """Return memory of a process in 10^6 bytes; 0 if the system does not say.

    Args:
        field: VmRSS, what it has now; RssAnon, the part of it that is not of mapped files; VmHWM, the most it had.
    """
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        return 0.0
    return 0.0


def read_cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken, in seconds; 0 if the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def list_children(pid: int) -> list[int]:
    """Return the processes that a process started; empty if the system does not say."""
    try:
        threads = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(text) for thread in threads for text in thread.read_text().split()]
    except OSError:
        return []
