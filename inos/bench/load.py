"""What else the machine does while it is measured: figures taken beside other programs are not final."""

import os
import time
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

LIMIT: Final = 0.5
"""With more cores busy for others than this, on average over the run, no figure is final."""
_STAT: Final = Path("/proc/stat")
_IDLE: Final = (3, 4)
"""Fields of the first line of /proc/stat that are no work: idle, and waiting for a disk."""
_GUEST: Final = 8
"""Fields from here on are contained in others."""


class Load(Struct, frozen=True):
    """The load of one run."""

    before: float | None
    """The system's load average over the last minute before the run."""
    others: float | None
    """Cores that other programs and other virtual machines used during the run; None if the system does not say."""

    @property
    def is_final(self) -> bool:
        """Return True if figures of this run may be called final."""
        known = self.others if self.others is not None else self.before
        return known is not None and known <= LIMIT

    def describe(self) -> str:
        """Return a line of text."""
        before = "unknown" if self.before is None else f"{self.before:.2f}"
        others = "an unknown number of cores" if self.others is None else f"{self.others:.2f} cores"
        verdict = "" if self.is_final else f"; NOT FINAL: measure again with a load of at most {LIMIT}"
        return f"load before the run {before}, others used {others} during it{verdict}"

    def to_json(self) -> dict[str, Any]:
        return {"load_before": self.before, "others_cores": self.others, "is_final": self.is_final}


class LoadMeter:
    """Measures the load from its creation on."""

    def __init__(self) -> None:
        self._before = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        self._busy, self._own, self._started = _read_busy_s(), _read_own_s(), time.monotonic()

    def read(self) -> Load:
        """Return what it was until now."""
        busy, elapsed = _read_busy_s(), time.monotonic() - self._started
        if busy is None or self._busy is None or elapsed <= 0:
            return Load(self._before, None)
        others = (busy - self._busy - (_read_own_s() - self._own)) / elapsed
        return Load(self._before, round(max(0.0, others), 3))


def _read_own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _read_busy_s() -> float | None:
    """Return the seconds that all cores of the system have worked, time stolen by other virtual machines included."""
    try:
        fields = [int(text) for text in _STAT.read_text().splitlines()[0].split()[1 : 1 + _GUEST]]
    except (OSError, ValueError, IndexError):
        return None
    return sum(value for place, value in enumerate(fields) if place not in _IDLE) / os.sysconf("SC_CLK_TCK")
