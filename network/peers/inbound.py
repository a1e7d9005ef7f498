"""This module decides which newcomer gets an inbound slot when all are full, and which peer is evicted for it."""

import math
from collections.abc import Iterable, Mapping

import structlog

from inos.network.peers.eviction import Candidate, select_to_evict
from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.primitives.units import NodeId

log = structlog.get_logger("inos.network")


class InboundSlots:
    """Counts the inbound peers whose links serve more than a few requests.

    Args:
        peers: all connected peers, as the manager keeps them.
        static: the nodes that the user named; they are never evicted.
        key: a secret of this node.
    """

    def __init__(self, peers: Mapping[NodeId, Peer], slots: int, static: Iterable[NodeId], key: bytes) -> None:
        self._peers = peers
        self._slots = slots
        self._static = frozenset(static)
        self._key = key

    async def admit(self, newcomer: Peer) -> bool:
        """Return True if there is room for `newcomer`, evicting another peer if necessary."""
        present = [
            peer
            for peer in self._peers.values()
            if peer.kind is LinkKind.INBOUND and not peer.is_brief and not peer.is_closing
        ]
        if len(present) < self._slots:
            return True
        if not self._slots:
            return False
        chosen = select_to_evict([_describe(p) for p in present if p.id not in self._static], self._slots, self._key)
        if chosen is None:
            return False
        log.info("inbound peer evicted", peer=chosen.hex()[:12], by=newcomer.name)
        await self._peers[chosen].close("evicted")
        return True


def _describe(peer: Peer) -> Candidate:
    return Candidate(
        id=peer.id,
        group=peer.group,
        latency_s=math.inf if peer.least_latency_s is None else peer.least_latency_s,
        block_at=peer.contributions.block_at,
        transaction_at=peer.contributions.transaction_at,
        matrix_at=peer.contributions.matrix_at,
        connected_at=peer.connected_at,
    )
