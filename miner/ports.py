"""The miner needs these services of a node, each with the few members that the miner calls."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inos.chain.template import Template
from inos.consensus.params import Params
from inos.consensus.records import Job, JobState
from inos.consensus.state import StateView
from inos.primitives.blocks import Block, Header
from inos.primitives.clock import Clock
from inos.primitives.matrices import MatrixRef, Witness
from inos.primitives.transactions import Transaction
from inos.primitives.units import Address, BlockId, JobId, MatrixId, Nano, TxId

if TYPE_CHECKING:
    from inos.miner.split import SplitProduct


class RowFile(Protocol):
    """Holds a product's rows on disk, written in order. They survive the process. Every call may wait for the disk."""

    @property
    def rows_done(self) -> int:
        """This many rows are written, from the first one on."""

    def write(self, first: int, rows: NDArray[Any]) -> None:
        """Write the next rows, which end with a strip or with the product.

        Raises:
            InosError: the disk refuses; the rows count as not written.
        """

    def finish(self) -> MatrixRef:
        """Store the complete product; `MatricesPort.put_product` calls it."""

    def drop(self) -> None:
        """Forget the rows."""


class TipView(Protocol):
    """This is a block of the connected chain."""

    @property
    def id(self) -> BlockId: ...

    @property
    def header(self) -> Header: ...


class ReaderPort(Protocol):
    """Reads the indices at one tip."""

    def list_jobs(
        self,
        *,
        state: JobState | None = None,
        worker: Address | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> Sequence[tuple[JobId, Job]]:
        """Return jobs that match, oldest or newest first."""


class LedgerPort(Protocol):
    """Reads the chain at its connected tip."""

    @property
    def tip(self) -> TipView: ...

    @property
    def state(self) -> StateView: ...

    @property
    def reader(self) -> ReaderPort: ...


class MempoolPort(Protocol):
    """Holds the transactions that wait for a block."""

    def has(self, tx: TxId) -> bool: ...

    def next_nonce(self, address: Address, state: StateView) -> int:
        """Return the nonce after the account's transactions on chain and in the pool."""

    def estimate_fee(self) -> Nano: ...


class TemplatesPort(Protocol):
    """Makes blocks to be mined."""

    async def make(self, beneficiary: Address) -> Template:
        """Make a block on the tip, without seal and nonce."""


class OutcomeView(Protocol):
    """This says how the chain moved."""

    @property
    def connected(self) -> Sequence[BlockId]: ...


class BlocksPort(Protocol):
    """Adds blocks to the chain."""

    async def add(self, block: Block, witness: Witness) -> OutcomeView: ...


class TransactionsPort(Protocol):
    """Takes transactions into the pool."""

    async def add(self, tx: Transaction) -> TxId: ...


class InfoView(Protocol):
    """Describes a stored matrix or file."""

    @property
    def size(self) -> int:
        """Return its bytes."""


class RetentionPort(Protocol):
    """Decides what is kept in the store."""

    def count_free_room(self) -> int:
        """Return how many bytes more fit without evicting anything."""


class StorePort(Protocol):
    """Says what is stored here."""

    @property
    def retention(self) -> RetentionPort: ...

    def has(self, matrix: MatrixId) -> bool: ...

    def find_info(self, matrix: MatrixId) -> InfoView | None: ...

    def get_bytes(self, matrix: MatrixId) -> bytes | None:
        """Return a stored file.

        Raises:
            InvalidMatrix: it is a matrix of numbers.
        """


class OutcomesPort(Protocol):
    """Remembers the outputs that were computed for tasks. Every call may wait for the disk."""

    def find(self, job: JobId) -> tuple[MatrixId, ...] | None:
        """Return the outputs of a task that were kept and are all here, or None."""

    def drop(self, job: JobId) -> None: ...


class MatricesPort(Protocol):
    """Stores and fetches matrices."""

    @property
    def outcomes(self) -> OutcomesPort: ...

    @property
    def store(self) -> StorePort: ...

    async def put(self, array: NDArray[np.int32]) -> MatrixRef: ...

    async def keep_outcome(self, job: JobId, outputs: tuple[bytes, ...]) -> tuple[MatrixId, ...]:
        """Store a task's outputs and return their ids; `outcomes` finds them after a restart."""

    async def open_product(self, job: JobId, rows: int, cols: int) -> RowFile:
        """Open the job's product (int32), as far as it was written before, by this process or an earlier one."""

    async def put_product(self, finish: Callable[[], MatrixRef]) -> MatrixRef:
        """Store a product that is complete on disk, by its `RowFile.finish`."""

    async def fetch(self, matrix: MatrixId, timeout_s: float, max_bytes: int | None = None) -> NDArray[Any]:
        """Return the matrix from this node's store, or from other nodes within `timeout_s` seconds; a file as one row
        of uint8.

        Raises:
            MatrixMissing: no node gave it in time. MeshError: it has more than `max_bytes` bytes.
        """


class EventsPort(Protocol):
    """Publishes the node's events."""

    def subscribe(self) -> AbstractAsyncContextManager[Any]:
        """Enter an async iterator over inos.core.events; it is bounded, and the newest tip always arrives."""


class WorkersPort(Protocol):
    """Multiplies for the miner outside of its process; inos.workers.server.WorkerService satisfies it."""

    @property
    def speed(self) -> float:
        """Return the tickets of pieces per second that workers make."""

    def offer(self, source: "SplitProduct | None") -> None:
        """Give workers parts of this product from now on, and of no other."""

    def set_active(self, is_active: bool) -> None:
        """Let workers be idle, or work again."""


class NodePort(Protocol):
    """The miner uses the node through these services. Reads are of the connected tip."""

    @property
    def params(self) -> Params: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def ledger(self) -> LedgerPort: ...

    @property
    def mempool(self) -> MempoolPort: ...

    @property
    def templates(self) -> TemplatesPort: ...

    @property
    def blocks(self) -> BlocksPort: ...

    @property
    def transactions(self) -> TransactionsPort: ...

    @property
    def matrices(self) -> MatricesPort: ...

    @property
    def events(self) -> EventsPort: ...
