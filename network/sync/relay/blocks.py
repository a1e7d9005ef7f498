"""Spreads new blocks: compact, pushed to those who want that, passed on once header, seal and body fit together.

What comes: pushed or asked for by announcement -> header's rules -> seal -> put together from the pool, the rest asked
for once -> passed on -> the node. A body whose state turns out wrong is nobody's fault who passed it on: checking that
would cost a round of execution per hop. A header or seal that is wrong is the sender's.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import structlog
from msgspec import Struct

from inos.core.verification.blocks import CheckedSeal
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import TimeLimits
from inos.network.sync.block_status import get_status_name, is_known
from inos.network.sync.relay.compact import (
    ShortIdTable,
    begin_partial_block,
    compute_short_key,
    list_short_ids,
    make_compact,
)
from inos.network.wire.base import Request
from inos.network.wire.compact import (
    MAX_ASKED,
    BlockTransactions,
    CompactAnswer,
    CompactBlock,
    CompactBody,
    GetBlockTransactions,
    GetCompactBlock,
    SetCompact,
)
from inos.network.wire.control import NotFound
from inos.primitives.blocks import Block, Header, compute_block_id
from inos.primitives.clock import Clock
from inos.primitives.codec import encode
from inos.primitives.errors import ClockAhead, InosError, MatrixMissing, NotYet, RuleViolation
from inos.primitives.matrices import Witness
from inos.primitives.randomness import Randomness
from inos.primitives.transactions import Transaction
from inos.primitives.units import BlockId, TxId

log = structlog.get_logger("inos.network")

FAST_PEERS: Final = 3
"""Peers asked to push blocks: those that were first with the last ones, as BIP 152 has it."""
RECENT: Final = 16
"""Blocks kept as they were put together, to answer for them before they are connected."""
MATCHED_AT_ONCE: Final = 2000
"""Ids of the pool matched between two looks at what else there is to do."""


class BlockRelayStats(Struct):
    """What came since the start."""

    blocks: int = 0
    """Put together here."""
    bytes: int = 0
    duplicates: int = 0
    """Compact blocks that were here already."""
    duplicate_bytes: int = 0
    asked: int = 0
    """Transactions that were missing in them."""
    fallbacks: int = 0
    """Blocks that had to be fetched whole."""


class BlockFetcher(Protocol):
    """Who would otherwise fetch a block whole."""

    def hold(self, id: BlockId) -> None:
        """It is on its way."""

    def release(self, id: BlockId) -> None:
        """It came, or will not come this way."""


class HeaderAcceptor(Protocol):
    """Checks headers against their parents and adds them."""

    async def take(self, peer: Peer, header: Header) -> bool:
        """Whether the header's parent is here and the header good. Raises Misbehaviour where it breaks a rule."""


class BlockRelay:
    """One for all peers."""

    def __init__(
        self,
        node: NodePort,
        limits: TimeLimits,
        clock: Clock,
        rng: Randomness,
        list_peers: Callable[[], Iterable[Peer]],
        headers: HeaderAcceptor,
        bodies: BlockFetcher,
    ) -> None:
        self._node, self._limits, self._clock = node, limits, clock
        self._nonce = rng.getrandbits(64)
        self._list_peers = list_peers
        self._headers, self._bodies = headers, bodies
        self._pending: set[BlockId] = set()
        self._recent: OrderedDict[BlockId, tuple[Block, Witness]] = OrderedDict()
        self._fast: list[Peer] = []
        self.stats = BlockRelayStats()

    async def on_pushed(self, peer: Peer, message: CompactBlock) -> None:
        """A block nobody asked for.

        Raises:
            Misbehaviour: header, seal or form break a rule.
        """
        await self._take(peer, message.body)

    async def on_announced(self, peer: Peer, header: Header) -> bool:
        """News of a block by its header; whether it is dealt with here: it is next to the tip, and asked for compact.

        Raises:
            Misbehaviour, RequestFailed.
        """
        id = compute_block_id(header)
        if not self._is_next(header) or id in self._pending:
            return False
        peer.known_blocks.add(id)
        peer.set_claim(id, header.height)
        with self._holding(id):
            if not await self._headers.take(peer, header):
                return False
            with peer.requests.open(CompactAnswer) as pending:
                await peer.send_request(pending, GetCompactBlock(pending.request, id), self._limits.compact)
                reply = await pending.next(self._limits.compact)
            if not isinstance(reply, CompactAnswer):
                return False
            if compute_block_id(reply.body.header) != id:
                raise Misbehaviour("wrong-block", f"asked for compact block {id.hex()}, got another")
            await self._assemble(peer, id, reply.body)
        return True

    def on_set_compact(self, peer: Peer, message: SetCompact) -> None:
        """The peer wants blocks pushed, or no more."""
        peer.wants_compact = message.is_wanted

    async def handle_request(self, peer: Peer, request: Request) -> bool:
        """Answer for blocks connected or just put together; False where the question is another."""
        if not isinstance(request, GetCompactBlock | GetBlockTransactions):
            return False
        found = self._find(BlockId(request.id))
        if found is None:
            await peer.out.put(NotFound(request.request, (request.id,)))
            return True
        block, witness = found
        if isinstance(request, GetCompactBlock):
            peer.known_blocks.add(BlockId(request.id))
            await peer.out.put(CompactAnswer(request.request, make_compact(block, witness, self._nonce)))
            return True
        if request.indices[-1] >= len(block.transactions):
            beyond = f"a transaction beyond the {len(block.transactions)} there are"
            peer.penalise(Misbehaviour("bad-request", beyond, 20))
        chosen = tuple(block.transactions[i] for i in request.indices if i < len(block.transactions))
        await peer.out.put(BlockTransactions(request.request, chosen))
        return True

    def push(self, block: Block, witness: Witness) -> None:
        """Send a block to all who want them pushed and do not know it; the others hear when it is connected."""
        id, body = compute_block_id(block.header), None
        for peer in self._list_peers():
            # Over budget, as when a long branch is left for another: no loss, it is announced all the same.
            is_news = peer.wants_compact and id not in peer.known_blocks
            if is_news and peer.push_budget.take(self._clock.monotonic()):
                body = body or make_compact(block, witness, self._nonce)
                if peer.send(CompactBlock(body)):
                    peer.known_blocks.add(id)

    def on_connected(self, ids: Iterable[BlockId]) -> None:
        """The tip has moved: what was mined here is pushed now, what came was pushed before."""
        for id in list(ids)[-1:]:
            if id in self._recent:
                continue
            block, witness = self._node.ledger.get_block(id), self._node.ledger.get_witness(id)
            if block is not None and witness is not None:
                self.push(block, witness)

    def drop_peer(self, peer: Peer) -> None:
        """The peer is gone."""
        if peer in self._fast:
            self._fast.remove(peer)

    async def _take(self, peer: Peer, body: CompactBody) -> None:
        id = compute_block_id(body.header)
        peer.known_blocks.add(id)
        peer.set_claim(id, body.header.height)
        if id in self._pending or get_status_name(self._node.ledger, id) not in ("unknown", "header"):
            self.stats.duplicates += 1
            self.stats.duplicate_bytes += len(encode(body))
            return
        if not is_known(self._node.ledger, BlockId(body.header.parent)):
            return  # behind: headers are asked for first
        with self._holding(id):
            if await self._headers.take(peer, body.header):
                await self._assemble(peer, id, body)

    async def _assemble(self, peer: Peer, id: BlockId, body: CompactBody) -> None:
        """From a header that is in order to a block in the node."""
        partial = begin_partial_block(body)
        try:
            seal = await self._node.verifier.check_seal(body.header, body.witness)
        except RuleViolation as error:
            raise Misbehaviour(error.code, f"the witness of block {body.header.height}: {error.message}") from error
        self.stats.bytes += len(encode(body))
        table = ShortIdTable(compute_short_key(body.header, body.nonce))
        ids = list(self._node.mempool.list_ids())
        for start in range(0, len(ids), MATCHED_AT_ONCE):
            table.add(TxId(tx) for tx in ids[start : start + MATCHED_AT_ONCE])
            await asyncio.sleep(0)
        for place, short in list_short_ids(body):
            found = table.find(short)
            partial.places[place] = None if found is None else self._node.mempool.get(found)
        if missing := partial.missing:
            partial.fill(missing, await self._ask(peer, id, missing))
        block = partial.make_block()
        if block is None:
            self._fall_back(id, "a short id that two transactions have")
            return
        await self._hand_on(peer, id, block, seal)

    async def _ask(self, peer: Peer, id: BlockId, missing: tuple[int, ...]) -> list[Transaction]:
        if len(missing) > MAX_ASKED:
            raise RequestFailed("too-much-missing", f"{len(missing)} transactions of block {id.hex()} are not here")
        self.stats.asked += len(missing)
        with peer.requests.open(BlockTransactions) as pending:
            await peer.send_request(pending, GetBlockTransactions(pending.request, id, missing), self._limits.compact)
            reply = await pending.next(self._limits.compact)
        if not isinstance(reply, BlockTransactions):
            raise RequestFailed("not-found", "the peer does not have the block it announced")
        return list(reply.transactions)

    async def _hand_on(self, peer: Peer, id: BlockId, block: Block, seal: CheckedSeal) -> None:
        try:
            checked = await self._node.verifier.check_body(seal, block)
        except RuleViolation as error:
            # The root is the header's, so the block itself is bad; whoever passed it on may not have seen it.
            log.info("block not in order", height=block.header.height, code=error.code)
            self._fall_back(id, error.message)
            return
        self.stats.blocks += 1
        self._recent[id] = block, seal.witness
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        self._request_pushes(peer)
        self.push(block, seal.witness)
        try:
            (error_,) = (await self._node.add_checked_blocks([checked])).errors
        except InosError as error:
            error_ = error
        if isinstance(error_, RuleViolation):
            self._recent.pop(id, None)
            log.info("block refused", height=block.header.height, code=error_.code, reason=error_.message)
        elif error_ is not None and not isinstance(error_, MatrixMissing | ClockAhead | NotYet):
            log.warning("block not taken", height=block.header.height, code=error_.code, reason=error_.message)

    def _fall_back(self, id: BlockId, reason: str) -> None:
        """The block is fetched whole by the others."""
        self.stats.fallbacks += 1
        log.debug("compact block given up", block=id.hex(), reason=reason)

    def _request_pushes(self, peer: Peer) -> None:
        """Have the peers push that were first lately; one of them is always one this node chose itself."""
        if peer in self._fast:
            self._fast.remove(peer)
        elif not peer.send(SetCompact(True)):
            return
        self._fast.insert(0, peer)
        if len(self._fast) > FAST_PEERS:
            outbound = [one for one in self._fast if one.link.is_outbound]
            gone = next(one for one in self._fast[::-1] if outbound != [one])
            self._fast.remove(gone)
            gone.send(SetCompact(False))

    def _find(self, id: BlockId) -> tuple[Block, Witness] | None:
        if id in self._recent:
            return self._recent[id]
        block, witness = self._node.ledger.get_block(id), self._node.ledger.get_witness(id)
        return None if block is None or witness is None else (block, witness)

    def _is_next(self, header: Header) -> bool:
        """Whether the block could be the chain's next one, or stand beside its last, and is not here."""
        ledger = self._node.ledger
        if header.height < ledger.tip.header.height:
            return False
        parent = get_status_name(ledger, BlockId(header.parent))
        return parent == "connected" and get_status_name(ledger, compute_block_id(header)) in ("unknown", "header")

    @contextmanager
    def _holding(self, id: BlockId) -> Iterator[None]:
        """Nobody else fetches the block meanwhile."""
        self._pending.add(id)
        self._bodies.hold(id)
        try:
            yield
        finally:
            self._pending.discard(id)
            self._bodies.release(id)
