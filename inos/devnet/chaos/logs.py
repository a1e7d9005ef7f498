"""Reads bans, reorganisations and uncaught errors from the nodes' logs."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SHORT_ID: Final = 12
"""Number of hex digits of a peer's id in a log."""
TRACEBACK: Final = "Traceback (most recent call last)"
MAX_FAULTS: Final = 5
"""Largest number of faults kept per node for the report."""
FAULT_CHARS: Final = 2000


@dataclass
class LogFigures:
    """One node's log over all its restarts.

    Attributes:
        bans: number of bans by reason.
        honest_bans: reasons for which a node of the fleet itself was banned.
        undone: number of blocks that each reorganisation undid.
        faults: lines with a traceback.
    """

    bans: Counter[str] = field(default_factory=Counter)
    honest_bans: list[str] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def deepest(self) -> int:
        return max(self.undone, default=0)


def read_log(path: Path, honest_ids: frozenset[str]) -> LogFigures:
    """Read a node's log; a line that a kill cut short is ignored."""
    figures = LogFigures()
    short_ids = {id[:SHORT_ID] for id in honest_ids}
    with path.open(errors="replace") as file:
        for line in file:
            if TRACEBACK in line and len(figures.faults) < MAX_FAULTS:
                figures.faults.append(line.strip()[:FAULT_CHARS])
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                _count(figures, entry, short_ids)
    return figures


def _count(figures: LogFigures, entry: dict[str, Any], short_ids: set[str]) -> None:
    match entry.get("event"):
        case "peer banned":
            figures.bans[str(entry.get("code"))] += 1
            if entry.get("peer") in short_ids:
                figures.honest_bans.append(f"{entry['peer']}: {entry.get('code')}: {entry.get('reason')}")
        case "reorganisation":
            figures.undone.append(int(entry.get("depth", 0)))
        case _:
            pass  # other events are not counted
