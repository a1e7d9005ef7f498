"""New blocks are relayed as compact blocks, which are pushed to peers that ask for it.

A compact block is pushed, or requested after an announcement. This node checks the header and the seal, assembles the
body from the pool, requests the missing transactions once, and relays the block as soon as header, seal and body match;
then it gives the block to the node. A peer that relays a body whose state turns out wrong is not at fault, because
executing it first would delay the block at every hop. A wrong header or seal is the sender's fault.
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
from inos.primitives.errors import InosError, NotYet, RuleViolation
from inos.primitives.matrices import Witness
from inos.primitives.randomness import Randomness
from inos.primitives.transactions import Transaction
from inos.primitives.units import BlockId, TxId

log = structlog.get_logger("inos.network")

FAST_PEERS: Final = 3
"""This many peers are asked to push blocks: those that were first with the last ones, as in BIP 152."""
RECENT: Final = 16
"""This many assembled blocks are kept, to serve them before they are connected."""
MATCHED_AT_ONCE: Final = 2000
"""This many ids of the pool are matched before other tasks may run."""


class BlockRelayStats(Struct):
    """Counts blocks since the start."""

    blocks: int = 0
    """This many blocks were assembled here."""
    bytes: int = 0
    duplicates: int = 0
    """This many compact blocks arrived that this node had already."""
    duplicate_bytes: int = 0
    requested: int = 0
    """This many transactions were missing in compact blocks."""
    fallbacks: int = 0
    """This many blocks had to be fetched whole."""


class BlockFetcher(Protocol):
    """Fetches whole blocks."""

    def suspend_fetch(self, id: BlockId) -> None:
        """Do not fetch the block, because it is on its way."""

    def resume_fetch(self, id: BlockId) -> None:
        """Fetch the block again like any other, if it has not arrived."""


class HeaderAcceptor(Protocol):
    """Checks headers against their parents and adds them."""

    async def accept(self, peer: Peer, header: Header) -> bool:
        """Add a header; return False if its parent is unknown. Raises Misbehaviour if the header breaks a rule."""


class BlockRelay:
    """Relays blocks for all peers."""

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
        """Process a block that was pushed.

        Raises:
            Misbehaviour: the header, the seal or the form breaks a rule.
        """
        await self._take(peer, message.body)

    async def on_announced(self, peer: Peer, header: Header) -> bool:
        """Request an announced block in compact form if it is next to the tip; return True if this node then has it.

        Raises:
            Misbehaviour: the header, the seal or the answer breaks a rule.
            RequestFailed: the peer did not answer in time.
        """
        id = compute_block_id(header)
        if not self._is_next(header) or id in self._pending:
            return False
        peer.known_blocks.add(id)
        peer.set_claim(id, header.height)
        with self._suspending_fetch(id):
            if not await self._headers.accept(peer, header):
                return False
            with peer.requests.open(CompactAnswer) as pending:
                await peer.send_request(pending, GetCompactBlock(pending.request, id), self._limits.compact)
                reply = await pending.next(self._limits.compact)
            if not isinstance(reply, CompactAnswer):
                return False
            if compute_block_id(reply.body.header) != id:
                raise Misbehaviour(
                    "wrong-block", f"the peer sent another block than the requested compact block {id.hex()}"
                )
            await self._assemble(peer, id, reply.body)
        return True

    def on_set_compact(self, peer: Peer, message: SetCompact) -> None:
        """Start or stop pushing blocks to the peer, as it asks."""
        peer.wants_compact = message.is_wanted

    async def handle_request(self, peer: Peer, request: Request) -> bool:
        """Answer a request for a block that is connected or was just assembled; return False if the request is
        another."""
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
        """Send a block to all peers that want blocks pushed and do not know it; the others hear of it when it is
        connected."""
        id, body = compute_block_id(block.header), None
        for peer in self._list_peers():
            # If the budget is used up, as in a change to a long branch, nothing is lost: the block is announced all the
            # same.
            is_news = peer.wants_compact and id not in peer.known_blocks
            if is_news and peer.push_budget.take(self._clock.monotonic()):
                body = body or make_compact(block, witness, self._nonce)
                if peer.send(CompactBlock(body)):
                    peer.known_blocks.add(id)

    def on_connected(self, ids: Iterable[BlockId]) -> None:
        """Push the new tip if it was mined here; a block that came from a peer was pushed before."""
        for id in list(ids)[-1:]:
            if id in self._recent:
                continue
            block, witness = self._node.ledger.get_block(id), self._node.ledger.get_witness(id)
            if block is not None and witness is not None:
                self.push(block, witness)

    def drop_peer(self, peer: Peer) -> None:
        """Note that the link to the peer has ended."""
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
            return  # This node is behind, so it requests headers first.
        with self._suspending_fetch(id):
            if await self._headers.accept(peer, body.header):
                await self._assemble(peer, id, body)

    async def _assemble(self, peer: Peer, id: BlockId, body: CompactBody) -> None:
        """Assemble the block of a valid header and give it to the node."""
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
            partial.transactions[place] = None if found is None else self._node.mempool.get(found)
        if missing := partial.missing:
            partial.fill(missing, await self._ask(peer, id, missing))
        block = partial.make_block()
        if block is None:
            self._fall_back(id, "a short id that two transactions have")
            return
        # Execution needs the interpreter's lock, and signatures do not.
        await asyncio.gather(self._node.blocks.execute_ahead(block), self._deliver(peer, id, block, seal))

    async def _ask(self, peer: Peer, id: BlockId, missing: tuple[int, ...]) -> list[Transaction]:
        if len(missing) > MAX_ASKED:
            raise RequestFailed("too-much-missing", f"this node lacks {len(missing)} transactions of block {id.hex()}")
        self.stats.requested += len(missing)
        with peer.requests.open(BlockTransactions) as pending:
            await peer.send_request(pending, GetBlockTransactions(pending.request, id, missing), self._limits.compact)
            reply = await pending.next(self._limits.compact)
        if not isinstance(reply, BlockTransactions):
            raise RequestFailed("not-found", "the peer does not have the block that it announced")
        return list(reply.transactions)

    async def _deliver(self, peer: Peer, id: BlockId, block: Block, seal: CheckedSeal) -> None:
        try:
            checked = await self._node.verifier.check_body(seal, block)
        except RuleViolation as error:
            # The root is the header's, so the block itself is invalid, and the peer that relayed it may not know that.
            log.info("block invalid", height=block.header.height, code=error.code)
            self._fall_back(id, error.message)
            return
        self.stats.blocks += 1
        self._recent[id] = block, seal.witness
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        self._request_pushes(peer)
        self.push(block, seal.witness)
        try:
            (error_,) = (await self._node.blocks.add_checked([checked])).errors
        except InosError as error:
            error_ = error
        if isinstance(error_, RuleViolation):
            self._recent.pop(id, None)
            log.info("block refused", height=block.header.height, code=error_.code, reason=error_.message)
        elif error_ is not None and not isinstance(error_, NotYet):
            log.warning("block not added", height=block.header.height, code=error_.code, reason=error_.message)

    def _fall_back(self, id: BlockId, reason: str) -> None:
        """Give up a compact block; it is then fetched whole."""
        self.stats.fallbacks += 1
        log.debug("compact block given up", block=id.hex(), reason=reason)

    def _request_pushes(self, peer: Peer) -> None:
        """Ask the peers that were first recently to push blocks; one of them is always a peer that this node
        dialled."""
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
        """Return True if the block is missing and could be the next one of the chain, or a sibling of its tip."""
        ledger = self._node.ledger
        if header.height < ledger.tip.header.height:
            return False
        parent = get_status_name(ledger, BlockId(header.parent))
        return parent == "connected" and get_status_name(ledger, compute_block_id(header)) in ("unknown", "header")

    @contextmanager
    def _suspending_fetch(self, id: BlockId) -> Iterator[None]:
        """Suspend other fetches of the block while the context is entered."""
        self._pending.add(id)
        self._bodies.suspend_fetch(id)
        try:
            yield
        finally:
            self._pending.discard(id)
            self._bodies.resume_fetch(id)
