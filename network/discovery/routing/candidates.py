"""A search for providers tries candidates: nodes name them, and each is confirmed at the provider itself."""

import asyncio
from collections import deque
from typing import Final

from inos.network.identity import PeerAddress
from inos.primitives.units import NodeId

MAX_OFFERED: Final = 20
"""At most this many providers are taken from one node's answer."""


class ProviderCandidates:
    """Holds the providers to try, in turn from each node that named some, so that a liar cannot crowd out the
    others."""

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
        """The property is True if enough providers are confirmed, or if enough were tried that the search
        should stop."""
        return len(self.confirmed) >= self._limit or self._left <= 0

    def offer(self, source: NodeId, providers: tuple[PeerAddress, ...]) -> None:
        """Add the providers that the node `source` named."""
        for provider in providers[:MAX_OFFERED]:
            if provider.id != self._own_id and provider not in self._offered:
                self._offered.add(provider)
                self._by_source.setdefault(source, deque()).append(provider)
        self._changed.set()

    def add_confirmed(self, provider: PeerAddress) -> None:
        """Add a provider that has proven to have the matrix."""
        self.confirmed[provider.id] = provider
        self._changed.set()

    def complete(self) -> None:
        """Note that no more candidates will be offered."""
        self._is_complete = True
        self._changed.set()

    async def next(self) -> PeerAddress | None:
        """Wait for the next provider to try and return it; return None when the search is over."""
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
