"""Provides a miner with a kernel that a test can hold, and questions about the miner's jobs."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos.miner import Miner, MinerSettings
from inos.primitives.matrices import STRIP_BYTES, Seal, Witness
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import SubmitResult
from inos.primitives.units import Address, Anchor, JobId, MatrixId, Target
from inos.work import Mined, Operand, Win

KEY = bytes([7]) * 32


ME = compute_address(compute_public_key(KEY))


OTHER = Address(bytes([2]) * 20)


SETTINGS = MinerSettings(
    beneficiary=ME, key=KEY, filler_rows=16, filler_depth=64, filler_rate=50.0, slice_ms=0, fetch_timeout_s=1.0
)


class Kernel:
    """Stands in for inos.work.mine_strips: exact products, no noise; a test can hold it before a strip until it is
    stopped."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, int, int, Anchor]] = []
        self.with_rows: set[bytes] = set()
        """X of the products whose rows were asked for."""
        self.hold_at: tuple[bytes, int] | None = None
        self.entered = threading.Event()
        self.interrupted = 0
        self.win = False

    def __call__(
        self,
        x: Operand,
        w: Operand,
        anchor: Anchor,
        target: Target,
        first: int,
        last: int,
        *,
        backend: str,
        threads: int | None,
        stop: threading.Event | None,
        needs_rows: bool,
    ) -> Mined:
        self.calls.append((x.ref.id, first, last, anchor))
        if needs_rows:
            self.with_rows.add(x.ref.id)
        if self.hold_at == (x.ref.id, first) and stop is not None:
            self.hold_at = None
            self.entered.set()
            if stop.wait(10):
                self.interrupted += 1
                return Mined(product=None, tickets=0, wins=(), is_complete=False)
        rows = x.array[16 * first : 16 * last].astype(np.int32)
        wins: tuple[Win, ...] = ()
        if self.win:
            self.win = False
            seal = Seal(x.ref, w.ref, 0, 0, 0, bytes(32))
            wins = (Win(seal=seal, witness=Witness(bytes(STRIP_BYTES), (), bytes(STRIP_BYTES), ())),)
        return Mined(product=rows @ w.array.T.astype(np.int32), tickets=last - first, wins=wins, is_complete=True)

    def get_slices(self, x: MatrixId) -> list[tuple[int, int]]:
        return [(first, last) for operand, first, last, _ in self.calls if operand == x]


@asynccontextmanager
async def mining(
    node: Any, kernel: Kernel, settings: MinerSettings = SETTINGS, workers: Any = None
) -> AsyncIterator[Miner]:
    miner = Miner(node, settings, np.random.default_rng(1), kernel, workers)
    miner.start()
    task = asyncio.ensure_future(miner.run())
    try:
        yield miner
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled() and task.exception() is not None:
            raise task.exception() or RuntimeError


def make_operands(seed: int = 1, strips: int = 4) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return X of `strips` strips, and W of 64 strips, so that a first slice of 64 tickets is one strip."""
    random = np.random.default_rng(seed)
    return (
        random.integers(-64, 64, (16 * strips - 3, 40), dtype=np.int8),
        random.integers(-64, 64, (1024, 40), dtype=np.int8),
    )


def multiply(x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    return x.astype(np.int64) @ w.T.astype(np.int64)


def find(node: Any, kind: type, job: JobId) -> Callable[[], bool]:
    return lambda: any(isinstance(tx.payload, kind) and tx.payload.job == job for tx in node.pool.values())


def get_result(node: Any, job: JobId) -> NDArray[Any]:
    payloads = [tx.payload for tx in node.sent if isinstance(tx.payload, SubmitResult) and tx.payload.job == job]
    result: NDArray[Any] = node.matrices[payloads[-1].y.matrix_id]
    return result
