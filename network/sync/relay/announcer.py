"""Announces what this node has accepted: blocks at once, transactions in batches, to each peer at random times.

A result is announced to all peers, also to those that announced it: that tells them that this node has checked it and
holds its matrices.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.wire.chain import AnnounceBlock
from inos.network.wire.transactions import MAX_ANNOUNCED, AnnounceTransactions
from inos.primitives.clock import Clock
from inos.primitives.randomness import Randomness
from inos.primitives.transactions import SubmitResult
from inos.primitives.units import BlockId, TxId

MAX_WAITING: Final = 8192
"""At most this many ids wait to be announced to one peer; the oldest are dropped first."""
MAX_BLOCKS: Final = 8
"""At most this many blocks are announced for one change of the tip; a peer that lacks more sends a locator."""


class _Outbox:
    """Holds the ids that one peer was not told yet, and the time when it will be."""

    def __init__(self, ids: Iterable[TxId], due_at: float) -> None:
        self.ids: OrderedDict[TxId, None] = OrderedDict.fromkeys(ids)
        self.due_at = due_at


class Announcer:
    """Announces to all peers."""

    def __init__(
        self,
        node: NodePort,
        interval_s: float,
        clock: Clock,
        rng: Randomness,
        list_peers: Callable[[], Iterable[Peer]],
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._node = node
        self._interval_s = interval_s
        self._list_peers = list_peers
        self._outboxes: dict[Peer, _Outbox] = {}
        self._has_some = asyncio.Event()

    def add_peer(self, peer: Peer) -> None:
        """Queue the whole pool for a new peer, so that no transaction is lost when two parts of the network
        meet again."""
        self._outboxes[peer] = _Outbox(list(self._node.mempool.list_ids())[-MAX_WAITING:], self._draw_time(peer))
        self._has_some.set()

    def drop_peer(self, peer: Peer) -> None:
        self._outboxes.pop(peer, None)

    def on_transaction(self, id: TxId) -> None:
        """Queue a transaction that the node has added to its pool."""
        for peer, outbox in self._outboxes.items():
            if self._is_news(peer, id):
                outbox.due_at = outbox.due_at if outbox.ids else self._draw_time(peer)
                outbox.ids[id] = None
                if len(outbox.ids) > MAX_WAITING:
                    outbox.ids.popitem(last=False)
        self._has_some.set()

    def on_returned(self, id: TxId) -> None:
        """Queue a transaction that came back from an undone block, also for peers that were told of it.

        They could not fetch it while it was in the block, which some of them never had.
        """
        for peer in self._outboxes:
            peer.known_transactions.discard(id)
        self.on_transaction(id)

    def _is_news(self, peer: Peer, id: TxId) -> bool:
        if id not in peer.known_transactions:
            return True
        tx = self._node.mempool.get(id)
        return tx is not None and isinstance(tx.payload, SubmitResult)

    def _draw_time(self, peer: Peer) -> float:
        """Return the time of the peer's next announcement, drawn from a Poisson process for each peer as in Bitcoin
        Core."""
        mean_s = self._interval_s * (2 if peer.kind is LinkKind.INBOUND else 1)
        return self._clock.monotonic() - math.log(1.0 - self._rng.random()) * mean_s

    def on_blocks(self, connected: Iterable[BlockId]) -> None:
        """Announce the blocks by which the node's tip has moved."""
        for id in list(connected)[-MAX_BLOCKS:]:
            header = self._node.ledger.get_header(id)
            if header is None:
                continue
            for peer in self._list_peers():
                # If the budget is used up, as in a sync through history, or the lane is full, nothing is lost: the next
                # ping tells the tip.
                is_news = id not in peer.known_blocks and peer.block_budget.take(self._clock.monotonic())
                if is_news and peer.send(AnnounceBlock(header)):
                    peer.known_blocks.add(id)

    async def run(self) -> None:
        """Send the waiting ids, one batch per peer at its times, until cancelled."""
        while True:
            self._has_some.clear()
            now = self._clock.monotonic()
            for peer, outbox in self._outboxes.items():
                if outbox.ids and outbox.due_at <= now:
                    self._flush(peer, outbox)
                    outbox.due_at = self._draw_time(peer)
            next_at = min((outbox.due_at for outbox in self._outboxes.values() if outbox.ids), default=None)
            if next_at is None:
                await self._has_some.wait()
            else:
                await asyncio.sleep(max(0.0, next_at - self._clock.monotonic()))

    def _flush(self, peer: Peer, outbox: _Outbox) -> None:
        batch: list[TxId] = []
        while outbox.ids and len(batch) < MAX_ANNOUNCED:
            id, _ = outbox.ids.popitem(last=False)
            if self._node.mempool.has(id) and self._is_news(peer, id):
                batch.append(id)
        if not batch:
            return
        if peer.send(AnnounceTransactions(tuple(batch))):
            for id in batch:
                peer.known_transactions.add(id)
        else:  # The lane is full, so the batch waits for the next time.
            outbox.ids = OrderedDict.fromkeys((*batch, *outbox.ids))
