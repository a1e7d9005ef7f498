"""What the worker service needs of others: a pool that counts shares, and products to give pieces of."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.mesh.files import MatrixInfo
from inos.primitives.units import Address, JobId, MatrixId, Target, Tickets, TimeMs
from inos.work import Operand
from inos.workers.messages import Hello, Totals, WorkerKind


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


def make_worker_info(hello: Hello, prefix: int) -> WorkerInfo:
    """Return a worker's own words as the pool and the operator get them."""
    address = None if hello.address is None else Address(hello.address)
    return WorkerInfo(
        hello.identity, prefix, address, hello.name, hello.kind, hello.backend, hello.threads, int(hello.speed)
    )


class PoolPort(Protocol):
    """Counts what workers earn, those of the node's own fleet for the node. Without one a node refuses strangers. It
    is called on the event loop, and returns soon; what it was told outlives the process."""

    def get_share_target(self, worker: WorkerInfo) -> Target:
        """Return the target of the shares of a worker's next assignment."""

    def add_shares(self, worker: WorkerInfo, weight: Tickets, count: int, at_ms: TimeMs, *, of_piece: bool) -> None:
        """Count shares of one template that were recomputed: `weight` of each is 2^256 / (the share target + 1)."""

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

    @property
    def own_speed(self) -> float:
        """Return the tickets per second of the node's own engine, which takes strips too."""

    @property
    def tickets_left(self) -> Tickets:
        """Return the tickets of the strips that nobody has taken."""

    def take(
        self, taker: int, tickets: int, speed: float, total: float, transfer_s: float, most: int | None
    ) -> tuple[int, int] | None:
        """Return strips [first, last) of X that nobody works on, at most about `tickets` tickets, or those of a taker
        that is late; None if there are none now.

        Args:
            taker: a worker's connection.
            speed: its tickets per second.
            total: those of all takers together; they say how much of the rest is the taker's share.
            transfer_s: operands and rows need so many seconds on the line, which count for when the piece is late.
            most: no strips of a late taker with more tickets are returned; None if any may be.
        """

    def is_open(self, first: int, last: int) -> bool:
        """Return False if another taker finished these strips."""

    async def write_rows(
        self, taker: int, first: int, last: int, write: Callable[[NDArray[np.int32]], None]
    ) -> NDArray[np.int32] | None:
        """Call `write` in a thread with the memory where the rows of strips [first, last) are kept, and return it. Rows
        that are then finished are not copied, and others are not used. Return None if they are not kept in memory, or
        another taker's are there.
        """

    def give_back(self, taker: int, first: int, last: int) -> None:
        """Return strips that the taker will not finish."""

    async def finish(self, taker: int, first: int, last: int, rows: NDArray[np.int32]) -> bool:
        """Take the rows of strips [first, last), which were checked; return False if another taker was faster."""

    def count_tickets(self, tickets: int) -> None:
        """Count tickets that were drawn of this product, for the miner's statistics."""


class FilesPort(Protocol):
    """Opens the files of matrices, for workers on this machine."""

    def open_file(self, matrix: MatrixId) -> tuple[int, MatrixInfo] | None:
        """Return a descriptor of a complete matrix's file, which the caller closes, and what it holds; None if it is
        not here."""
