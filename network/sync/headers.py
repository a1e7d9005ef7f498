"""Finds out what a peer's best chain is: locator, headers, again until there are no more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import structlog

from network.errors import Misbehaviour, RequestFailed
from network.peers.peer import Peer
from network.ports import NodePort
from network.settings import TimeLimits
from network.sync.progress_watch import SyncWatch
from network.sync.status import is_known, is_usable
from network.wire.chain import MAX_HEADERS, MAX_LOCATOR, AnnounceBlock, GetHeaders, Headers
from primitives.blocks import Header, compute_block_id
from primitives.errors import InosError, NotYet, RuleViolation
from primitives.units import BlockId

log = structlog.get_logger("inos.network")


class HeaderSync:
    """One for all peers. `on_new` is called when headers came whose bodies may be wanted."""

    def __init__(self, node: NodePort, limits: TimeLimits, on_new: Callable[[], None], watch: SyncWatch) -> None:
        self._node = node
        self._limits = limits
        self._on_new = on_new
        self._watch = watch
        self._turn = asyncio.Lock()

    async def catch_up(self, peer: Peer) -> None:
        """Learn the peer's chain where its claimed tip is unknown here.

        Raises:
            Misbehaviour: headers that break a rule or do not follow each other.
            RequestFailed: no answer in time.
        """
        if is_known(self._node.ledger, peer.best_id):
            return
        with self._watch.learning(peer):
            await self._learn(peer)

    async def _learn(self, peer: Peer) -> None:
        async with self._take_turn():
            last: BlockId | None = None
            while not is_known(self._node.ledger, peer.best_id):
                headers = await self._ask(peer, last)
                if not headers:
                    return
                await self._add(peer, headers)
                last = compute_block_id(headers[-1])
                if headers[-1].height >= peer.best_height:
                    peer.best_id, peer.best_height = last, headers[-1].height
                self._on_new()
                if len(headers) < MAX_HEADERS:
                    return

    async def on_announced(self, peer: Peer, message: AnnounceBlock) -> None:
        """A header the peer has connected; where it fits on what is here, it costs no question."""
        header = message.header
        id = compute_block_id(header)
        peer.known_blocks.add(id)
        peer.set_claim(id, header.height)
        ledger = self._node.ledger
        if not is_known(ledger, id) and is_known(ledger, BlockId(header.parent)):
            await self._add(peer, (header,))
        self._on_new()

    @asynccontextmanager
    async def _take_turn(self) -> AsyncIterator[None]:
        """One peer at a time sends a long chain, yet a slow one holds up the others only for so long."""
        has_turn = False
        try:
            async with asyncio.timeout(self._limits.headers):
                has_turn = await self._turn.acquire()
        except TimeoutError:
            log.debug("header sync does not wait for another peer any longer")
        try:
            yield
        finally:
            if has_turn:
                self._turn.release()

    async def _ask(self, peer: Peer, last: BlockId | None) -> tuple[Header, ...]:
        locator = list(self._node.ledger.get_locator())
        if last is not None:
            locator.insert(0, last)
        with peer.requests.open(Headers) as pending:
            request = GetHeaders(pending.request, tuple(locator[: MAX_LOCATOR - 1] + locator[MAX_LOCATOR - 1 :][-1:]))
            await peer.ask(pending, request, self._limits.headers)
            reply = await pending.next(self._limits.headers)
        if not isinstance(reply, Headers):
            raise RequestFailed("not-found", "the peer gives no headers")
        return reply.headers

    async def _add(self, peer: Peer, headers: tuple[Header, ...]) -> None:
        for before, header in pairwise(headers):
            if header.parent != compute_block_id(before) or header.height != before.height + 1:
                raise Misbehaviour("headers-unconnected", f"header {header.height} does not follow the one before it")
        if not is_usable(self._node.ledger, BlockId(headers[0].parent)):
            peer.penalise(Misbehaviour("headers-unconnected", "headers on a block that was in no locator", 20))
            raise RequestFailed("headers-unconnected", "the headers do not follow anything here")
        try:
            await self._node.add_header_batch(headers)
        except RuleViolation as error:
            raise Misbehaviour(error.code, f"an invalid header: {error.message}") from error
        except NotYet as error:
            raise RequestFailed(error.code, error.message) from error
        except InosError as error:
            log.warning("headers not taken", code=error.code, reason=error.message)
            raise RequestFailed(error.code, error.message) from error
