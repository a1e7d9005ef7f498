"""A run's folder holds the spec, one line for each step's record, and files by their ids.

    spec.json        what is computed
    records.jsonl    the chain of steps
    files/ID         programs, data, first weights, checkpoints
    tasks.jsonl      which task on the market computed what; no part of the chain of steps

A file is written under another name and renamed, and a record is one line that is flushed to disk; so a folder whose
writer is killed at any moment holds a chain of whole steps.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.learn.errors import LearnError
from inos.learn.spec import RunSpec, StepRecord, compute_id, decode, encode
from inos.primitives.atomic_files import replace_file
from inos.work.files import compute_file_id

SPEC: Final = "spec.json"
RECORDS: Final = "records.jsonl"
TASKS: Final = "tasks.jsonl"
FILES: Final = "files"


class Folder:
    """Reads and writes the files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # Files by id

    def put(self, data: bytes) -> str:
        """Store a file; return its id in hex."""
        name = compute_file_id(data).hex()
        place = self.path / FILES / name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            replace_file(place, data)
        return name

    def has(self, name: str) -> bool:
        return (self.path / FILES / name).exists()

    def get(self, name: str) -> bytes:
        """Return a file, compared with its id.

        Raises:
            LearnError: "file-missing", "file-changed".
        """
        place = self.path / FILES / name
        try:
            data = place.read_bytes()
        except FileNotFoundError:
            raise LearnError("file-missing", f"the run lacks the file {name}", hint=f"put it at {place}") from None
        if compute_file_id(data).hex() != name:
            raise LearnError("file-changed", f"{place} is not the file that its name says", hint="fetch it again")
        return data

    def drop(self, name: str) -> None:
        """Delete a file that no checkpoint needs."""
        (self.path / FILES / name).unlink(missing_ok=True)

    # The chain of steps

    def write_spec(self, spec: RunSpec) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        replace_file(self.path / SPEC, encode(spec))

    def read_spec(self) -> RunSpec:
        """Return the run's spec.

        Raises:
            LearnError: "run-missing", "bad-run".
        """
        try:
            data = (self.path / SPEC).read_bytes()
        except OSError:
            raise LearnError("run-missing", f"{self.path} is no folder of a run: it has no {SPEC}") from None
        return decode(data, RunSpec, str(self.path / SPEC))

    def add_record(self, record: Struct) -> None:
        """Append a record; it is on disk afterwards."""
        with open(self.path / RECORDS, "ab") as file:
            file.write(encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def write_records(self, lines: bytes) -> None:
        """Write all records at once, as they were read elsewhere; `read_records` checks them."""
        replace_file(self.path / RECORDS, lines)

    def read_records(self) -> list[StepRecord]:
        """Return all records whose ids and numbers form a chain; a torn last line is left out.

        Raises:
            LearnError: "bad-run", "parent-missing", "bad-record", each with the step.
        """
        return list(check_chain(self.read_spec(), self._read_lines()))

    def _read_lines(self) -> Iterator[StepRecord]:
        try:
            lines = (self.path / RECORDS).read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for number, line in enumerate(lines[:-1], 1):
            yield decode(line, StepRecord, f"the record of step {number}")

    def repair(self) -> None:
        """Cut off a line that was torn when its writer was killed."""
        place = self.path / RECORDS
        if place.exists():
            data = place.read_bytes()
            if not data.endswith(b"\n"):
                replace_file(place, data[: data.rfind(b"\n") + 1])

    def keep_records(self, count: int) -> None:
        """Forget all records after the first `count`."""
        place = self.path / RECORDS
        lines = place.read_bytes().split(b"\n")[:count] if place.exists() else []
        replace_file(place, b"".join([line + b"\n" for line in lines]))


def check_chain(spec: RunSpec, records: Iterator[StepRecord]) -> Iterator[StepRecord]:
    """Yield records while each names the run, its number and the record before.

    Raises:
        LearnError: "bad-record", "parent-missing".
    """
    run = parent = compute_id(spec)
    for step, record in enumerate(records, 1):
        if record.step != step or record.run != run:
            raise LearnError("bad-record", f"where step {step} should be there is step {record.step} of {record.run}")
        if record.parent != parent:
            raise LearnError(
                "parent-missing", f"step {step} names {record.parent} as the record before it, which is {parent}",
                hint=f"a record up to step {step - 1} was changed, or one is missing",
            )  # fmt: skip
        if step > spec.steps or len(record.shards) != spec.shards:
            raise LearnError(
                "bad-record",
                f"step {step} has {len(record.shards)} shards; the run has {spec.steps} steps of {spec.shards}",
            )
        parent = compute_id(record)
        yield record
