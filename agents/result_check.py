"""Fetches a delivered result, checks it in the checking threads, and challenges a wrong tile.

Pipeline: operands and result are fetched by id -> Freivalds' check, a slice of rows at a time -> if a row fails, it
alone is multiplied again -> the first wrong tile -> challenge. Watcher and juror share this.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import structlog
from msgspec import Struct
from numpy.typing import NDArray

from inos import work
from inos.agents.signing import make_transaction
from inos.consensus.records import ProductWork
from inos.core.node_core import NodeCore
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import STRIP_ROWS, MatrixRef, StripRow
from inos.primitives.transactions import Challenge, compute_tx_id
from inos.primitives.units import JobId, TxId
from inos.work.fraud import open_tile
from inos.work.freivalds import RowCheck
from inos.work.limbs import multiply_int7

log: Final = structlog.get_logger("results")

FETCH_S: Final = 2.0
"""One attempt to fetch a matrix takes this long; the caller decides for how long attempts are repeated.

What has arrived stays, so a short attempt loses nothing, and a juror notices in time that it must commit a verdict.
"""
SLICE_ENTRIES: Final = 1 << 23
"""This many entries of W, or of X and Y together, are checked between two turns of other work."""


class WrongTile(Struct, frozen=True):
    """The place of a wrong 16 x 16 tile of a result."""

    i: int
    j: int


class ResultCheck:
    """Checks delivered results one at a time.

    Args:
        secret: the secret (32 bytes) of the account that sends challenges, and is paid for them.
    """

    def __init__(self, core: NodeCore, secret: bytes) -> None:
        self._core = core
        self._secret = secret
        self._checking = asyncio.Semaphore(1)

    async def fetch(self, refs: Sequence[MatrixRef], is_wanted: Callable[[], bool]) -> list[NDArray[Any]]:
        """Fetch matrices in order, asking again while `is_wanted()`.

        Raises:
            MatrixMissing: one of them did not arrive while it was wanted.
        """
        arrays = []
        for ref in refs:
            while True:
                try:
                    arrays.append(await self._core.matrices.fetch(ref.matrix_id, FETCH_S))
                    break
                except MatrixMissing:
                    if not is_wanted():
                        raise
        return arrays

    async def find_wrong_tile(
        self, job_id: JobId, product: ProductWork, y: MatrixRef, arrays: Sequence[NDArray[Any]]
    ) -> WrongTile | None:
        """Return the first wrong tile of a result, or None if it is right.

        Args:
            arrays: X (m x k, int8), W (n x k, int8) and Y (m x n, int32).
        """
        async with self._checking:
            return await self._find_wrong_tile(job_id, product, y, arrays)

    async def challenge(self, job_id: JobId, product: ProductWork, y: MatrixRef, tile: WrongTile) -> TxId:
        """Send the challenge that proves a tile wrong.

        Raises:
            MatrixMissing: a matrix is not stored here any more. RuleViolation, PoolRejected: as for any transaction.
        """
        opened = await self._core.threads.check(
            partial(open_tile, product.x, product.w, y, tile.i, tile.j, self._open_row)
        )
        payload = Challenge(job_id, opened.i, opened.j, opened.x, opened.w, opened.y)
        tx = make_transaction(self._core, self._secret, payload)
        await self._core.transactions.add(tx)
        log.info("result challenged", job=job_id.hex(), i=tile.i, j=tile.j, tx=compute_tx_id(tx).hex())
        return compute_tx_id(tx)

    async def _find_wrong_tile(
        self, job_id: JobId, product: ProductWork, y: MatrixRef, arrays: Sequence[NDArray[Any]]
    ) -> WrongTile | None:
        left, right, claimed = arrays
        run = self._core.threads.check
        check = await run(
            partial(
                RowCheck,
                work.compute_freivalds_seed(job_id, product.x.id, product.w.id, y.id),
                len(right),
                right.shape[1],
            )
        )
        step = max(1, SLICE_ENTRIES // right.shape[1])
        for top in range(0, len(right), step):
            await run(partial(check.absorb, top, right[top : top + step]))
        step = max(1, SLICE_ENTRIES // (left.shape[1] + claimed.shape[1]))
        for top in range(0, len(left), step):
            wrong = await run(partial(check.find_wrong_rows, left[top : top + step], claimed[top : top + step]))
            if wrong:
                row = top + wrong[0]
                column = await self._find_column(left[row], right, claimed[row])
                return WrongTile(row // STRIP_ROWS, column // STRIP_ROWS)
        return None

    async def _find_column(self, x: NDArray[Any], w: NDArray[Any], y: NDArray[Any]) -> int:
        """Return the first column in which a row of Y differs from the product; Freivalds' check has found that one
        does.
        """
        step = max(1, SLICE_ENTRIES // w.shape[1])
        for left in range(0, len(w), step):
            product = await self._core.threads.check(partial(multiply_int7, x[None, :], w[left : left + step]))
            wrong = (product[0] != y[left : left + step]).nonzero()[0]
            if len(wrong):
                return left + int(wrong[0])
        raise LookupError("a row that fails Freivalds' check is right in every column, which cannot be")

    def _open_row(self, ref: MatrixRef, first: int, count: int) -> StripRow:
        row = self._core.matrices.store.open_row(ref.matrix_id, first, count)
        if row is None:
            raise MatrixMissing((ref.matrix_id,))
        return row
