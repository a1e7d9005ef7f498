"""Decides when a template takes a checked result: when half of the peers hold its matrices, or a block spacing later.

A block whose matrices few nodes have is held by the others until they fetched them, and may lose to a rival meanwhile.
A node has a checked result in its pool only if it has checked the result, and so holds all three matrices; therefore an
announced result counts as held by the peer. This is policy of one node: a peer that lies about it gains nothing but an
earlier block.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Final

from inos.primitives.clock import Clock
from inos.primitives.units import DurationMs, TxId

MAX_ANNOUNCED: Final = 2048
"""This many ids of each peer are remembered, those that it announced last."""
MAX_RESULTS: Final = 4096
"""The arrivals of this many results are remembered; a template takes a forgotten one at once."""


class ResultHolders:
    """Knows what peers announced. The event loop's thread writes; `is_ready` may be called from any thread.

    Args:
        spacing_ms: a result waits for peers at most this long.
    """

    def __init__(self, spacing_ms: DurationMs, clock: Clock) -> None:
        self._spacing_s = spacing_ms / 1000
        self._clock = clock
        self._announced: dict[Hashable, OrderedDict[TxId, None]] = {}
        self._added: OrderedDict[TxId, float] = OrderedDict()

    def add_peer(self, peer: Hashable) -> None:
        """Count a peer that has connected."""
        self._announced[peer] = OrderedDict()

    def drop_peer(self, peer: Hashable) -> None:
        """Forget a peer whose link has ended."""
        self._announced.pop(peer, None)

    def on_announced(self, peer: Hashable, ids: Iterable[TxId]) -> None:
        """Note which transactions a peer has in its pool."""
        known = self._announced.get(peer)
        if known is None:
            return
        for id in ids:
            known[id] = None
            if len(known) > MAX_ANNOUNCED:
                known.popitem(last=False)

    def on_added(self, id: TxId) -> None:
        """Note that a checked result comes into the pool; the first time counts."""
        self._added.setdefault(id, self._clock.monotonic())
        if len(self._added) > MAX_RESULTS:
            self._added.popitem(last=False)

    def is_ready(self, id: TxId) -> bool:
        """Return True if a template may take the result."""
        added = self._added.get(id)
        if added is None or self._clock.monotonic() >= added + self._spacing_s:
            return True
        peers = list(self._announced.values())
        return 2 * sum(id in known for known in peers) >= len(peers)
