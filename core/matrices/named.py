"""Reads what the specifications of tasks name: the stored matrices of a program, or the module of a function."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Protocol, assert_never

from msgspec import Struct

from inos.consensus.records import TaskWork
from inos.functions import InvalidFunction, decode_spec
from inos.functions.limits import MAX_MODULE_BYTES
from inos.primitives.errors import InosError
from inos.primitives.transactions import TaskKind
from inos.primitives.units import MatrixId
from inos.programs import InvalidProgram, Stored, decode_program

MAX_KEPT: Final = 8192
"""More than the open jobs that a miner looks at, so that many tasks cannot make it read their specifications again."""


class Named(Struct, frozen=True):
    """A specification names this matrix or file."""

    id: MatrixId
    most: int
    """It has at most this many bytes, or the task has no outcome."""


class InfoView(Protocol):
    """Describes a stored matrix or file."""

    @property
    def size(self) -> int: ...


class StorePort(Protocol):
    """Says what is stored here."""

    def find_info(self, matrix: MatrixId) -> InfoView | None: ...

    def get_bytes(self, matrix: MatrixId) -> bytes | None: ...


class NamedMatrices:
    """Reads each specification once. One thread at a time may call it.

    Args:
        max_reads: one look reads at most so many specifications.
        max_bytes: one look reads at most so many bytes of them; a longer one is never read.
    """

    def __init__(self, store: StorePort, max_reads: int, max_bytes: int) -> None:
        self._store = store
        self._limits = (max_reads, max_bytes)
        self._reads_left, self._bytes_left = self._limits
        self._named: OrderedDict[tuple[TaskKind, bytes], tuple[Named, ...] | None] = OrderedDict()
        """A task of the other kind may name the same file, which then means something else."""

    def begin_look(self) -> None:
        """Begin to look at tasks, which may read some specifications."""
        self._reads_left, self._bytes_left = self._limits

    def list_named(self, task: TaskWork) -> tuple[Named, ...] | None:
        """Return what the task's specification names, or None if it is not here yet, cannot be read, is too long, or
        is for a later look."""
        key = task.kind, task.spec
        if key in self._named:
            return self._named[key]
        info = self._store.find_info(MatrixId(task.spec))
        if info is None or not self._reads_left or info.size > self._bytes_left:
            return None
        try:
            data = self._store.get_bytes(MatrixId(task.spec))
            if data is None:  # It is still arriving.
                return None
            named = tuple(_iterate_named(task.kind, data))
        except (InvalidProgram, InvalidFunction):
            named = ()
        except InosError:
            named = None
        self._reads_left -= 1
        self._bytes_left -= info.size
        self._named[key] = named
        while len(self._named) > MAX_KEPT:
            self._named.popitem(last=False)
        return named


def _iterate_named(kind: TaskKind, data: bytes) -> Iterator[Named]:
    match kind:
        case TaskKind.FUNCTION:
            yield Named(decode_spec(data).module_id, MAX_MODULE_BYTES)
        case TaskKind.PROGRAM:
            for each in decode_program(data).inputs:
                if isinstance(each.source, Stored):
                    yield Named(MatrixId(each.source.id), each.type.nbytes)
        case _:
            assert_never(kind)
