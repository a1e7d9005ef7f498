"""The matrix service stores and reads matrices, and waits for them while other nodes are asked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from numpy.typing import NDArray

from inos.chain.events import MatrixAdded, MatrixWanted
from inos.core.deferred import WantedMatrices
from inos.core.events import EventBus
from inos.core.matrices.outcomes import Outcomes
from inos.core.matrices.product_rows import ProductRows
from inos.core.matrices.uploads import Uploads
from inos.core.threads import Threads
from inos.mesh.errors import MeshError
from inos.mesh.runs import Run
from inos.mesh.store import MatrixInfo, MatrixStore
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import DType, MatrixRef
from inos.primitives.units import JobId, MatrixId

T = TypeVar("T")

DROP_WAIT_S: Final = 2.0
"""A matrix that is to be deleted may still be read for this long."""


class MatrixService:
    """Changes and reads the store off the event loop, and tells subscribers and waiting callers what arrived.

    Callers ask `store` what it has; every change goes through this class.

    Args:
        on_added: called once for each matrix that was stored.
    """

    def __init__(
        self,
        store: MatrixStore,
        events: EventBus,
        threads: Threads,
        on_added: Callable[[MatrixId], Awaitable[None]],
    ) -> None:
        self.store = store
        self._events = events
        self._threads = threads
        self._on_added = on_added
        self._wanted = WantedMatrices()
        self.uploads = Uploads(store)
        self.outcomes = Outcomes(store)
        self._fetching: dict[MatrixId, dict[asyncio.Future[None], int | None]] = {}
        """The callers that wait for a matrix, each with the most bytes that it takes."""

    async def put(self, array: NDArray[Any]) -> MatrixRef:
        """Store a matrix: an int8 operand or an int32 result."""
        return await self._put(partial(self.store.put, array))

    async def put_bytes(self, data: bytes | memoryview) -> MatrixRef:
        """Store a file."""
        return await self._put(partial(self.store.put_bytes, data))

    async def put_rows(
        self, matrix: MatrixId, shape: tuple[DType, int, int], first: int, rows: NDArray[Any] | None
    ) -> int:
        """Store some rows of a matrix, and return how many are here; see inos.core.matrices.uploads."""
        return await self._store(matrix, partial(self.uploads.add, matrix, shape, first, rows))

    async def open_product(self, job: JobId, rows: int, cols: int) -> ProductRows:
        """Open a job's product on disk, as far as it was made before."""
        return await self._threads.store(partial(ProductRows, self.store, job, rows, cols))

    async def put_product(self, finish: Callable[[], MatrixRef]) -> MatrixRef:
        """Store a product that is complete on disk.

        Args:
            finish: its `ProductRows.finish`.
        """
        return await self._put(finish)

    async def keep_outcome(self, job: JobId, outputs: tuple[bytes, ...]) -> tuple[MatrixId, ...]:
        """Store what a task's worker computed, so that it is found after a restart; see inos.core.matrices.outcomes."""
        ids = await self._threads.store(partial(self.outcomes.keep, job, outputs))
        for id in ids:
            await self._announce(id)
        return ids

    async def begin(self, info: MatrixInfo, max_bytes: int | None = None) -> bool:
        """Make room for a matrix that comes in runs, and return True if it is here already.

        Args:
            max_bytes: the most bytes that those who asked for the matrix take; None for no limit.

        Raises:
            InvalidMatrix: no matrix has this shape. MeshError: there is no room; "matrix-too-large".
        """
        if self.store.has(info.id):
            return True
        for waiter, limit in self._fetching.get(info.id, {}).items():
            if limit is not None and info.size > limit and not waiter.done():
                waiter.set_exception(_make_too_large(info, limit))
        if max_bytes is not None and info.size > max_bytes:
            raise _make_too_large(info, max_bytes)
        await self._change(info.id, partial(self.store.arrivals.begin, info))
        return self.store.has(info.id)

    async def add_run(self, matrix: MatrixId, index: int, data: bytes, path: Sequence[bytes]) -> bool:
        """Add one run of a matrix on its way, verified against its id, and return True if the matrix is complete.

        Raises:
            InvalidMatrix: it is not that run. MeshError: it cannot be stored.
        """
        if self.store.has(matrix):
            return True
        return await self._change(matrix, partial(self.store.arrivals.add_run, matrix, index, data, tuple(path)))

    async def read_run(self, matrix: MatrixId, index: int) -> Run | None:
        """Return one run of a stored matrix, checked, or None if it is not here."""
        if not self.store.has(matrix):
            return None
        return await self._threads.check(partial(self.store.get_run, matrix, index))

    async def read(self, matrix: MatrixId) -> NDArray[Any] | None:
        """Return a stored matrix, or None."""
        if not self.store.has(matrix):
            return None
        return await self._threads.check(partial(self.store.get, matrix))

    async def fetch(self, matrix: MatrixId, timeout_s: float, max_bytes: int | None = None) -> NDArray[Any]:
        """Return a matrix from the store, or from other nodes within `timeout_s` seconds; a file as one row of uint8.

        Its data type and size need not be known: other nodes tell them, and the id binds them.

        Args:
            max_bytes: a larger matrix is not fetched; None for no limit.

        Raises:
            MatrixMissing: no node gave it in time. MeshError: "matrix-too-large", or it cannot be stored.
        """
        await self._bring(matrix, timeout_s, max_bytes)
        found = await self.read(matrix)
        if found is None:
            raise MatrixMissing((matrix,))
        return found

    async def fetch_bytes(self, file: MatrixId, timeout_s: float, max_bytes: int | None = None) -> bytes:
        """Return a file by its id alone, as `fetch` returns a matrix.

        Raises:
            InvalidMatrix: "not-bytes": the matrix is one of numbers. MatrixMissing, MeshError: as `fetch` raises them.
        """
        await self._bring(file, timeout_s, max_bytes)
        found = await self._threads.check(partial(self.store.get_bytes, file))
        if found is None:
            raise MatrixMissing((file,))
        return found

    async def pin(self, matrix: MatrixId) -> None:
        """Pin a matrix; one that is not here is asked for."""
        await self._threads.store(partial(self.store.retention.pin, matrix))
        if not self.store.has(matrix):
            self.ask([matrix])

    async def unpin(self, matrix: MatrixId) -> bool:
        """Remove a pin, and return False if there was none."""
        return await self._threads.store(partial(self.store.retention.unpin, matrix))

    async def drop(self, matrix: MatrixId) -> bool:
        """Delete a matrix, and return False if it is pinned, needed, or not here. A read of it, such as the
        scrubber's, may end first."""
        return await self._threads.store(partial(self.store.drop, matrix, DROP_WAIT_S))

    async def set_quota(self, quota: int | None) -> None:
        """Set how many bytes matrices may take from now on."""
        await self._threads.store(partial(self.store.retention.set_quota, quota))

    def ask(self, ids: Sequence[MatrixId]) -> None:
        """Ask other nodes for matrices, once."""
        if ids:
            self._events.publish(MatrixWanted(tuple(ids)))

    def want(self, ids: Sequence[MatrixId]) -> None:
        """Ask other nodes for matrices that deferred input waits for, again and again until they come."""
        self._wanted.add(tuple(ids))
        self.ask(ids)

    def repeat_requests(self) -> None:
        """Ask again for what is still missing: peers come and go."""
        for matrix in self._wanted.list_ids():
            if self.store.has(matrix):
                self._wanted.discard(matrix)
        self.ask(self._wanted.list_ids())
        for matrix, waiters in self._fetching.items():
            for limit in dict.fromkeys(waiters.values()):
                self._events.publish(MatrixWanted((matrix,), limit))

    async def _bring(self, matrix: MatrixId, timeout_s: float, max_bytes: int | None) -> None:
        """Return when the matrix is here. It raises as `fetch` does."""
        info = self.store.find_info(matrix)
        if info is not None and max_bytes is not None and info.size > max_bytes:
            raise _make_too_large(info, max_bytes)
        if not self.store.has(matrix):
            await self._wait(matrix, timeout_s, max_bytes)

    async def _wait(self, matrix: MatrixId, timeout_s: float, max_bytes: int | None) -> None:
        """Return when the matrix has come. Raises MatrixMissing, or the error for which this node does not store it."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fetching.setdefault(matrix, {})[waiter] = max_bytes
        try:
            self._events.publish(MatrixWanted((matrix,), max_bytes))
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError as error:
            raise MatrixMissing((matrix,)) from error
        finally:
            del self._fetching[matrix][waiter]
            if not self._fetching[matrix]:
                del self._fetching[matrix]

    async def _put(self, call: Callable[[], MatrixRef]) -> MatrixRef:
        """Store a whole matrix, and tell of it."""

        async def work() -> MatrixRef:
            ref = await self._threads.store(call)
            await self._announce(ref.matrix_id)
            return ref

        return await self._threads.complete(work())

    async def _change(self, matrix: MatrixId, call: Callable[[], T]) -> T:
        """Change the store for a matrix that comes; callers that wait for it are told why it cannot be stored."""
        try:
            return await self._store(matrix, call)
        except MeshError as error:
            for waiter in self._fetching.get(matrix, ()):
                if not waiter.done():
                    waiter.set_exception(error)
            raise

    async def _store(self, matrix: MatrixId, call: Callable[[], T]) -> T:
        """Change the store, and tell if the matrix is here then."""

        async def work() -> T:
            answer = await self._threads.store(call)
            if self.store.has(matrix):
                await self._announce(matrix)
            return answer

        return await self._threads.complete(work())

    async def _announce(self, matrix: MatrixId) -> None:
        self._events.publish(MatrixAdded(matrix))
        for waiter in self._fetching.get(matrix, ()):
            if not waiter.done():
                waiter.set_result(None)
        self._wanted.discard(matrix)
        await self._on_added(matrix)


def _make_too_large(info: MatrixInfo, limit: int) -> MeshError:
    return MeshError("matrix-too-large", f"matrix {info.id.hex()} has {info.size} bytes, and at most {limit} are taken")
