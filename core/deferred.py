"""Input that cannot be checked yet is deferred: blocks ahead of the clock, and results whose matrices are missing."""

import heapq
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from msgspec import Struct

from inos.primitives.blocks import Block, compute_block_id
from inos.primitives.errors import InosError, NotYet
from inos.primitives.matrices import Witness
from inos.primitives.transactions import Transaction
from inos.primitives.units import BlockId, Height, MatrixId, TimeMs, TxId

log: Final = structlog.get_logger("node")

MAX_EARLY_BLOCKS: Final = 64
MAX_RESULTS: Final = 256
MAX_WAIT_BLOCKS: Final = 16
"""A transaction waits this many blocks for its job. By then a node has caught up, or the job never gets there."""
MAX_WANTED: Final = 4096


class EarlyBlock(Struct, frozen=True):
    """Holds a block that is ahead of the clock."""

    block: Block
    witness: Witness


class EarlyBlocks:
    """Holds blocks that are ahead of the clock, sorted by when to try them again. The latest are dropped when it is
    full."""

    def __init__(self, limit: int = MAX_EARLY_BLOCKS) -> None:
        self._limit = limit
        self._heap: list[tuple[TimeMs, BlockId]] = []
        self._blocks: dict[BlockId, EarlyBlock] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    def add(self, until: TimeMs, block: Block, witness: Witness) -> None:
        """Keep a block until its time comes."""
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
        """Remove and return the blocks whose time has come, earliest first."""
        due: list[EarlyBlock] = []
        while self._heap and self._heap[0][0] <= now:
            _, block_id = heapq.heappop(self._heap)
            due.append(self._blocks.pop(block_id))
        return due


class DeferredResults:
    """Holds SubmitResult transactions that lack matrices. The oldest are dropped when it is full."""

    def __init__(self, limit: int = MAX_RESULTS) -> None:
        self._limit = limit
        self._waiting: OrderedDict[TxId, tuple[Transaction, frozenset[MatrixId]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, tx_id: TxId, tx: Transaction, missing: tuple[MatrixId, ...]) -> None:
        """Keep a result until one of its missing matrices comes."""
        self._waiting[tx_id] = (tx, frozenset(missing))
        while len(self._waiting) > self._limit:
            self._waiting.popitem(last=False)

    def take(self, matrix: MatrixId) -> list[Transaction]:
        """Remove and return the results that wait for `matrix`; one may be added again for another matrix."""
        ids = [tx_id for tx_id, (_, missing) in self._waiting.items() if matrix in missing]
        return [self._waiting.pop(tx_id)[0] for tx_id in ids]


class DeferredTransactions:
    """Holds transactions whose job is not at this node's tip as they need it: its tip may be a block behind the
    sender's.

    The oldest are dropped when it is full.

    Args:
        blocks: a transaction is dropped after this many blocks.
    """

    def __init__(self, limit: int = MAX_RESULTS, blocks: int = MAX_WAIT_BLOCKS) -> None:
        self._limit = limit
        self._blocks = blocks
        self._waiting: OrderedDict[TxId, tuple[Transaction, Height]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, tx_id: TxId, tx: Transaction, height: Height) -> None:
        """Keep a transaction that came at tip `height`."""
        self._waiting.setdefault(tx_id, (tx, height))
        while len(self._waiting) > self._limit:
            self._waiting.popitem(last=False)

    def take(self, height: Height, is_ready: Callable[[Transaction], bool]) -> list[Transaction]:
        """Remove and return the transactions that are ready at tip `height`; those that waited too long are dropped."""
        ready = {tx_id: tx for tx_id, (tx, _) in self._waiting.items() if is_ready(tx)}
        old = [tx_id for tx_id, (_, since) in self._waiting.items() if height > since + self._blocks]
        for tx_id in {*ready, *old}:
            del self._waiting[tx_id]
        return list(ready.values())


class WantedMatrices:
    """Holds the ids that deferred blocks and results wait for. The oldest are dropped when it is full."""

    def __init__(self, limit: int = MAX_WANTED) -> None:
        self._limit = limit
        self._ids: OrderedDict[MatrixId, None] = OrderedDict()

    def __contains__(self, matrix: MatrixId) -> bool:
        return matrix in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: tuple[MatrixId, ...]) -> None:
        """Remember ids."""
        for matrix in ids:
            self._ids[matrix] = None
        while len(self._ids) > self._limit:
            self._ids.popitem(last=False)

    def discard(self, matrix: MatrixId) -> None:
        """Forget an id, if it is there."""
        self._ids.pop(matrix, None)

    def list_ids(self) -> tuple[MatrixId, ...]:
        """Return all ids, oldest first."""
        return tuple(self._ids)


async def retry_deferred(what: str, call: Callable[[], Awaitable[Any]]) -> None:
    """Try deferred input again. A refusal is only logged, because the sender waits for no answer any more; input that
    still cannot be checked was deferred again."""
    try:
        await call()
    except NotYet:
        return
    except InosError as error:
        log.info("deferred input refused", what=what, code=error.code, error=error.message)
