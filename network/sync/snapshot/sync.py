"""Takes the state after a final block from all peers at once, range by range, each proven against the block's root.

What is wrong is the fault of the one who sent it. What is not sent in time is asked of somebody else. Where nobody has
the block's state any more, a later final block is looked for, and what is here already stays as far as it fits.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from inos.consensus.stateranges import Place
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.bounded import ExpiringSet
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
"""Questions to one peer at one time."""
OVERDUE_S: Final = 10.0
"""After so long somebody else is asked too."""
RETRY_S: Final = 0.5
LACKING_S: Final = 5.0
"""How long a peer that has not got the state is not asked for it again."""
AIM_AGAIN_S: Final = 30.0
"""Without a new range for so long a later final block is looked for."""
LOG_S: Final = 5.0


class SnapshotSync:
    """One for all peers. Does nothing in a node that does not wait for a state.

    Args:
        on_done: called once the node stands on the block, or is to begin with genesis after all.
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
        """Until the node has a state and follows, or is cancelled.

        Raises:
            NetworkError: "bad-checkpoint", "conflicting-finality".
        """
        started = self._clock.monotonic()
        while self._node.ledger.is_awaiting_state:
            block = await self._finder.find()
            if block is None:
                log.warning("nothing is final on this network yet: every block from genesis on is executed")
                await self._node.abandon_import()
            elif await self._try(block):
                height = self._node.ledger.tip.header.height
                log.info("state taken from peers", height=height, seconds=round(self._clock.monotonic() - started, 1))
        self._on_done()

    async def _try(self, block: BlockId) -> bool:
        """Whether the node stands on the block."""
        try:
            if await self._take(await self._node.begin_import(block)):
                await self._node.finish_import()
                return True
        except NotYet as error:  # its header gave way to others: it is learned again
            log.info("state not taken yet", code=error.code, reason=error.message)
            await asyncio.sleep(RETRY_S)
        return False

    async def _take(self, state: StateImportView) -> bool:
        """Whether the state became whole; False where nobody gives any more of it."""
        log.info("state asked for", block=BlockId(state.block).hex(), missing=state.count_missing())
        added, moved_at, said_at = state.added, self._clock.monotonic(), self._clock.monotonic()
        self._asked.clear()
        while not state.is_complete:
            self._has_work.set()
            await self._await_move()
            now = self._clock.monotonic()
            if state.added != added:
                added, moved_at = state.added, now
            elif now - moved_at >= AIM_AGAIN_S:
                log.warning("no peer gives the state any more", block=BlockId(state.block).hex())
                return False
            if now - said_at >= LOG_S:
                said_at = now
                log.info("state on its way in", ranges=added, missing=state.count_missing())
        return True

    async def _await_move(self) -> None:
        self._has_moved.clear()
        try:
            async with asyncio.timeout(RETRY_S):
                await self._has_moved.wait()
        except TimeoutError:
            return

    async def fetch_from(self, peer: Peer) -> None:
        """Ask one peer for ranges for as long as some are missing.

        Raises:
            Misbehaviour: it sent a range that is not the state's.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._fetch(peer))

    async def _fetch(self, peer: Peer) -> None:
        while self._node.ledger.is_awaiting_state:
            state = self._node.state_import
            place = None if state is None else self._choose(state, peer)
            if state is None or place is None:
                self._has_work.clear()
                await self._has_work.wait()
                continue
            try:
                await self._ask(peer, state, place)
            except RequestFailed as error:
                log.debug("range not delivered", peer=peer.name, code=error.code)
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
            raise RequestFailed("not-found", "the peer has not got this state")
        if self._node.state_import is not state:
            return  # another block's state is asked for now; this answer may be right for the one before
        try:
            await self._node.add_range(block, place, reply.found)
        except RuleViolation as error:
            raise Misbehaviour(error.code, f"a range of the state: {error.message}") from error
