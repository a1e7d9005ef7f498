"""Finds the missing bodies: those of the best header chain, and of other chains if that one makes no progress."""

from collections.abc import Callable, Iterable
from typing import Final

from inos.network.peers.peer import Peer
from inos.network.ports import LedgerPort
from inos.network.sync.block_status import needs_body
from inos.primitives.clock import Clock
from inos.primitives.units import BlockId

STUCK_S: Final = 2.0
"""If no block arrives for this long, chains beside the best header chain are fetched too."""
MAX_WALK: Final = 4096
"""The first missing body is searched this far below a peer's tip."""


class WantedBlocks:
    """Reads the ledger and changes nothing."""

    def __init__(self, ledger: LedgerPort, limit: int, clock: Clock, list_peers: Callable[[], Iterable[Peer]]) -> None:
        self._ledger = ledger
        self._limit = limit
        self._clock = clock
        self._list_peers = list_peers
        self._progress_at = clock.monotonic()

    def on_progress(self) -> None:
        """Note that a block was connected or stored."""
        self._progress_at = self._clock.monotonic()

    def find(self) -> list[tuple[BlockId, BlockId, int]]:
        """Return (id, parent, height) of the missing bodies of the best header chain, and then of other chains of
        peers.

        No peer may have the bodies of a header chain that looks heavy, so the chains that peers really have are fetched
        beside it.
        """
        if self._ledger.is_awaiting_state:
            return []
        ids = list(self._ledger.get_missing_blocks(self._limit))
        if ids and self._clock.monotonic() - self._progress_at < STUCK_S:
            return self._describe(ids)
        seen, budget = set(ids), self._limit
        for peer in self._list_peers():
            for id in self._walk(peer.best_id, min(budget, self._limit // 4 or 1)):
                if id not in seen:
                    seen.add(id)
                    ids.append(id)
                    budget -= 1
        return self._describe(ids)

    def _describe(self, ids: Iterable[BlockId]) -> list[tuple[BlockId, BlockId, int]]:
        found = ((id, self._ledger.get_header(id)) for id in ids)
        return [(id, BlockId(header.parent), header.height) for id, header in found if header is not None]

    def _walk(self, tip: BlockId, count: int) -> list[BlockId]:
        """Return the lowest `count` blocks up to and including `tip` that have no body."""
        below, id = list[BlockId](), tip
        while len(below) < MAX_WALK and needs_body(self._ledger, id):
            header = self._ledger.get_header(id)
            if header is None:
                break
            below.append(id)
            id = BlockId(header.parent)
        return below[::-1][:count]
