"""A piece that a worker multiplies: its rows as they arrive, and their check."""

import asyncio
import secrets
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import STRIP_ROWS
from inos.primitives.units import HASH_BYTES
from inos.work import Operand
from inos.work.freivalds import BlockCheck
from inos.workers.errors import Offence
from inos.workers.ports import PieceSource
from inos.workers.server.row_memory import RowMemory

ENTRY_BYTES: Final = 4


class RowChecks:
    """What rows are checked by, which takes a pass over W. That of the newest W is kept: layers of a model are
    multiplied again and again. The vectors are drawn by this node alone and told to nobody, so that no worker can make
    rows that only pass its check, of whatever product.
    """

    def __init__(self) -> None:
        self._id: bytes | None = None
        self._check: asyncio.Future[BlockCheck] | None = None

    def get(self, w: Operand) -> "asyncio.Future[BlockCheck]":
        """Return the check of rows of products by W. The first call begins to make it."""
        if self._check is None or self._id != w.ref.id or _has_failed(self._check):
            make = partial(BlockCheck, w.array, secrets.token_bytes(HASH_BYTES))
            self._id, self._check = w.ref.id, asyncio.ensure_future(asyncio.to_thread(make))
        return self._check

    def clear(self) -> None:
        """Forget what is kept."""
        self._id = self._check = None


class OfferedProduct:
    """A product that the miner offers, with what its rows are checked by."""

    def __init__(self, source: PieceSource, checks: RowChecks) -> None:
        self.source: Final = source
        self._checks = checks
        self._check: asyncio.Future[BlockCheck] | None = None

    def prepare(self) -> "asyncio.Future[BlockCheck]":
        """Return what checks rows. The first call begins to make it."""
        if self._check is None:
            self._check = self._checks.get(self.source.w)
        return self._check


class PieceInProgress:
    """One piece of one worker.

    Args:
        seconds: it is expected to take so long.
    """

    def __init__(self, product: OfferedProduct, first: int, last: int, began: float, seconds: float) -> None:
        source = product.source
        self.product: Final = product
        self.first: Final = first
        self.last: Final = last
        self.began: Final = began
        self.seconds: Final = seconds
        self.tickets: Final = (last - first) * source.tickets_per_strip
        count = min(last * STRIP_ROWS, source.x.ref.rows) - first * STRIP_ROWS
        self._shape: Final = count, source.w.ref.rows
        self._x: Final = source.x.array[first * STRIP_ROWS : first * STRIP_ROWS + count]
        self.row_bytes: Final = ENTRY_BYTES * count * source.w.ref.rows
        self._data = bytearray()
        self._is_handed = self._is_right = False
        self._handed: NDArray[np.int32] | None = None
        product.prepare()

    def add_rows(self, offset: int, data: bytes) -> None:
        """Take the next bytes of the rows.

        Raises:
            Offence: "rows-out-of-order".
        """
        if offset != len(self._data) or offset + len(data) > self.row_bytes or self._is_handed:
            raise Offence(
                "rows-out-of-order",
                f"byte {len(self._data)} of {self.row_bytes} is next, not {len(data)} bytes from {offset} on",
            )
        self._data += data

    async def hand_rows(self, taker: int, mapped: NDArray[np.uint8], memory: RowMemory) -> None:
        """Copy all rows at once from the start of memory that the worker may change, and check the copy while it is in
        the cache. It is made where the product keeps its rows, or in `memory`.

        Raises:
            Offence: "rows-out-of-order": the memory is too small, or rows came before.
        """
        if mapped.nbytes < self.row_bytes or self._data or self._is_handed:
            raise Offence("rows-out-of-order", f"{self.row_bytes} bytes of rows were expected, not {mapped.nbytes}")
        self._is_handed = True
        check = await asyncio.shield(self.product.prepare())
        rows = mapped[: self.row_bytes].view(np.int32).reshape(self._shape)

        def copy(place: NDArray[np.int32]) -> None:
            self._is_right = check.copy(self._x, rows, place)

        handed = await self.product.source.write_rows(taker, self.first, self.last, copy)
        if handed is None:
            handed = memory.borrow(self.row_bytes).view(np.int32).reshape(self._shape)
            await asyncio.to_thread(copy, handed)
        self._handed = handed

    def get_rows(self) -> NDArray[np.int32]:
        """Return the rows once all are there.

        Raises:
            Offence: "rows-missing".
        """
        if self._handed is not None:
            return self._handed
        if len(self._data) != self.row_bytes:
            raise Offence("rows-missing", f"{len(self._data)} of {self.row_bytes} bytes of rows came")
        return np.frombuffer(self._data, dtype="<i4").reshape(self._shape)

    async def check(self, rows: NDArray[np.int32]) -> bool:
        """Return True if what `get_rows` returned is right."""
        if self._handed is not None:
            return self._is_right
        check = await asyncio.shield(self.product.prepare())
        return await asyncio.to_thread(check.check, self._x, rows)


def _has_failed(made: "asyncio.Future[BlockCheck]") -> bool:
    return made.done() and (made.cancelled() or made.exception() is not None)
