"""The monitor moves the state machine of sync, logs progress, and starts and ends bulk verification."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog

from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.sync.progress import (
    Bottleneck,
    Phase,
    RateMeter,
    SyncMachine,
    SyncObservation,
    SyncStatus,
    WaitTimes,
    make_status,
)
from inos.primitives.clock import Clock

log = structlog.get_logger("inos.network")

POLL_S: Final = 0.5
LOG_S: Final = 5.0
"""Progress is logged this often."""
BULK_BLOCKS: Final = 512
"""Processes that check seals take a second to start, which pays for at least this many blocks."""


class SyncMonitor:
    """Observes sync for all peers; the parts of sync report what it cannot see itself."""

    def __init__(self, node: NodePort, clock: Clock, list_peers: Callable[[], Iterable[Peer]]) -> None:
        self._node = node
        self._clock = clock
        self._list_peers = list_peers
        self._verification = node.verifier.backend
        self._machine = SyncMachine(clock.monotonic())
        self._meter = RateMeter()
        self._waits = WaitTimes()
        self._learning: dict[Peer, int] = {}
        self._transactions = 0
        self._has_learned = asyncio.Event()
        self._logged_at = clock.monotonic()
        self.blocked_by = ""
        """The next block waits for this, if known."""

    @contextmanager
    def learning(self, peer: Peer) -> Iterator[None]:
        """Mark the peer as one whose chain is being learned, while the block runs."""
        self._learning[peer] = peer.best_height
        try:
            yield
        finally:
            del self._learning[peer]
            if not self._verification.workers and self._count_behind() >= BULK_BLOCKS:
                self._has_learned.set()  # to start the processes; who claims chains again and again wakes it no more

    def add_connected(self, transactions: int) -> None:
        """Note that a block with this many transactions was connected."""
        self._transactions += transactions
        self.blocked_by = ""

    def add_wait(self, what: Bottleneck, seconds: float) -> None:
        """Note that the next block has just spent `seconds` on `what`."""
        self._waits.add(self._clock.monotonic(), what, seconds)

    def get_status(self) -> SyncStatus:
        return make_status(self._machine, self._look(), self._meter, self._waits, self._verification.workers)

    async def run(self) -> None:
        """Observe sync repeatedly, until cancelled."""
        try:
            while True:
                self._has_learned.clear()
                self._observe()
                await self._prepare()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._has_learned.wait()
        finally:
            await self._verification.end_bulk()

    def _look(self) -> SyncObservation:
        ledger, state = self._node.ledger, self._node.state_import.state
        return SyncObservation(
            now=self._clock.monotonic(),
            peers=sum(1 for _ in self._list_peers()),
            height=ledger.tip.header.height,
            header_height=ledger.best_header.header.height,
            claimed_height=max(self._learning.values(), default=0),
            is_learning=bool(self._learning),
            blocked_by=self.blocked_by,
            is_awaiting_state=ledger.is_awaiting_state,
            ranges=state.added if state is not None else 0,
        )

    def _observe(self) -> None:
        observation = self._look()
        self._meter.add(observation.now, observation.header_height, observation.height, self._transactions)
        before = self._machine.phase
        if self._machine.observe(observation):
            self._log(before)
        elif (
            self._machine.phase not in (Phase.FOLLOWING, Phase.FINDING_PEERS)
            and observation.now - self._logged_at >= LOG_S
        ):
            self._log(None)

    def _log(self, before: Phase | None) -> None:
        self._logged_at = self._clock.monotonic()
        status = self.get_status()
        write = log.warning if status.phase is Phase.STALLED else log.info
        if before is None:
            write(f"sync {status.describe()}")
        else:
            write(f"sync {status.describe()}", was=str(before))

    async def _prepare(self) -> None:
        """Start processes for a long sync, and end them when it is over."""
        is_syncing = self._machine.phase in (Phase.HEADERS, Phase.BLOCKS) and not self._node.ledger.is_awaiting_state
        if is_syncing and self._count_behind() >= BULK_BLOCKS:
            await self._verification.begin_bulk()
        elif self._machine.phase in (Phase.FOLLOWING, Phase.FINDING_PEERS):
            await self._verification.end_bulk()

    def _count_behind(self) -> int:
        ledger = self._node.ledger
        return ledger.best_header.header.height - ledger.tip.header.height
