"""Says whether everything that a job works on is stored here: computing goes where the data lies."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, assert_never

from inos.consensus.records import Job, ProductWork, TaskWork
from inos.functions import InvalidFunction, decode_spec
from inos.miner.ports import MatricesPort
from inos.primitives.errors import InosError
from inos.primitives.transactions import TaskKind
from inos.primitives.units import MatrixId
from inos.programs import InvalidProgram, Stored, decode_program

MAX_READ_BYTES: Final = 1 << 18
"""A longer specification is not read for this: the miner looks at thousands of jobs on the event loop."""
MAX_KEPT: Final = 8192
"""More than the open jobs that a miner looks at, so that many tasks cannot make it read their specifications again."""
MAX_READS: Final = 8
"""One look at the open jobs reads so many specifications; tasks beyond them count as not held until a later look."""


class Holdings:
    """Looks jobs up in the store. What a specification names is read once."""

    def __init__(self, matrices: MatricesPort) -> None:
        self._store = matrices.store
        self._named: OrderedDict[bytes, tuple[MatrixId, ...] | None] = OrderedDict()
        self._reads_left = MAX_READS

    def begin_look(self) -> None:
        """Begin to look at the open jobs, which may read some specifications."""
        self._reads_left = MAX_READS

    def has_all(self, job: Job) -> bool:
        """Return True if a worker could begin the job without fetching anything."""
        match job.work:
            case ProductWork(x, w):
                return self._store.has(x.matrix_id) and self._store.has(w.matrix_id)
            case TaskWork():
                if not all(self._store.has(MatrixId(id)) for id in (job.work.spec, *job.work.inputs)):
                    return False
                named = self._list_named(job.work)
                return named is not None and all(map(self._store.has, named))
            case _:
                assert_never(job.work)

    def _list_named(self, task: TaskWork) -> tuple[MatrixId, ...] | None:
        """Return what a stored specification names: a program's matrices, or a function's module; None if unknown."""
        if task.spec not in self._named:
            if not self._reads_left:
                return None
            self._reads_left -= 1
            self._named[task.spec] = self._read(task)
            while len(self._named) > MAX_KEPT:
                self._named.popitem(last=False)
        return self._named[task.spec]

    def _read(self, task: TaskWork) -> tuple[MatrixId, ...] | None:
        info = self._store.find_info(MatrixId(task.spec))
        if info is None or info.size > MAX_READ_BYTES:
            return None
        try:
            data = self._store.get_bytes(MatrixId(task.spec)) or b""
            return tuple(_iterate_named(task.kind, data))
        except (InvalidProgram, InvalidFunction):
            return ()
        except InosError:
            return None


def _iterate_named(kind: TaskKind, data: bytes) -> Iterator[MatrixId]:
    if kind is TaskKind.FUNCTION:
        yield decode_spec(data).module_id
        return
    for each in decode_program(data).inputs:
        if isinstance(each.source, Stored):
            yield MatrixId(each.source.id)
