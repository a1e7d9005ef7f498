"""A search for providers: what each node names, proven one after another at the providers themselves."""

import asyncio
from collections import deque
from typing import Final

from inos.network.identity import PeerAddress
from inos.primitives.units import NodeId

MAX_OFFERED: Final = 20
"""Providers taken from one node's answer."""


class ProviderCandidates:
    """Providers to be tried, in turn from each node that named some, so that a liar cannot crowd out the others."""

    def __init__(self, own_id: NodeId, limit: int, max_tried: int) -> None:
        self._own_id = own_id
        self._limit = limit
        self._left = max_tried
        self._by_source: dict[NodeId, deque[PeerAddress]] = {}
        self._taken: dict[NodeId, int] = {}
        self._offered: set[PeerAddress] = set()
        self._changed = asyncio.Event()
        self._is_complete = False
        self.confirmed: dict[NodeId, PeerAddress] = {}

    @property
    def is_enough(self) -> bool:
        """Whether as many as wanted are confirmed, or so many were tried that it is time to stop."""
        return len(self.confirmed) >= self._limit or self._left <= 0

    def offer(self, source: NodeId, providers: tuple[PeerAddress, ...]) -> None:
        """What the node `source` named."""
        for provider in providers[:MAX_OFFERED]:
            if provider.id != self._own_id and provider not in self._offered:
                self._offered.add(provider)
                self._by_source.setdefault(source, deque()).append(provider)
        self._changed.set()

    def add_confirmed(self, provider: PeerAddress) -> None:
        """It has the matrix."""
        self.confirmed[provider.id] = provider
        self._changed.set()

    def complete(self) -> None:
        """Nothing more will be offered."""
        self._is_complete = True
        self._changed.set()

    async def next(self) -> PeerAddress | None:
        """The next one to try; waits for one, None when there is no more to do."""
        while not self.is_enough:
            provider = self._take()
            if provider is not None:
                return provider
            if self._is_complete:
                return None
            self._changed.clear()
            await self._changed.wait()
        self._changed.set()
        return None

    def _take(self) -> PeerAddress | None:
        for source in sorted(self._by_source, key=lambda source: self._taken.get(source, 0)):
            queue = self._by_source[source]
            while queue:
                provider = queue.popleft()
                if provider.id not in self.confirmed:
                    self._taken[source] = self._taken.get(source, 0) + 1
                    self._left -= 1
                    return provider
        return None
