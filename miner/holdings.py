"""Says whether everything that a job works on is stored here: computing goes where the data lies."""

from typing import Final, assert_never

from inos.consensus.records import Job, ProductWork, TaskWork
from inos.core.matrices.named import NamedMatrices
from inos.miner.ports import MatricesPort
from inos.primitives.units import MatrixId

MAX_READS: Final = 8
MAX_READ_BYTES: Final = 1 << 18
"""One look at the open jobs reads so many specifications and bytes, since it is on the event loop; tasks beyond
them count as not held until a later look."""


class Holdings:
    """Looks jobs up in the store. What a specification names is read once."""

    def __init__(self, matrices: MatricesPort) -> None:
        self._store = matrices.store
        self._named = NamedMatrices(matrices.store, MAX_READS, MAX_READ_BYTES)

    def begin_look(self) -> None:
        """Begin to look at the open jobs, which may read some specifications."""
        self._named.begin_look()

    def has_all(self, job: Job) -> bool:
        """Return True if a worker could begin the job without fetching anything."""
        match job.work:
            case ProductWork(x, w):
                return self._store.has(x.matrix_id) and self._store.has(w.matrix_id)
            case TaskWork():
                if not all(self._store.has(MatrixId(id)) for id in (job.work.spec, *job.work.inputs)):
                    return False
                named = self._named.list_named(job.work)
                return named is not None and all(self._store.has(each.id) for each in named)
            case _:
                assert_never(job.work)
