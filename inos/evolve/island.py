"""An island: a folder with its files, its seed, and the head of its lineage. A kill at any moment loses no generation.

A generation's files are written first, then its record, and then `island.json`, which names the record as the head. So
the head always leads to files that are whole, and what was computed without becoming the head is computed again to the
same bits.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from inos.evolve.errors import InvalidRun
from inos.evolve.files import ChainedFiles, Files, FolderFiles
from inos.evolve.generations import Outcome, Start, compute_generation
from inos.evolve.records import (
    MAX_RECORD_BYTES,
    RECORD_VERSION,
    Owner,
    Record,
    Seed,
    check_citation,
    decode_record,
    encode_record,
)
from inos.evolve.runners import Runner
from inos.evolve.runs import OpenRun, list_files, open_run
from inos.primitives.atomic_files import replace_file
from inos.primitives.matrices import Hash32
from inos.work.files import compute_file_id

STATE_FILE: Final = "island.json"
FILES_FOLDER: Final = "files"
MAX_STATE_BYTES: Final = 1 << 20
MAX_IGNORED: Final = 1000
"""Owners of false records that are remembered; the oldest one is forgotten first."""


class State(Struct, frozen=True, forbid_unknown_fields=True):
    """What `island.json` holds; bytes are base64 there.

    Attributes:
        ignored: owners whose records were false, in hex, with the reason.
    """

    run: Hash32
    owner: Owner
    seed: Seed
    head: Hash32 | None = None
    ignored: dict[str, str] = {}


class Island:
    """One island of this machine.

    Args:
        mesh: where new files are written too, so that others find them; None without.
        others: where files of other islands are read.
    """

    def __init__(self, folder: Path, mesh: Files | None = None, others: Sequence[Files] = ()) -> None:
        self.folder = folder
        self.state = read_state(folder)
        own = FolderFiles(folder / FILES_FOLDER)
        self.own: Files = own
        self._mesh = mesh
        self.files: Files = ChainedFiles(own, *others, *([] if mesh is None else [mesh]))
        self.opened: OpenRun = open_run(self.files, self.state.run)
        self.head: tuple[bytes, Record] | None = None
        if self.state.head is not None:
            self.head = self.state.head, read_record(own, self.state.head)

    @property
    def number(self) -> int:
        """Return the number of the next generation."""
        return 0 if self.head is None else self.head[1].number + 1

    @property
    def fitness(self) -> int | None:
        return None if self.head is None else self.head[1].fitness

    def advance(self, runner: Runner, cited: tuple[bytes, Record] | None = None) -> Record:
        """Compute the next generation and make it the head.

        Args:
            cited: a record of another island, which the caller has checked; its files are kept here too.

        Raises:
            see `compute_generation`.
        """
        start = Start(self.state.seed, self.number, self.head, cited)
        if cited is not None:
            self._keep_cited(*cited)
        outcome = compute_generation(self.files, self.opened, start, runner)
        record = self._make_record(start, outcome)
        for data in (*outcome.files, encode_record(record)):
            self._put(data)
        self.head = bytes(compute_file_id(encode_record(record))), record
        self._write(head=self.head[0])
        return record

    def share(self) -> None:
        """Put the files of the run into the mesh."""
        if self._mesh is not None:
            for data in list_files(self.opened):
                self._mesh.put(data)

    def ignore(self, owner: bytes, reason: str) -> None:
        """Read no more records of an owner, of whom one was false."""
        ignored = {**self.state.ignored, owner.hex(): reason[:200]}
        while len(ignored) > MAX_IGNORED:
            del ignored[next(iter(ignored))]
        self._write(ignored=ignored)

    def _make_record(self, start: Start, outcome: Outcome) -> Record:
        state = self.state
        return Record(
            RECORD_VERSION,
            state.run,
            state.owner,
            state.seed,
            start.number,
            start.parent_id,
            None if start.cited is None else start.cited[0],
            outcome.genome,
            outcome.fitness,
            outcome.elites,
            outcome.task,
        )

    def _keep_cited(self, id: bytes, record: Record) -> None:
        check_citation(self.state.run, (self.state.owner, self.state.seed), record)
        genome = self.files.get(record.genome, self.opened.genome.nbytes, "the genome of the cited record")
        for data in (genome, encode_record(record)):
            self.own.put(data)

    def _put(self, data: bytes) -> None:
        self.own.put(data)
        if self._mesh is not None:
            self._mesh.put(data)

    def _write(self, *, head: bytes | None = None, ignored: dict[str, str] | None = None) -> None:
        state = self.state
        self.state = State(
            state.run,
            state.owner,
            state.seed,
            state.head if head is None else head,
            state.ignored if ignored is None else ignored,
        )
        write_state(self.folder, self.state)


class FolderPending:
    """Keeps the id of the task that an island waits for in the island's folder."""

    def __init__(self, folder: Path) -> None:
        self._path: Path = folder / "pending.json"

    def save(self, name: bytes, job: str) -> None:
        replace_file(self._path, json.dumps({"given": compute_file_id(name).hex(), "task": job}).encode())

    def find(self, name: bytes) -> str | None:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return None
        is_same = isinstance(found, dict) and found.get("given") == compute_file_id(name).hex()
        return str(found["task"]) if is_same and isinstance(found.get("task"), str) else None

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


def create_island(folder: Path, files: Files, run: bytes, seed: bytes, owner: bytes) -> None:
    """Make the folder of a new island, with the files of its run.

    Raises:
        InvalidRun: "island-exists"; the run is invalid. Missing: a file of the run is not at hand.
    """
    if (folder / STATE_FILE).exists():
        raise InvalidRun("island-exists", f"{folder} holds an island already", hint="run it on, or name another folder")
    opened = open_run(files, run)
    own = FolderFiles(folder / FILES_FOLDER)
    for data in list_files(opened):
        own.put(data)
    write_state(folder, State(run, owner, seed))


@contextmanager
def lock_island(folder: Path) -> Iterator[None]:
    """Hold an island, so that no second process computes on it.

    Raises:
        InvalidRun: "island-busy".
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidRun("island-busy", f"another process computes on the island in {folder}") from None
        yield
    finally:
        os.close(handle)


def read_state(folder: Path) -> State:
    """Read `island.json`.

    Raises:
        InvalidRun: "no-island", "island-damaged".
    """
    try:
        with (folder / STATE_FILE).open("rb") as stream:
            return msgspec.json.decode(stream.read(MAX_STATE_BYTES), type=State)
    except OSError:
        raise InvalidRun("no-island", f"there is no island in {folder}", hint="inos evolve run makes one") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRun("island-damaged", f"{folder / STATE_FILE} is damaged: {error}") from error


def write_state(folder: Path, state: State) -> None:
    replace_file(folder / STATE_FILE, msgspec.json.encode(state) + b"\n")


def read_record(files: Files, id: bytes) -> Record:
    """Fetch a record by its id.

    Raises:
        Missing: it is not at hand. InvalidRecord: the bytes are no record.
    """
    return decode_record(files.get(id, MAX_RECORD_BYTES, "the record"))
