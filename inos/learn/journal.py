"""The journal keeps which task computes which call of a run, so that a run that is killed asks for nothing twice."""

import os
import threading
from pathlib import Path

import msgspec
from msgspec import Struct


class TaskLine(Struct, frozen=True):
    """Names the task of a call.

    Attributes:
        call: the id of program and inputs.
        step: of the run.
        job: the task's id.
        outputs: ids of the outputs that the run goes on with; none before they are delivered.
        is_closed: the outcome is paid, or the task failed: nothing changes any more.
    """

    call: str
    step: int
    job: str
    outputs: tuple[str, ...]
    is_closed: bool = False


class Journal:
    """Keeps the tasks of one run; several threads may call its methods."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._lines: dict[str, TaskLine] = {}
        if path.exists():
            for line in path.read_bytes().split(b"\n")[:-1]:
                read = msgspec.json.decode(line, type=TaskLine)
                self._lines[read.call] = read

    def find(self, call: str) -> str | None:
        """Return the task that computes a call, or None."""
        line = self._lines.get(call)
        return None if line is None or (line.is_closed and not line.outputs) else line.job

    def list_open(self) -> list[TaskLine]:
        """Return the tasks whose outcome is used and not paid yet."""
        with self._lock:
            return [line for line in self._lines.values() if line.outputs and not line.is_closed]

    def add(self, line: TaskLine) -> None:
        """Write a line; it is on disk afterwards. It takes the place of the one before for the same call."""
        with self._lock:
            self._lines[line.call] = line
            with open(self._path, "ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def close(self, call: str) -> None:
        """Note that the task of a call is paid."""
        self.add(msgspec.structs.replace(self._lines[call], is_closed=True))

    def forget(self, call: str) -> None:
        """Note that the task of a call failed: another one computes it."""
        self.add(msgspec.structs.replace(self._lines[call], outputs=(), is_closed=True))
