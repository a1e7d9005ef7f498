"""Takes the state after a final block from all peers at once, range by range, each proven against the block's root.

The peer that sends a wrong range is at fault. A range that does not arrive in time is requested from another peer. If
no peer has the block's state any more, a later final block is chosen, and the ranges that still fit are kept.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from inos.consensus.stateranges import Place
from inos.core.bounded import ExpiringSet
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort, StateImportView
from inos.network.settings import NetworkSettings
from inos.network.sync.penalties import Penalise
from inos.network.sync.snapshot.checkpoint import CheckpointFinder
from inos.network.wire.snapshot import GetStateRange, StateRangeData
from inos.primitives.clock import Clock
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")

WORKERS: Final = 2
"""This many requests are open to one peer."""
OVERDUE_S: Final = 10.0
"""A range that has not arrived after this time is requested from another peer too."""
RETRY_S: Final = 0.5
LACKING_S: Final = 5.0
"""A peer that does not have the state is not asked for it again for this long."""
RETARGET_S: Final = 30.0
"""If no new range arrives for this long, a later final block is chosen."""
LOG_S: Final = 5.0


class SnapshotSync:
    """Takes a state from all peers; it does nothing in a node that does not wait for one.

    Args:
        on_done: called when the node has the state, or is to start from genesis after all.
    """

    def __init__(
        self,
        node: NodePort,
        settings: NetworkSettings,
        clock: Clock,
        list_peers: Callable[[], Iterable[Peer]],
        penalise: Penalise,
        on_done: Callable[[], None],
    ) -> None:
        self._node = node
        self._limits = settings.limits
        self._clock = clock
        self._finder = CheckpointFinder(node, settings, clock, list_peers, penalise)
        self._on_done = on_done
        self._asked: dict[Place, float] = {}
        self._lacking: ExpiringSet[Peer] = ExpiringSet(256)
        self._has_work = asyncio.Event()
        self._has_moved = asyncio.Event()

    async def run(self) -> None:
        """Run until the node has a state and follows the chain, or is cancelled.

        Raises:
            NetworkError: "bad-checkpoint", "conflicting-finality".
        """
        started = self._clock.monotonic()
        while self._node.ledger.is_awaiting_state:
            block = await self._finder.find()
            if block is None:
                log.warning("no block of this network is final yet: the node executes every block from genesis on")
                await self._node.state_import.abandon()
            elif await self._try(block):
                height = self._node.ledger.tip.header.height
                log.info("state taken from peers", height=height, seconds=round(self._clock.monotonic() - started, 1))
        self._on_done()

    async def _try(self, block: BlockId) -> bool:
        """Take the state after a block; return True if the node now has it as its tip."""
        try:
            if await self._take(await self._node.state_import.begin(block)):
                await self._node.state_import.finish()
                return True
        except NotYet as error:  # Other headers have replaced its header, which is learned again.
            log.info("state not taken yet", code=error.code, reason=error.message)
            await asyncio.sleep(RETRY_S)
        return False

    async def _take(self, state: StateImportView) -> bool:
        """Return True when the state is whole, or False if no peer sends any more of it."""
        log.info("state requested from peers", block=BlockId(state.block).hex(), missing=state.count_missing())
        added, moved_at, logged_at = state.added, self._clock.monotonic(), self._clock.monotonic()
        self._asked.clear()
        while not state.is_complete:
            self._has_work.set()
            await self._await_move()
            now = self._clock.monotonic()
            if state.added != added:
                added, moved_at = state.added, now
            elif now - moved_at >= RETARGET_S:
                log.warning("no peer sends the state any more", block=BlockId(state.block).hex())
                return False
            if now - logged_at >= LOG_S:
                logged_at = now
                log.info("state arriving", ranges=added, missing=state.count_missing())
        return True

    async def _await_move(self) -> None:
        self._has_moved.clear()
        try:
            async with asyncio.timeout(RETRY_S):
                await self._has_moved.wait()
        except TimeoutError:
            return

    async def fetch_from(self, peer: Peer) -> None:
        """Request ranges from one peer for as long as some are missing.

        Raises:
            Misbehaviour: the peer sent a range that is no part of the state.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._fetch(peer))

    async def _fetch(self, peer: Peer) -> None:
        while self._node.ledger.is_awaiting_state:
            state = self._node.state_import.state
            place = None if state is None else self._choose(state, peer)
            if state is None or place is None:
                self._has_work.clear()
                await self._has_work.wait()
                continue
            try:
                await self._ask(peer, state, place)
            except RequestFailed as error:
                log.debug("no range from peer", peer=peer.name, code=error.code)
                self._lacking.add(peer, self._clock.monotonic() + LACKING_S)
            finally:
                self._asked.pop(place, None)
            self._has_moved.set()
            self._has_work.set()

    def _choose(self, state: StateImportView, peer: Peer) -> Place | None:
        now = self._clock.monotonic()
        if self._lacking.has(peer, now):
            return None
        busy = {place for place, since in self._asked.items() if now - since < OVERDUE_S}
        for place in state.list_missing(1, busy):
            self._asked[place] = now
            return place
        return None

    async def _ask(self, peer: Peer, state: StateImportView, place: Place) -> None:
        block = BlockId(state.block)
        with peer.requests.open(StateRangeData) as pending:
            await peer.send_request(pending, GetStateRange(pending.request, block, place), self._limits.block)
            reply = await pending.next(self._limits.block)
        if not isinstance(reply, StateRangeData):
            raise RequestFailed("not-found", "the peer does not have this state")
        if self._node.state_import.state is not state:
            return  # The node takes another block's state by now, and this answer may be right for the previous one.
        try:
            await self._node.state_import.add_range(block, place, reply.found)
        except RuleViolation as error:
            raise Misbehaviour(error.code, f"invalid range of the state: {error.message}") from error
