"""What the worker service needs of others: a pool that counts shares, and products to give pieces of."""

from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.units import Address, JobId, Target, Tickets, TimeMs
from inos.work import Operand
from inos.workers.messages import Totals, WorkerKind


class WorkerInfo(Struct, frozen=True):
    """A connected worker, as the pool and the node's operator see it."""

    identity: bytes
    """16 bytes that the worker keeps over its connections. They are its own word: two workers may use the same."""
    connection: int
    """Counts connections since the node started; it is the upper half of this worker's nonces."""
    address: Address | None
    """Shares are paid to this address; None for the node's own fleet."""
    name: str
    kind: WorkerKind
    backend: str
    threads: int
    speed: int
    """Tickets per second, as the worker says; 0 if it says nothing."""


class PoolPort(Protocol):
    """Counts what strangers earn. Without one a node refuses strangers. It is called on the event loop, and returns
    soon; what it was told is durable before the next payout, not before it returns."""

    def get_share_target(self, worker: WorkerInfo) -> Target:
        """Return the target of the shares of a worker's next assignment."""

    def add_share(self, worker: WorkerInfo, weight: Tickets, at_ms: TimeMs) -> None:
        """Count a share that was recomputed: `weight` is 2^256 / (its assignment's target + 1)."""

    def add_piece(self, worker: WorkerInfo, job: JobId | None, tickets: Tickets, at_ms: TimeMs) -> None:
        """Count a piece of a paid product whose rows were checked and are used."""

    def may_take_pieces(self, worker: WorkerInfo) -> bool:
        """Return False for a worker whose shares do not fit the tickets of its pieces, or whose pieces are not paid."""

    def get_totals(self, worker: WorkerInfo) -> Totals:
        """Return what the worker's address has here, for an acknowledgement."""

    def remove_worker(self, worker: WorkerInfo) -> None:
        """Forget what was kept for a connection, which has ended."""


class PieceSource(Protocol):
    """A product in progress whose strips are multiplied in any order, by several at once. It belongs to the event
    loop."""

    @property
    def x(self) -> Operand: ...

    @property
    def w(self) -> Operand: ...

    @property
    def job(self) -> JobId | None: ...

    @property
    def tickets_per_strip(self) -> Tickets: ...

    def take(self, taker: int, tickets: int, speed: float) -> tuple[int, int] | None:
        """Return strips [first, last) of X that nobody works on, about `tickets` tickets, or those of a taker that is
        late; None if there are none. `speed` is the taker's, in tickets per second: it says when the piece is late."""

    def give_back(self, taker: int, first: int, last: int) -> None:
        """Return strips that the taker will not finish."""

    async def finish(self, taker: int, first: int, last: int, rows: NDArray[np.int32], tickets: int) -> bool:
        """Take the rows of strips [first, last), which were checked; return False if another taker was faster."""


class LocalFiles(Protocol):
    """Opens the files of matrices, for workers on this machine."""

    def open_file(self, matrix: bytes) -> tuple[int, Any] | None:
        """Return an open descriptor of a complete matrix's file and its MatrixInfo, or None if it is not here."""
