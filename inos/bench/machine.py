"""The machine that is measured, and the memory of processes on it."""

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
_AUTOGROUP: Final = Path("/proc/self/autogroup")
"""Linux shares the processors out among sessions first, if it groups processes by session; then niceness alone does
nothing against other sessions."""
RAISED: Final = -10
"""The niceness of what is measured, as far as the system allows it."""


@contextmanager
def raised_priority() -> Iterator[None]:
    """Give this thread, and the processes that it starts, precedence over other programs, if this user may do so."""
    before = os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else None
    _set_niceness(before, RAISED)
    try:
        yield
    finally:
        _set_niceness(before, before or 0)


def _set_niceness(before: int | None, niceness: int) -> None:
    with suppress(OSError):
        if before is not None:
            os.setpriority(os.PRIO_PROCESS, 0, niceness)
        if _AUTOGROUP.exists():
            _AUTOGROUP.write_text(str(niceness), encoding="ascii")


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


CPU_CLOCK: Final = 2
"""Linux numbers the clocks of processes by their ids and this kind: the time that the scheduler counted."""


def read_cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken, in seconds; 0 if the system does not say."""
    if sys.platform == "linux":
        with suppress(OSError):
            return time.clock_gettime(~pid << 3 | CPU_CLOCK)  # clock_getcpuclockid(3), which Python does not have
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
