"""Products that are mined: made on the certified engine, with a ticket drawn from each of their pieces."""

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import STRIP_BYTES, STRIP_ROWS, DType, make_matrix_ref
from inos.programs.types import Array
from inos.work.backends import AUTO
from inos.work.certificate import Win
from inos.work.engine import Lottery, Mined, make_small_products
from inos.work.matrices import Operand
from inos.work.stopping import Stopped, check_stop
from inos.work.strips import StripTree, compute_leaf_row

MAX_KEPT_BYTES: Final = 48 << 20
"""W is kept packed under its noise for the next product, up to so many bytes of all of them."""
LARGE_MACS: Final = 1 << 26
"""A product of fewer multiplications takes a few milliseconds: it is not interrupted, and runs in one thread."""


class MiningProduct:
    """Makes a program's products and draws their tickets. It is what `prepare_program` takes as `product`.

    Small products, all blocks of one together, are single calls of a kernel. The general way, through `Lottery`, makes
    large products, and the seals and witnesses of blocks with winning tickets.

    Args:
        anchor, target: as of `Lottery`. `set_template` replaces them, during a run too.
        inputs: the bound inputs of the program, which do not change while it runs: each is hashed once.
        threads: None for one per processor.
        stop: once it is set, the product in progress or the next one raises `Stopped`.
    """

    def __init__(
        self,
        anchor: bytes,
        target: int,
        inputs: Sequence[Array] = (),
        *,
        backend: str = AUTO,
        threads: int | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._template = anchor, target
        self._inputs = {id(each): each for each in inputs}
        self._operands: dict[tuple[int, int], list[Operand]] = {}
        self._lotteries: dict[tuple[bytes, int | None], Lottery] = {}
        self._lottery_template = self._template
        self._lottery_bytes = 0
        self._small = make_small_products(anchor, target, backend=backend)
        self._backend, self._threads, self._stop = backend, threads, stop
        self.tickets = 0
        """The number of tickets drawn so far."""
        self.wins: list[Win] = []

    def set_template(self, anchor: bytes, target: int) -> None:
        """Draw the tickets of all later products under another anchor."""
        self._template = anchor, target
        if self._small is not None:
            self._small.set_template(anchor, target)

    def __call__(self, x: NDArray[np.int8], w: NDArray[np.int8], blocks: int) -> NDArray[np.int32]:
        """Return the products of all blocks below each other."""
        product = self._make_small(x, w, blocks)
        if product is not None:
            return product
        pairs = zip(self._commit(x, blocks), self._commit(w, blocks), strict=True)
        products = np.empty((blocks, len(x) // blocks, len(w) // blocks), np.int32) if blocks > 1 else None
        for at, (left, right) in enumerate(pairs):
            mined = self._mine(left, right, is_kept=id(w) in self._inputs)
            self.tickets += mined.tickets
            self.wins += mined.wins
            if mined.product is None:
                raise Stopped
            if products is None:
                return mined.product
            products[at] = mined.product
        assert products is not None, "a product has at least one block"
        return products.reshape(len(x), -1)

    def _make_small(self, x: NDArray[np.int8], w: NDArray[np.int8], blocks: int) -> NDArray[np.int32] | None:
        """Return the products if they are small, and None otherwise."""
        is_kept = id(w) in self._inputs
        if self._small is None or (job := self._small.prepare(x, w, blocks, is_kept=is_kept)) is None:
            return None
        product, before = np.empty((len(x), len(w) // blocks), np.int32), self.tickets
        for first in range(0, blocks, job.together):
            check_stop(self._stop)
            made = self._small.multiply(job, x, w, product, first)
            if made is None:
                self.tickets = before
                return None  # The general way draws all again, and names the entry that is out of range.
            tickets, won = made
            self.tickets += tickets
            for at in won:
                left, right = (commit_blocks(_take(each, blocks, at), 1)[0] for each in (x, w))
                self.wins += self._mine(left, right, is_kept=False).wins
        return product

    def _commit(self, array: NDArray[np.int8], blocks: int) -> list[Operand]:
        if id(array) not in self._inputs:
            return commit_blocks(array, blocks)
        key = id(array), blocks
        if key not in self._operands:
            self._operands[key] = commit_blocks(array, blocks)
        return self._operands[key]

    def _mine(self, x: Operand, w: Operand, *, is_kept: bool) -> Mined:
        check_stop(self._stop)
        is_large = x.ref.rows * w.ref.rows * x.ref.cols >= LARGE_MACS
        lottery = self._get_lottery(w, self._threads if is_large else 1, is_kept=is_kept)
        return lottery.mine_strips(x, 0, x.strips, stop=self._stop if is_large else None)

    def _get_lottery(self, w: Operand, threads: int | None, *, is_kept: bool) -> Lottery:
        """Return W under the template's noise: that of the last product with it, if it was kept."""
        if self._lottery_template != self._template:
            self._lotteries.clear()
            self._lottery_template, self._lottery_bytes = self._template, 0
        key = w.ref.id, threads
        lottery = self._lotteries.get(key)
        if lottery is None:
            lottery = Lottery(w, *self._template, backend=self._backend, threads=threads)
            size = w.strips * w.panels * STRIP_BYTES
            if is_kept and self._lottery_bytes + size <= MAX_KEPT_BYTES:
                self._lotteries[key] = lottery
                self._lottery_bytes += size
        return lottery


def commit_blocks(array: NDArray[np.int8], blocks: int) -> list[Operand]:
    """Return equal blocks of rows as operands. Their strips are hashed at once where none reaches into two blocks.

    The operands share the array's memory.

    Raises:
        InvalidMatrix: the array is no operand.
    """
    rows, cols = len(array) // blocks, array.shape[1]
    parts = [array[at * rows : (at + 1) * rows] for at in range(blocks)]
    if not array.flags.c_contiguous or (blocks > 1 and rows % STRIP_ROWS):
        return [Operand.commit(part, copy=False) for part in parts]
    leaves = compute_leaf_row(array)
    size = len(leaves) // blocks
    operands = []
    for at, part in enumerate(parts):
        tree = StripTree(leaves[at * size : (at + 1) * size], None)
        part.flags.writeable = False
        operands.append(Operand(part, make_matrix_ref(DType.INT7, rows, cols, tree.root), tree))
    return operands


def _take(array: NDArray[np.int8], blocks: int, at: int) -> NDArray[np.int8]:
    """Return one of equal blocks of rows."""
    rows = len(array) // blocks
    return array[at * rows : (at + 1) * rows]
