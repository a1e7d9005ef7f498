"""Consensus asks here whether a job's result is right; Freivalds' check runs over the matrices this node has."""

import threading
from collections import OrderedDict
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import MatrixRef
from inos.primitives.units import JobId, MatrixId

MAX_VERDICTS: Final = 4096


class MatrixReader(Protocol):
    """Reads matrices, as the matrix store does."""

    def has(self, matrix: MatrixId) -> bool: ...

    def get(self, matrix: MatrixId) -> NDArray[Any] | None: ...


class StoredResults:
    """Satisfies consensus.ResultChecker over a matrix store. It is safe to call from several threads.

    A verdict is a pure function of the job and the three ids, so it is kept: a result checked when its transaction
    arrived is not multiplied again when its block arrives.
    """

    def __init__(self, store: MatrixReader) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._verdicts: OrderedDict[tuple[bytes, bytes, bytes, bytes], bool] = OrderedDict()

    def is_result_correct(self, job: JobId, x: MatrixRef, w: MatrixRef, y: MatrixRef) -> bool:
        """Return True if Y = X * W^T, by Freivalds' check with the protocol's seed.

        Raises:
            MatrixMissing: with those of the three that are not here.
        """
        key = (job, x.id, w.id, y.id)
        with self._lock:
            known = self._verdicts.get(key)
        if known is not None:
            return known
        missing = [MatrixId(ref.id) for ref in (x, w, y) if not self._store.has(MatrixId(ref.id))]
        if missing:
            raise MatrixMissing(missing)
        verdict = self._check(job, x, w, y)
        with self._lock:
            self._verdicts[key] = verdict
            while len(self._verdicts) > MAX_VERDICTS:
                self._verdicts.popitem(last=False)
        return verdict

    def _check(self, job: JobId, x: MatrixRef, w: MatrixRef, y: MatrixRef) -> bool:
        left, right, result = (self._get(MatrixId(ref.id)) for ref in (x, w, y))
        if left.dtype != np.int8 or right.dtype != np.int8 or result.dtype != np.int32:
            return False
        if left.shape[1] != right.shape[1] or result.shape != (left.shape[0], right.shape[0]):
            return False
        return work.freivalds(left, right, result, work.compute_freivalds_seed(job, x.id, w.id, y.id))

    def _get(self, matrix: MatrixId) -> NDArray[Any]:
        found = self._store.get(matrix)
        if found is None:
            raise MatrixMissing([matrix])
        return found
