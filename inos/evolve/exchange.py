"""Migration: which records of other islands are read, and which of them is worth citing.

Everything here is bounded for each owner and each look, because records cost nothing to write: how many owners are
looked at, how many records of each are read, and how many generations are computed again before one is cited. An owner
of a false record is ignored from then on; a record that cannot be checked yet is left for later.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from inos.client.errors import ClientError
from inos.evolve.errors import InvalidRecord, Missing
from inos.evolve.island import Island, read_record, read_state
from inos.evolve.records import Record, check_citation
from inos.evolve.replay import Replayer, State

MAX_OWNERS: Final = 64
"""Owners that one look reads records of."""
MAX_RECORDS_PER_OWNER: Final = 4
"""Records of one owner that one look reads."""
MAX_REPLAYS: Final = 8
"""Generations that one look computes again."""
LOOK_S: Final = 60.0
"""A look ends after this time; files that nobody serves are waited for, and many of them would hold the island up."""


class Sighting(NamedTuple):
    """A record that was seen, and the owner who showed it: nobody is held to a record that another one shows."""

    record: bytes
    owner: bytes


class Neighbours(Protocol):
    """Where records of other islands are found."""

    def find(self, island: Island) -> Iterable[Sighting]:
        """Yield records of other islands of the same run, the newest first."""


class FolderNeighbours:
    """Other islands on this machine, each in a folder."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)

    def find(self, island: Island) -> Iterator[Sighting]:
        for folder in self._folders:
            state = read_state(folder)
            if state.head is not None and state.run == island.state.run:
                yield Sighting(state.head, state.owner)


class Look(NamedTuple):
    """What a look at other islands ends with.

    Attributes:
        best: the fittest record that was computed again and is right; None if none is fitter than the island.
        waiting: records that cannot be checked yet, with the reason.
        refused: owners that are ignored from now on, with the reason.
    """

    best: tuple[bytes, Record] | None
    waiting: dict[bytes, str]
    refused: dict[bytes, str]


def look_around(island: Island, seen: Iterable[Sighting], replayer: Replayer, *, limit_s: float = LOOK_S) -> Look:
    """Read some of the records that were seen, and return the fittest right one that is fitter than the island's head.

    Owners of false records are ignored by the island from now on. After `limit_s` seconds nothing more is read, and
    nothing more computed.
    """
    until = time.monotonic() + limit_s
    waiting: dict[bytes, str] = {}
    refused: dict[bytes, str] = {}
    candidates = _read_bounded(island, seen, waiting, until)
    candidates.sort(key=lambda each: (-each[1].fitness, each[0]))
    replays = 0
    for id, record in candidates:
        if replays == MAX_REPLAYS or time.monotonic() > until:
            break
        if record.owner in refused or (island.fitness is not None and record.fitness <= island.fitness):
            continue
        replays += 1
        verdict = replayer.check(id)
        if verdict.state is State.RIGHT:
            return Look((id, record), waiting, refused)
        if verdict.state is State.UNCHECKED:
            waiting[id] = verdict.reason
            continue
        refused[record.owner] = verdict.reason
        island.ignore(record.owner, verdict.reason)
    return Look(None, waiting, refused)


def _read_bounded(
    island: Island, seen: Iterable[Sighting], waiting: dict[bytes, str], until: float
) -> list[tuple[bytes, Record]]:
    """Read at most `MAX_RECORDS_PER_OWNER` records of each of at most `MAX_OWNERS` owners."""
    counts: dict[bytes, int] = {}
    found: dict[bytes, Record] = {}
    for record, owner in seen:
        if time.monotonic() > until:
            break
        if len(counts) == MAX_OWNERS and owner not in counts:
            continue
        if counts.get(owner, 0) == MAX_RECORDS_PER_OWNER or record in found or owner.hex() in island.state.ignored:
            continue
        counts[owner] = counts.get(owner, 0) + 1
        try:
            read = read_record(island.files, record)
            check_citation(island.state.run, (island.state.owner, island.state.seed), read)
        except (Missing, ClientError) as error:
            waiting[record] = error.message
        except InvalidRecord:
            continue
        else:
            if read.owner == owner:
                found[record] = read
    return list(found.items())
