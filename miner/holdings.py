"""Says how much of what a job works on is stored here: computing goes where the data lies."""

from collections.abc import Iterator
from typing import Final, assert_never

from inos.consensus.records import Job, ProductWork, TaskWork
from inos.core.matrices.named import Named, NamedMatrices
from inos.functions.limits import MAX_SPEC_BYTES
from inos.miner.policy import Holding
from inos.miner.ports import MatricesPort
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import TaskKind
from inos.primitives.units import MatrixId
from inos.programs.limits import MAX_PROGRAM_BYTES

MAX_READS: Final = 8
MAX_READ_BYTES: Final = 1 << 18
"""One look at the open jobs reads so many specifications and bytes, since it is on the event loop; tasks beyond
them count as not held until a later look."""
INPUT_BYTES: Final = 1 << 20
"""An input is expected to have at most so many bytes, because its length is not known before it is fetched."""


class Holdings:
    """Looks jobs up in the store. What a specification names is read once, after `named.begin_look`."""

    def __init__(self, matrices: MatricesPort) -> None:
        self._store = matrices.store
        self.named = NamedMatrices(matrices.store, MAX_READS, MAX_READ_BYTES)

    def look(self, job: Job) -> Holding:
        """Return how much of what the job works on is here."""
        work = job.work
        match work:
            case ProductWork(x, w):
                return Holding.ALL if self._store.has(x.matrix_id) and self._store.has(w.matrix_id) else Holding.NOTHING
            case TaskWork():
                named = self.named.list_named(work) if self._store.has(MatrixId(work.spec)) else None
                if named is None or not all(self._store.has(each.id) for each in named):
                    return Holding.NOTHING
                return Holding.ALL if all(self._store.has(MatrixId(id)) for id in work.inputs) else Holding.BULK
            case _:
                assert_never(work)

    def list_missing(self, job: Job) -> list[Named]:
        """Return what the job works on and is not here. What a specification names is unknown until it
        is here."""
        return [each for each in self.list_parts(job) if not self._store.has(each.id)]

    def list_missing_bulk(self, task: TaskWork) -> list[Named]:
        """Return what is not here of the specification and of the weights or the module that it names."""
        return [each for each in self._iterate_bulk(task) if not self._store.has(each.id)]

    def list_parts(self, job: Job) -> list[Named]:
        """Return what the job works on, as far as it is known here."""
        work = job.work
        match work:
            case ProductWork(x, w):
                return [_name_operand(x), _name_operand(w)]
            case TaskWork():
                return [*self._iterate_bulk(work), *(Named(MatrixId(id), INPUT_BYTES) for id in work.inputs)]
            case _:
                assert_never(work)

    def _iterate_bulk(self, task: TaskWork) -> Iterator[Named]:
        most = MAX_PROGRAM_BYTES if task.kind is TaskKind.PROGRAM else MAX_SPEC_BYTES
        yield Named(MatrixId(task.spec), most)
        yield from self.named.list_named(task) or ()


def _name_operand(ref: MatrixRef) -> Named:
    return Named(ref.matrix_id, ref.rows * ref.cols)
