"""The pool of a node: what the worker service tells it, what it pays, and what it publishes."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from msgspec import Struct

from inos.primitives.clock import Clock
from inos.primitives.errors import InosError
from inos.primitives.payments import pack_payments
from inos.primitives.transactions import TransferMany
from inos.primitives.units import U64_MAX, Address, JobId, Nano, Target, Tickets, TimeMs
from inos.workers.messages import Totals
from inos.workers.pool.books import Books
from inos.workers.pool.follower import Follower
from inos.workers.pool.payouts import LEAST_PAYOUT, plan_payout
from inos.workers.pool.ports import NodePort
from inos.workers.pool.rates import Rates
from inos.workers.pool.records import Payout
from inos.workers.pool.split import PPM, pack_parts
from inos.workers.pool.targets import Pace, compute_weight, make_share_target
from inos.workers.pool.window import MAX_ADDRESSES, SPAN_OF_D
from inos.workers.ports import WorkerInfo

log: Final = structlog.get_logger("pool")

FOLLOW_S: Final = 1.0
PAY_S: Final = 15.0
"""Payouts are looked at this often; each pays up to 256 addresses."""
PIECES_KEPT_MS: Final = 30 * 86_400_000
DEFAULT_FEE_PPM: Final = 10_000
MOST_FEE_PPM: Final = PPM


class PoolSettings(Struct, frozen=True):
    """What the operator of a pool decides."""

    fee_ppm: int = DEFAULT_FEE_PPM
    """The pool keeps so many millionths of all income."""
    least_payout: Nano = LEAST_PAYOUT


class Connection(Struct):
    """A connected worker."""

    worker: WorkerInfo
    pace: Pace
    weight: int
    """The tickets that a share of its last assignment stands for."""
    since_s: float
    tickets: int = 0


class Pool:
    """Satisfies `inos.workers.ports.PoolPort`. It belongs to the event loop.

    Args:
        address: the node's account, which blocks pay and which pays the members.
    """

    def __init__(self, node: NodePort, books: Books, address: Address, settings: PoolSettings, clock: Clock) -> None:
        self.address = address
        self.settings = settings
        self.books = books
        self._node = node
        self._clock = clock
        self._follower = Follower(books, address, settings.fee_ppm)
        self._connections: dict[int, Connection] = {}
        self.rates = Rates[Address](clock.monotonic())
        self.uncounted = 0
        """Shares of new addresses since the start that the window had no room for."""

    # What the worker service calls

    def get_share_target(self, worker: WorkerInfo) -> Target:
        """Return the target of the shares of a worker's next assignment: about one share in ten seconds."""
        connection = self._get_connection(worker)
        connection.weight = connection.pace.compute_weight(self._clock.monotonic(), self._node.difficulty)
        target = make_share_target(connection.weight)
        connection.weight = compute_weight(target)
        return target

    def add_shares(self, worker: WorkerInfo, weight: Tickets, count: int, at_ms: TimeMs, *, of_piece: bool) -> None:
        """Count shares of one template that were recomputed, on disk when this returns.

        Args:
            weight: of each share.
            of_piece: they are tickets of a piece, not of a filler.
        """
        now, connection = self._clock.monotonic(), self._get_connection(worker)
        connection.pace.add(weight * count, now)
        connection.tickets += weight * count
        address = worker.address or self.address
        identity = worker.identity if of_piece else None
        if not self.books.add_shares(address, weight, at_ms, self.span, count=count, piece_of=identity):
            if not self.uncounted:
                log.warning("pool is full: shares of new addresses are not counted", addresses=MAX_ADDRESSES)
            self.uncounted += count
            return
        self.rates.add(address, weight * count, now)

    def add_own(self, tickets: int, at_ms: TimeMs) -> None:
        """Count tickets of the node's own engine, which are divided by like those of the members."""
        if tickets > 0:
            self.rates.add(self.address, tickets, self._clock.monotonic())
            self.books.add_shares(self.address, tickets, at_ms, self.span, are_shares=False)

    def add_piece(self, worker: WorkerInfo, job: JobId | None, tickets: Tickets, at_ms: TimeMs) -> None:
        """Count a piece whose rows were checked and are used; it is paid from the job's reward."""
        address = worker.address or self.address
        weight = self._get_connection(worker).weight
        self.books.add_piece(address, worker.identity, job, tickets, weight, at_ms)

    def may_take_pieces(self, worker: WorkerInfo) -> bool:
        """Return False for a worker whose pieces came without the shares that noise brings."""
        return not self.books.get_noise(worker.address or self.address, worker.identity).is_refused

    def get_totals(self, worker: WorkerInfo) -> Totals:
        """Return what the worker's address has here, for an acknowledgement."""
        member = self.books.get_member(worker.address or self.address)
        unpaid = max(0, member.owed + member.pending)
        return Totals(member.shares, min(member.tickets, U64_MAX), unpaid, member.paid)

    def remove_worker(self, worker: WorkerInfo) -> None:
        """Forget a connection that has ended."""
        self._connections.pop(worker.connection, None)
        self.books.forget_noise(worker.address or self.address, worker.identity)

    def _get_connection(self, worker: WorkerInfo) -> Connection:
        found = self._connections.get(worker.connection)
        if found is None:
            now = self._clock.monotonic()
            pace = Pace(worker.speed, now)
            found = Connection(worker, pace, pace.compute_weight(now, self._node.difficulty), now)
            self._connections[worker.connection] = found
        return found

    # What it publishes

    @property
    def span(self) -> int:
        """The tickets of the window: twice the D of the next block."""
        return SPAN_OF_D * self._node.difficulty

    def list_connections(self) -> list[Connection]:
        return list(self._connections.values())

    def compute_speed(self, connection: Connection) -> float:
        """Return a connection's tickets per second, by its shares."""
        return connection.tickets / max(1.0, self._clock.monotonic() - connection.since_s)

    def compute_rates(self) -> dict[Address, float]:
        """Return tickets per second over the last ten minutes by address, the node's own engine included."""
        return self.rates.compute_all(self._clock.monotonic())

    def compute_rate(self, address: Address) -> float:
        """Return the same for one address."""
        return self.rates.compute(address, self._clock.monotonic())

    # What it does by itself

    async def run(self, count_own: Callable[[], int]) -> None:
        """Follow the chain and pay, until cancelled.

        Args:
            count_own: returns the tickets that the node's own engine has drawn since it started.
        """
        pay_at, counted = self._clock.monotonic() + PAY_S, 0
        self.books.drop_pieces(self._clock.now_ms() - PIECES_KEPT_MS)
        while True:
            own = count_own()
            self.add_own(own - counted, self._clock.now_ms())
            counted = own
            self.follow()
            if self._clock.monotonic() >= pay_at:
                pay_at = self._clock.monotonic() + PAY_S
                await self.pay()
            await asyncio.sleep(FOLLOW_S)

    def follow(self) -> None:
        """Bring the books up to the chain, a bounded number of blocks at once."""
        self._follower.follow(self._node.read_chain())

    async def pay(self) -> None:
        """Send the payouts again that are not in a block; if there are none but doubtful ones, make the next one."""
        sent = [each for each in self.books.list_sent() if each[0] not in self._follower.doubtful]
        if not sent:
            payout = self._make_payout()
            if payout is None:
                return
            sent = [(self.books.add_payout(payout), payout)]
            log.info("payout", id=payout.id.hex(), nonce=payout.nonce)
        chain = self._node.read_chain()
        for number, payout in sent:
            if chain.get_nonce(self.address) <= payout.nonce:
                try:
                    await self._node.send(payout.tx)
                except InosError as error:
                    log.warning("payout refused, and tried again", number=number, code=error.code, error=error.message)

    def _make_payout(self) -> Payout | None:
        owed = self.books.list_owed(self.settings.least_payout, but=(self.address,))
        if not owed:
            return None
        chain = self._node.read_chain()
        plan = plan_payout(owed, chain.get_balance(self.address), self._node.least_payment, self._node.estimate_fee)
        if plan is None:
            return None
        tx, tx_id, nonce = self._node.sign(TransferMany(pack_payments(plan.payments)), plan.fee)
        return Payout(tx, tx_id, nonce, plan.fee, self._clock.now_ms(), pack_parts(plan.parts), chain.height)
