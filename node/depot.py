"""Matrices of a running node: stored, read, and waited for while other nodes are asked."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from chain.events import MatrixAdded, MatrixWanted
from mesh.store import MatrixInfo, MatrixStore
from node.held import WantedMatrices
from node.hub import Hub
from node.rows import JobRows
from node.threads import Threads
from node.uploads import Uploads
from primitives.errors import MatrixMissing
from primitives.matrices import MatrixRef, compute_matrix_id
from primitives.units import JobId, MatrixId


class Depot:
    """Every write of a matrix goes through here, so that whoever waits for it is told.

    Args:
        on_added: called once for each matrix that came and was wanted.
    """

    def __init__(self, store: MatrixStore, hub: Hub, threads: Threads, on_added: Callable[[MatrixId], Awaitable[None]]):
        self._store = store
        self._hub = hub
        self._threads = threads
        self._on_added = on_added
        self._wanted = WantedMatrices()
        self._uploads = Uploads(store)
        self._fetching: Counter[MatrixId] = Counter()

    async def add(self, array: NDArray[Any]) -> MatrixRef:
        """Store a matrix."""
        ref = await self._threads.keep(partial(self._store.put, array))
        await self._tell(ref.matrix_id)
        return ref

    async def open_rows(self, job: JobId, rows: int, cols: int) -> JobRows:
        """A job's product on disk, as far as it was made before."""
        return await self._threads.keep(partial(JobRows, self._store, job, rows, cols))

    async def add_rows(self, rows: JobRows) -> MatrixRef:
        """Store a product that is complete on disk."""
        ref = await self._threads.keep(rows.finish)
        await self._tell(ref.matrix_id)
        return ref

    async def add_some(
        self, matrix: MatrixId, shape: tuple[int, int, int], first: int, rows: NDArray[Any] | None
    ) -> int:
        """Some rows of a matrix from this machine's user; see node.uploads."""
        done = await self._threads.keep(partial(self._uploads.add, matrix, shape, first, rows))
        if self._store.has(matrix):
            await self._tell(matrix)
        return done

    async def add_strip(self, info: MatrixInfo, index: int, strip: bytes, path: Sequence[bytes]) -> bool:
        """Add one strip of a matrix on its way, verified against its id; True where it is complete.

        Raises:
            InvalidMatrix: the strip is not part of that matrix.
        """
        matrix = compute_matrix_id(info.dtype, info.rows, info.cols, info.root)
        if self._store.has(matrix):
            return True
        is_complete = await self._threads.keep(partial(self._add_strip, matrix, info, index, strip, tuple(path)))
        if is_complete:
            await self._tell(matrix)
        return is_complete

    async def read(self, matrix: MatrixId) -> NDArray[Any] | None:
        """A stored matrix, or None."""
        if not self._store.has(matrix):
            return None
        return await self._threads.check(partial(self._store.get, matrix))

    async def fetch(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        """A matrix from the store, or from other nodes within `timeout_s` seconds.

        Raises:
            MatrixMissing: nobody had it in time.
        """
        if not self._store.has(matrix):
            await self._wait(matrix, timeout_s)
        found = await self.read(matrix)
        if found is None:
            raise MatrixMissing((matrix,))
        return found

    def want(self, ids: Sequence[MatrixId]) -> None:
        """Ask other nodes for matrices that something held waits for."""
        self._wanted.add(tuple(ids))
        self._hub.publish(MatrixWanted(tuple(ids)))

    def want_again(self) -> None:
        """Repeat what is still missing: peers come and go."""
        for matrix in self._wanted.list_ids():
            if self._store.has(matrix):
                self._wanted.discard(matrix)
        ids = (*self._wanted.list_ids(), *self._fetching)
        if ids:
            self._hub.publish(MatrixWanted(tuple(dict.fromkeys(ids))))

    async def _wait(self, matrix: MatrixId, timeout_s: float) -> None:
        self._fetching[matrix] += 1
        try:
            async with self._hub.subscribe() as events, asyncio.timeout(timeout_s):
                self._hub.publish(MatrixWanted((matrix,)))
                async for event in events:
                    if isinstance(event, MatrixAdded) and event.id == matrix:
                        return
        except TimeoutError as error:
            raise MatrixMissing((matrix,)) from error
        finally:
            self._fetching[matrix] -= 1
            self._fetching += Counter()

    def _add_strip(self, matrix: MatrixId, info: MatrixInfo, index: int, strip: bytes, path: tuple[bytes, ...]) -> bool:
        self._store.begin(info)
        return self._store.add_strip(matrix, index, strip, path)

    async def _tell(self, matrix: MatrixId) -> None:
        self._hub.publish(MatrixAdded(matrix))
        self._wanted.discard(matrix)
        await self._on_added(matrix)
