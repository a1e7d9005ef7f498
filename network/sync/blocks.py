"""Fetches bodies and witnesses from all peers that have them, and hands them to the node in order."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from network.errors import Misbehaviour, RequestFailed
from network.peers.peer import Peer
from network.ports import Clock, NodePort
from network.settings import NetworkSettings
from network.sync.progress_watch import SyncWatch
from network.sync.punish import Punish
from network.sync.status import needs_body
from network.sync.verifier import SealVerifier
from network.sync.window import Window
from network.wire.chain import MAX_BLOCK_IDS, BlockData, GetBlocks
from network.wire.control import NotFound
from primitives.blocks import Block, compute_block_id, compute_tx_root
from primitives.codec import encode
from primitives.errors import ClockAhead, InosError, MatrixMissing, NotYet, RuleViolation
from primitives.matrices import Witness
from primitives.units import BlockId

log = structlog.get_logger("inos.network")

BATCH: Final = 8
WORKERS: Final = 2
"""Questions open to one peer at a time, so that it need not wait for us between two."""
REFILL_S: Final = 1.0
RETRY_S: Final = 2.0
STUCK_S: Final = 2.0
"""Without a block for so long, chains beside the best header chain are tried too."""
MAX_STRIKES: Final = 3
"""Timeouts in a row after which a peer is dropped (not banned)."""
MAX_WALK: Final = 4096
"""How far below a peer's tip its first missing body is looked for."""


class BlockSync:
    """One for all peers."""

    def __init__(
        self,
        node: NodePort,
        settings: NetworkSettings,
        clock: Clock,
        list_peers: Callable[[], Iterable[Peer]],
        punish: Punish,
        verifier: SealVerifier,
        watch: SyncWatch,
    ) -> None:
        self._verifier = verifier
        self._watch = watch
        self._node = node
        self._limits = settings.limits
        self._size = settings.window_blocks
        self._clock = clock
        self._list_peers = list_peers
        self._punish = punish
        self._window: Window[Peer] = Window(2 * settings.window_blocks, settings.window_bytes)
        self._progress_at = clock.monotonic()
        self._has_work = asyncio.Event()
        self._has_blocks = asyncio.Event()
        self._is_stale = asyncio.Event()

    def kick(self) -> None:
        """Look again at what is wanted."""
        self._is_stale.set()

    async def run(self) -> None:
        """Keep the window filled and hand on what is complete, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._refill())
            group.create_task(self._hand_on())

    async def _refill(self) -> None:
        while True:
            self._is_stale.clear()
            wanted = self._list_wanted()
            self._window.keep(id for id, _, _ in wanted)
            self._window.want(wanted, self._clock.monotonic())
            # Also without anything new: a peer that did not deliver may be asked again by now.
            if len(self._window):
                self._has_work.set()
            try:
                async with asyncio.timeout(REFILL_S):
                    await self._is_stale.wait()
            except TimeoutError:
                continue

    def _list_wanted(self) -> list[tuple[BlockId, BlockId, int]]:
        """The best header chain's missing bodies, then those of other chains that peers stand on.

        A heavy-looking header chain may be one whose bodies nobody gives; what peers really have
        is fetched beside it.
        """
        ledger = self._node.ledger
        ids = list(ledger.get_missing_blocks(self._size))
        seen = set(ids)
        budget = self._size
        if ids and self._clock.monotonic() - self._progress_at < STUCK_S:
            return self._describe(ids)
        for peer in self._list_peers():
            for id in self._walk(peer.best_id, min(budget, self._size // 4 or 1)):
                if id not in seen:
                    seen.add(id)
                    ids.append(id)
                    budget -= 1
        return self._describe(ids)

    def _describe(self, ids: Iterable[BlockId]) -> list[tuple[BlockId, BlockId, int]]:
        wanted = []
        for id in ids:
            header = self._node.ledger.get_header(id)
            if header is not None:
                wanted.append((id, BlockId(header.parent), header.height))
        return wanted

    def _walk(self, tip: BlockId, count: int) -> list[BlockId]:
        """The lowest `count` blocks under `tip` (included) that have no body."""
        ledger, below, id = self._node.ledger, list[BlockId](), tip
        while len(below) < MAX_WALK and needs_body(ledger, id):
            header = ledger.get_header(id)
            if header is None:
                break
            below.append(id)
            id = BlockId(header.parent)
        return below[::-1][:count]

    async def fetch_from(self, peer: Peer) -> None:
        """Ask one peer for wanted blocks for as long as it is connected.

        Raises:
            Misbehaviour: it sent something else than what it was asked for.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._fetch(peer))

    async def _fetch(self, peer: Peer) -> None:
        strikes = 0
        while True:
            ids = self._window.take(peer, peer.best_height, min(BATCH, MAX_BLOCK_IDS), self._clock.monotonic())
            if not ids:
                self._has_work.clear()
                await self._has_work.wait()
                continue
            try:
                await self._ask(peer, ids)
                strikes = 0
            except RequestFailed as error:
                strikes += error.code == "timeout"
                log.debug("blocks not delivered", peer=peer.name, code=error.code, count=len(ids))
                if strikes >= MAX_STRIKES:
                    await peer.close("stalling")
                    return
            finally:
                self._window.give_back(peer, ids, self._clock.monotonic())
                self._has_work.set()

    async def _ask(self, peer: Peer, ids: list[BlockId]) -> None:
        left = set(ids)
        with peer.requests.open(BlockData, replies=len(ids) + 1) as pending:
            await peer.ask(pending, GetBlocks(pending.request, tuple(ids)), self._limits.block)
            while left:
                reply = await pending.next(self._limits.block)
                if isinstance(reply, NotFound):
                    left -= {BlockId(id) for id in reply.ids}
                if not isinstance(reply, BlockData):
                    continue
                id = compute_block_id(reply.block.header)
                if id not in left:
                    raise Misbehaviour("wrong-block", f"block {id.hex()} was not asked for")
                left.discard(id)
                peer.known_blocks.add(id)
                await self._check(reply.block, reply.witness)
                self._window.put(peer, id, reply.block, reply.witness, len(encode(reply.block)))
                self._has_blocks.set()

    async def _check(self, block: Block, witness: Witness) -> None:
        """What the block id does not cover is checked here, so that a peer that spoils body or witness
        of a good block is at fault, and never the block.
        """
        header = block.header
        if compute_tx_root(block.transactions) != header.tx_root:
            raise Misbehaviour("bad-tx-root", f"transactions that are not those of block {header.height}")
        try:
            await self._verifier.check(self._node.params, header, witness)
        except RuleViolation as error:
            raise Misbehaviour(error.code, f"the witness of block {header.height}: {error.message}") from error

    async def _hand_on(self) -> None:
        while True:
            ready = self._window.pop_ready()
            if ready is None:
                self._has_blocks.clear()
                await self._has_blocks.wait()
                continue
            id, block, witness, peer = ready
            await self._add(id, block, witness, peer)
            if len(self._window) < self._size // 2:
                self._is_stale.set()

    async def _add(self, id: BlockId, block: Block, witness: Witness, peer: Peer) -> None:
        now = self._clock.monotonic()
        try:
            await self._node.add_block(block, witness)
            self._window.remove(id)
            self._watch.add_connected(len(block.transactions))
            self._progress_at = self._clock.monotonic()
        except RuleViolation as error:
            self._window.postpone(id, now + RETRY_S)
            fault = Misbehaviour(error.code, f"block {block.header.height}: {error.message}")
            await self._punish(peer, fault)
        except MatrixMissing:
            # The node has stored it, holds it, and says which matrices it wants.
            self._window.remove(id)
            self._progress_at = self._clock.monotonic()
        except ClockAhead as error:
            self._window.postpone(id, now + (error.until - self._clock.now_ms()) / 1000)
        except NotYet as error:
            log.debug("block not yet", height=block.header.height, code=error.code)
            self._window.postpone(id, now + RETRY_S)
        except InosError as error:
            log.warning("block not taken", height=block.header.height, code=error.code, reason=error.message)
            self._window.postpone(id, now + RETRY_S)
