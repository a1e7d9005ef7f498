"""Computes records again. Each is right, false, or cannot be checked yet; the last two are never mixed up."""

from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from inos.client.errors import ClientError
from inos.evolve.errors import InvalidRecord, InvalidRun, Missing, Unchecked
from inos.evolve.files import Files
from inos.evolve.generations import Outcome, Start, compute_generation
from inos.evolve.island import read_record
from inos.evolve.records import Record, check_citation, check_link
from inos.evolve.runners import LocalRunner, Runner
from inos.evolve.runs import OpenRun, open_run
from inos.functions import InvalidFunction, Role
from inos.programs import InvalidInput, InvalidProgram

MAX_RECORDS: Final = 100_000
"""A walk through lineages reads no more records than this."""
FALSE: Final = (InvalidRecord, InvalidRun, InvalidProgram, InvalidInput, InvalidFunction)
"""Whatever raises one of these is false on every machine."""


class State(StrEnum):
    """What is known of a record."""

    RIGHT = "right"
    FALSE = "false"
    UNCHECKED = "unchecked"


class Verdict(NamedTuple):
    """What is known of a record, and why it is not right."""

    state: State
    reason: str = ""


class Chain(Protocol):
    """What a record's task on chain says."""

    def check_task(self, record: Record, outcome: Outcome) -> None:
        """Compare a record that names a task with the task.

        Raises:
            InvalidRecord: "bad-task". Unchecked: the chain cannot be asked, or does not know the task yet.
        """


class Lineage(Struct, frozen=True):
    """The records that heads lead to, ancestors first; which ids are not at hand, and which are no records."""

    records: dict[bytes, Record]
    missing: tuple[bytes, ...]
    broken: dict[bytes, str]


def read_lineage(files: Files, heads: list[bytes], limit: int = MAX_RECORDS, *, with_cited: bool = True) -> Lineage:
    """Read all records that heads lead to by parents and, if asked for, by citations."""
    found: dict[bytes, Record] = {}
    missing: list[bytes] = []
    broken: dict[bytes, str] = {}
    queue, seen = deque(heads), set(heads)
    while queue and len(found) < limit:
        id = queue.popleft()
        try:
            record = found[id] = read_record(files, id)
        except Missing:
            missing.append(id)
            continue
        except InvalidRecord as error:
            broken[id] = error.message
            continue
        for each in (record.parent, record.cited if with_cited else None):
            if each is not None and each not in seen:
                seen.add(each)
                queue.append(each)
    order = sorted(found, key=lambda id: (found[id].number, id))
    return Lineage({id: found[id] for id in order}, tuple(missing), broken)


class Replayer:
    """Computes records of any islands again.

    Args:
        chain: compares records with their tasks; None leaves tasks out.
    """

    def __init__(self, files: Files, runner: Runner | None = None, chain: Chain | None = None) -> None:
        self._files, self._chain = files, chain
        self._runner = runner or LocalRunner(Role.CHECKER)
        self._runs: dict[bytes, OpenRun] = {}

    def check(self, id: bytes) -> Verdict:
        """Compute one record again, from its parent's files. Its ancestors are taken as they are."""
        try:
            record = read_record(self._files, id)
            opened, start = self._open(record.run), self._find_start(record)
            outcome = compute_generation(self._files, opened, start, self._runner)
            _compare(record, outcome)
            if record.task is not None and self._chain is not None:
                self._chain.check_task(record, outcome)
        except FALSE as error:
            return Verdict(State.FALSE, f"{error.code}: {error.message}")
        except (Missing, Unchecked, ClientError) as error:
            return Verdict(State.UNCHECKED, f"{error.code}: {error.message}")
        return Verdict(State.RIGHT)

    def check_all(self, lineage: Lineage) -> Iterator[tuple[bytes, Verdict]]:
        """Check all records of a lineage, and the ids that led to none."""
        for id in lineage.records:
            yield id, self.check(id)
        for id in lineage.missing:
            yield id, Verdict(State.UNCHECKED, "file-missing: the record is not at hand")
        for id, reason in lineage.broken.items():
            yield id, Verdict(State.FALSE, reason)

    def _open(self, run: bytes) -> OpenRun:
        if run not in self._runs:
            self._runs.clear()  # one run at a time: its data may be large
            self._runs[run] = open_run(self._files, run)
        return self._runs[run]

    def _find_start(self, record: Record) -> Start:
        parent = cited = None
        if record.parent is not None:
            parent = record.parent, read_record(self._files, record.parent)
            check_link(record, parent[1])
        if record.cited is not None:
            cited = record.cited, read_record(self._files, record.cited)
            check_citation(record.run, (record.owner, record.seed), cited[1])
        return Start(record.seed, record.number, parent, cited)


def _compare(record: Record, outcome: Outcome) -> None:
    """Compare what a record claims with what was computed.

    Raises:
        InvalidRecord: "wrong-genome", "wrong-fitness", "wrong-elites".
    """
    if record.genome != outcome.genome:
        raise InvalidRecord(
            "wrong-genome", f"the genome is {outcome.genome.hex()[:16]}, and not {record.genome.hex()[:16]}"
        )
    if record.fitness != outcome.fitness:
        raise InvalidRecord("wrong-fitness", f"the fitness is {outcome.fitness}, and not {record.fitness}")
    if record.elites != outcome.elites:
        raise InvalidRecord("wrong-elites", "the map of elites is another one")
