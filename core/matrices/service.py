"""Matrices of a running node: stored, read, and waited for while other nodes are asked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from numpy.typing import NDArray

from inos.chain.events import MatrixAdded, MatrixWanted
from inos.core.deferred import WantedMatrices
from inos.core.events import Hub
from inos.core.matrices.product_rows import JobRows
from inos.core.matrices.uploads import Uploads
from inos.core.threads import Threads
from inos.mesh.errors import MeshError
from inos.mesh.runs import Run
from inos.mesh.store import MatrixInfo, MatrixStore
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import MatrixRef
from inos.primitives.units import JobId, MatrixId

T = TypeVar("T")


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
        self._fetching: dict[MatrixId, set[asyncio.Future[None]]] = {}

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
        """Some rows of a matrix from this machine's user; see inos.core.matrices.uploads."""
        done = await self._threads.keep(partial(self._uploads.add, matrix, shape, first, rows))
        if self._store.has(matrix):
            await self._tell(matrix)
        return done

    async def begin(self, info: MatrixInfo) -> bool:
        """Make room for a matrix that comes in runs; True where it is here.

        Raises:
            InvalidMatrix: no matrix has this shape. MeshError: there is no room.
        """
        if self._store.has(info.id):
            return True
        await self._take(info.id, partial(self._store.begin, info))
        if not self._store.has(info.id):
            return False
        await self._tell(info.id)
        return True

    async def add_run(self, matrix: MatrixId, index: int, data: bytes, path: Sequence[bytes]) -> bool:
        """Add one run of a matrix on its way, verified against its id; True where it is complete.

        Raises:
            InvalidMatrix: it is not that run. MeshError: it cannot be kept.
        """
        if self._store.has(matrix):
            return True
        is_complete = await self._take(matrix, partial(self._store.add_run, matrix, index, data, tuple(path)))
        if is_complete:
            await self._tell(matrix)
        return is_complete

    async def read_run(self, matrix: MatrixId, index: int) -> Run | None:
        """One run of a stored matrix, checked; None where it is not here."""
        if not self._store.has(matrix):
            return None
        return await self._threads.check(partial(self._store.get_run, matrix, index))

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

    async def pin(self, matrix: MatrixId, is_pinned: bool) -> None:
        """Pin or unpin a matrix; one pinned that is not here is asked for."""
        await self._threads.keep(partial(self._store.pin if is_pinned else self._store.unpin, matrix))
        if is_pinned and not self._store.has(matrix):
            self.ask([matrix])

    async def drop(self, matrix: MatrixId) -> bool:
        """Delete a matrix; False where it is pinned, needed, or not here."""
        return await self._threads.keep(partial(self._store.drop, matrix))

    async def set_quota(self, quota: int | None) -> None:
        """How many bytes matrices may take from now on."""
        await self._threads.keep(partial(self._store.set_quota, quota))

    def ask(self, ids: Sequence[MatrixId]) -> None:
        """Ask other nodes for matrices, once."""
        if ids:
            self._hub.publish(MatrixWanted(tuple(ids)))

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
        """Until it is here; MatrixMissing, or what keeps this node from storing it."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fetching.setdefault(matrix, set()).add(waiter)
        try:
            self._hub.publish(MatrixWanted((matrix,)))
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError as error:
            raise MatrixMissing((matrix,)) from error
        finally:
            self._fetching[matrix].discard(waiter)
            if not self._fetching[matrix]:
                del self._fetching[matrix]

    async def _take(self, matrix: MatrixId, call: Callable[[], T]) -> T:
        """Let the store take something of a matrix that comes; whoever waits for it is told why it cannot."""
        try:
            return await self._threads.keep(call)
        except MeshError as error:
            for waiter in self._fetching.get(matrix, ()):
                if not waiter.done():
                    waiter.set_exception(error)
            raise

    async def _tell(self, matrix: MatrixId) -> None:
        self._hub.publish(MatrixAdded(matrix))
        for waiter in self._fetching.get(matrix, ()):
            if not waiter.done():
                waiter.set_result(None)
        self._wanted.discard(matrix)
        await self._on_added(matrix)
