"""Tells peers what this node has accepted: blocks at once, transactions in small batches."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from network.peers.peer import Peer
from network.ports import Clock, NodePort
from network.wire.chain import AnnounceBlock
from network.wire.transactions import MAX_ANNOUNCED, AnnounceTransactions
from primitives.units import BlockId, TxId

MAX_WAITING: Final = 8192
"""Ids waiting to be announced to one peer; the oldest go first where there are more."""
MAX_BLOCKS: Final = 8
"""Blocks announced of one change of the tip; who lacks more asks by locator."""


class Announcer:
    """One for all peers."""

    def __init__(
        self, node: NodePort, interval_s: float, clock: Clock, list_peers: Callable[[], Iterable[Peer]]
    ) -> None:
        self._clock = clock
        self._node = node
        self._interval_s = interval_s
        self._list_peers = list_peers
        self._waiting: dict[Peer, OrderedDict[TxId, None]] = {}
        self._has_some = asyncio.Event()

    def add_peer(self, peer: Peer) -> None:
        """A new peer is told of the pool as it is, so that nothing is lost where two parts meet again."""
        self._waiting[peer] = OrderedDict.fromkeys(list(self._node.mempool.list_ids())[-MAX_WAITING:])
        self._has_some.set()

    def drop_peer(self, peer: Peer) -> None:
        self._waiting.pop(peer, None)

    def on_transaction(self, id: TxId) -> None:
        """The node has taken a transaction into its pool."""
        for peer, waiting in self._waiting.items():
            if id not in peer.known_transactions:
                waiting[id] = None
                if len(waiting) > MAX_WAITING:
                    waiting.popitem(last=False)
        self._has_some.set()

    def on_blocks(self, connected: Iterable[BlockId]) -> None:
        """The node's tip has moved."""
        for id in list(connected)[-MAX_BLOCKS:]:
            header = self._node.ledger.get_header(id)
            if header is None:
                continue
            for peer in self._list_peers():
                # Over budget, as in a sync through history, or a full lane: no loss, the next ping tells the tip.
                is_news = id not in peer.known_blocks and peer.block_budget.take(self._clock.monotonic())
                if is_news and peer.send(AnnounceBlock(header)):
                    peer.known_blocks.add(id)

    async def run(self) -> None:
        """Send waiting ids, a batch per peer and interval, until cancelled."""
        while True:
            self._has_some.clear()
            if not self._flush():
                await self._has_some.wait()
            await asyncio.sleep(self._interval_s)

    def _flush(self) -> bool:
        """Whether something still waits."""
        for peer, waiting in self._waiting.items():
            batch: list[TxId] = []
            while waiting and len(batch) < MAX_ANNOUNCED:
                id, _ = waiting.popitem(last=False)
                if id not in peer.known_transactions and self._node.mempool.has(id):
                    batch.append(id)
            if batch and peer.send(AnnounceTransactions(tuple(batch))):
                for id in batch:
                    peer.known_transactions.add(id)
        return any(self._waiting.values())
