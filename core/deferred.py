"""Things that cannot be judged yet: blocks ahead of the clock, results whose matrices are not here."""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from inos.primitives.blocks import Block, compute_block_id
from inos.primitives.matrices import Witness
from inos.primitives.transactions import Transaction
from inos.primitives.units import BlockId, Height, MatrixId, TimeMs, TxId

MAX_EARLY_BLOCKS: Final = 64
MAX_HELD_RESULTS: Final = 256
UNCLAIMED_BLOCKS: Final = 16
"""Blocks a result waits for its claim; in so many a node has caught up, or the claim was never made."""
MAX_WANTED: Final = 4096


class EarlyBlock(Struct, frozen=True):
    block: Block
    witness: Witness


class EarlyBlocks:
    """Blocks from ahead of the clock, by when to look again. The latest ones give way when it is full."""

    def __init__(self, limit: int = MAX_EARLY_BLOCKS) -> None:
        self._limit = limit
        self._heap: list[tuple[TimeMs, BlockId]] = []
        self._blocks: dict[BlockId, EarlyBlock] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    def hold(self, until: TimeMs, block: Block, witness: Witness) -> None:
        block_id = compute_block_id(block.header)
        if block_id in self._blocks:
            return
        self._blocks[block_id] = EarlyBlock(block, witness)
        heapq.heappush(self._heap, (until, block_id))
        if len(self._heap) > self._limit:
            latest = max(self._heap)
            self._heap.remove(latest)
            heapq.heapify(self._heap)
            del self._blocks[latest[1]]

    def take_due(self, now: TimeMs) -> list[EarlyBlock]:
        """Blocks whose time has come, earliest first; they are no longer held."""
        due: list[EarlyBlock] = []
        while self._heap and self._heap[0][0] <= now:
            _, block_id = heapq.heappop(self._heap)
            due.append(self._blocks.pop(block_id))
        return due


class HeldResults:
    """SubmitResult transactions that cannot be checked yet; the oldest give way when it is full."""

    def __init__(self, limit: int = MAX_HELD_RESULTS) -> None:
        self._limit = limit
        self._held: OrderedDict[TxId, tuple[Transaction, frozenset[MatrixId]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def missing(self) -> set[MatrixId]:
        return {matrix for _, ids in self._held.values() for matrix in ids}

    def hold(self, tx_id: TxId, tx: Transaction, missing: tuple[MatrixId, ...]) -> None:
        self._held[tx_id] = (tx, frozenset(missing))
        while len(self._held) > self._limit:
            self._held.popitem(last=False)

    def take(self, matrix: MatrixId) -> list[Transaction]:
        """Transactions that waited for `matrix`; they are no longer held, and may come back for another one."""
        ids = [tx_id for tx_id, (_, missing) in self._held.items() if matrix in missing]
        return [self._held.pop(tx_id)[0] for tx_id in ids]


class UnclaimedResults:
    """Results whose claim this node has not seen on chain yet: its tip may be a block behind the sender's."""

    def __init__(self, limit: int = MAX_HELD_RESULTS, blocks: int = UNCLAIMED_BLOCKS) -> None:
        self._limit = limit
        self._blocks = blocks
        self._held: OrderedDict[TxId, tuple[Transaction, Height]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, tx_id: TxId, tx: Transaction, height: Height) -> None:
        """Hold a result that came at tip `height`; the oldest give way when it is full."""
        self._held.setdefault(tx_id, (tx, height))
        while len(self._held) > self._limit:
            self._held.popitem(last=False)

    def take(self, height: Height, is_claimed: Callable[[Transaction], bool]) -> list[Transaction]:
        """Those whose claim is there now. They are no longer held, and neither are those that waited too long."""
        ready = {tx_id: tx for tx_id, (tx, _) in self._held.items() if is_claimed(tx)}
        old = [tx_id for tx_id, (_, since) in self._held.items() if height > since + self._blocks]
        for tx_id in {*ready, *old}:
            del self._held[tx_id]
        return list(ready.values())


class WantedMatrices:
    """Ids that held blocks wait for, oldest first, bounded."""

    def __init__(self, limit: int = MAX_WANTED) -> None:
        self._limit = limit
        self._ids: OrderedDict[MatrixId, None] = OrderedDict()

    def __contains__(self, matrix: MatrixId) -> bool:
        return matrix in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: tuple[MatrixId, ...]) -> None:
        for matrix in ids:
            self._ids[matrix] = None
        while len(self._ids) > self._limit:
            self._ids.popitem(last=False)

    def discard(self, matrix: MatrixId) -> None:
        self._ids.pop(matrix, None)

    def list_ids(self) -> tuple[MatrixId, ...]:
        return tuple(self._ids)
