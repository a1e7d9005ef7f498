"""Operands of pieces: mapped from the node's files on the same machine, fetched in runs elsewhere, and kept by id."""

import asyncio
import mmap
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inos.mesh.files import HEAD_BYTES, MatrixInfo
from inos.mesh.runs import RUN_STRIPS, check_run, count_runs
from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS, DType, MatrixRef
from inos.primitives.units import HASH_BYTES, Hash
from inos.work import Operand, StripTree
from inos.workers.client.local import LocalClient
from inos.workers.limits import ASKED_RUNS
from inos.workers.messages import RunData

MEASURED_BYTES: Final = 4 << 20
"""The line's speed is told of fetches of at least this size."""

Fetch = Callable[[bytes, int], Awaitable[RunData]]
"""Asks the node for one run."""


class FetchedOperand:
    """An operand of which runs arrive. Pages that nothing was written to take no memory."""

    def __init__(self, ref: MatrixRef) -> None:
        self.info: Final = MatrixInfo(DType.INT7, ref.rows, ref.cols, ref.root)
        self._array: NDArray[np.int8] = np.zeros((ref.rows, ref.cols), np.int8)
        self._panels = -(-ref.cols // PANEL_BYTES)
        self.operand: Final = make_operand(self._array, ref)
        self._has: set[int] = set()

    @property
    def nbytes(self) -> int:
        """Return the bytes that arrived."""
        return len(self._has) * RUN_STRIPS * STRIP_ROWS * PANEL_BYTES

    def list_missing(self, first: int, last: int) -> list[int]:
        """Return the runs that strips [first, last) of rows need and that are not here."""
        begin, end = first * self._panels // RUN_STRIPS, -(-last * self._panels // RUN_STRIPS)
        return [index for index in range(begin, min(end, count_runs(self.info))) if index not in self._has]

    def add(self, run: RunData) -> None:
        """Take one run, checked against the operand's id.

        Raises:
            InvalidMatrix: it is not that run.
        """
        check_run(self.info, run.index, run.data, run.path)
        cells = np.frombuffer(run.data, np.int8).reshape(-1, STRIP_ROWS, PANEL_BYTES)
        for at, strip in enumerate(cells, run.index * RUN_STRIPS):
            row, panel = divmod(at, self._panels)
            part = self._array[row * STRIP_ROWS :][:STRIP_ROWS, panel * PANEL_BYTES :][:, :PANEL_BYTES]
            part[:] = strip[: part.shape[0], : part.shape[1]]
        self._has.add(run.index)


class Operands:
    """Opens operands, and keeps the latest ones.

    Args:
        fetch: asks the node for a run.
        room: operands that were fetched take at most this many bytes, if more than the newest two are kept.
    """

    def __init__(self, fetch: Fetch, room: int) -> None:
        self._fetch = fetch
        self._room = room
        self._fetched: OrderedDict[bytes, FetchedOperand] = OrderedDict()
        self._mapped: OrderedDict[bytes, Operand] = OrderedDict()
        self.local: LocalClient | None = None
        self.down = 0
        """Bytes per second, measured; 0 before a large fetch."""

    async def open(self, ref: MatrixRef, first: int, last: int) -> Operand:
        """Return an operand with at least strips [first, last) of its rows.

        Raises:
            InvalidMatrix: the node sent what is not the operand.
        """
        if self.local is not None and (mapped := await self._map(ref)) is not None:
            return mapped
        found = self._fetched.get(ref.id) or FetchedOperand(ref)
        self._fetched[ref.id] = found
        self._fetched.move_to_end(ref.id)
        missing, began = found.list_missing(first, last), time.monotonic()
        for at in range(0, len(missing), ASKED_RUNS):
            batch = missing[at : at + ASKED_RUNS]
            for run in await asyncio.gather(*(self._fetch(ref.id, index) for index in batch)):
                await asyncio.to_thread(found.add, run)
        size = len(missing) * RUN_STRIPS * STRIP_ROWS * PANEL_BYTES
        if size >= MEASURED_BYTES:
            self.down = int(size / max(time.monotonic() - began, 1e-3))
        self._forget()
        return found.operand

    async def _map(self, ref: MatrixRef) -> Operand | None:
        known = self._mapped.get(ref.id)
        if known is not None or self.local is None:
            return known
        opened = await asyncio.to_thread(self.local.open, ref.id)
        if opened is None:
            return None
        descriptor, info = opened
        try:
            is_right = (info.dtype, info.rows, info.cols, info.root) == (DType.INT7, ref.rows, ref.cols, ref.root)
            if not is_right or os.fstat(descriptor).st_size < info.file_bytes:
                return None
            mapped = mmap.mmap(descriptor, info.file_bytes, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        entries = np.frombuffer(mapped, np.int8, info.data_bytes, HEAD_BYTES + info.strips * HASH_BYTES)
        operand = self._mapped[ref.id] = make_operand(entries.reshape(ref.rows, ref.cols), ref)
        while len(self._mapped) > 4:
            self._mapped.popitem(last=False)
        return operand

    def _forget(self) -> None:
        """Drop the operands that were used longest ago, beyond the room."""
        while len(self._fetched) > 2 and sum(each.nbytes for each in self._fetched.values()) > self._room:
            self._fetched.popitem(last=False)


def make_operand(array: NDArray[np.int8], ref: MatrixRef) -> Operand:
    """Return an operand of which only the root is known, which is enough to draw tickets; it opens no strips."""
    return Operand(array, ref, StripTree([Hash(ref.root)]))
