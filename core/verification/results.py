"""Gives verdicts on job results, by Freivalds' check over the matrices this node has."""

import threading
from collections import OrderedDict
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import MatrixRef, Product
from inos.primitives.units import JobId, MatrixId

MAX_VERDICTS: Final = 4096


class MatrixReader(Protocol):
    """Reads matrices, as the matrix store does."""

    def has(self, matrix: MatrixId) -> bool: ...

    def get(self, matrix: MatrixId) -> NDArray[Any] | None: ...


class KnownResults:
    """A consensus.ResultChecker that only looks up: it is asked in the writer's thread, which must not multiply.

    It is safe to call from several threads.
    """

    def __init__(self, store: MatrixReader) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._verdicts: OrderedDict[tuple[bytes, bytes, bytes, bytes], bool] = OrderedDict()

    def get_verdict(self, product: Product) -> bool | None:
        """Return a verdict that is known, or None if the check is outstanding.

        Raises:
            MatrixMissing: there is no verdict, and these of the three matrices are not here.
        """
        with self._lock:
            known = self._verdicts.get(_make_key(product))
        if known is not None:
            return known
        refs = (product.x, product.w, product.y)
        missing = [MatrixId(ref.id) for ref in refs if not self._store.has(MatrixId(ref.id))]
        if missing:
            raise MatrixMissing(missing)
        return None

    def add(self, product: Product, verdict: bool) -> None:
        """Keep a verdict; if there are too many, the oldest is dropped."""
        with self._lock:
            self._verdicts[_make_key(product)] = verdict
            while len(self._verdicts) > MAX_VERDICTS:
                self._verdicts.popitem(last=False)


class StoredResults:
    """A consensus.ResultChecker that checks a result if it has no verdict yet. It is safe to call from several threads.

    It computes, so a running node's ledger gets its `known` results in its place.

    A verdict is a pure function of the job and the three ids, so it is kept: a result checked when its transaction
    arrived is not multiplied again when its block arrives.
    """

    def __init__(self, store: MatrixReader) -> None:
        self.known = KnownResults(store)
        self._store = store

    def get_verdict(self, product: Product) -> bool:
        """Return True if Y = X * W^T, by Freivalds' check with the protocol's seed.

        Raises:
            MatrixMissing: these of the three matrices are not here.
        """
        known = self.known.get_verdict(product)
        if known is not None:
            return known
        verdict = self._check(product.job, product.x, product.w, product.y)
        self.known.add(product, verdict)
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


def _make_key(product: Product) -> tuple[bytes, bytes, bytes, bytes]:
    return product.job, product.x.id, product.w.id, product.y.id
