"""Connections that have not yet proven a node's id take places in a table of their own, which nobody can keep full."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from inos.network.endpoints import compute_group

MAX_UNPROVEN: Final = 64
"""At most this many connections are in their handshake."""
MAX_UNPROVEN_PER_HOST: Final = 16
MAX_UNPROVEN_PER_GROUP: Final = 32


class Newcomer:
    """One connection whose other side has not proven its id yet."""

    __slots__ = ("abort", "group", "host")

    def __init__(self, host: str, abort: Callable[[], None]) -> None:
        self.host = host
        # Without its port, a local address is one group however often it connects.
        self.group = compute_group(host, 0)
        self.abort = abort


class Newcomers:
    """Holds the unproven connections, the oldest first.

    A newcomer is always admitted. For it the oldest connection of its host or its group gives way if these have many,
    and else the oldest of the group with the most. An honest handshake takes two round trips, so an attacker must renew
    all of its connections within that time to displace one.
    """

    def __init__(self) -> None:
        self._present: dict[Newcomer, None] = {}

    def __len__(self) -> int:
        return len(self._present)

    def admit(self, host: str, abort: Callable[[], None]) -> Newcomer:
        """Return the place of a new connection; `abort` ends the connection when it must give way."""
        newcomer = Newcomer(host, abort)
        chosen = self._find_to_evict(newcomer)
        if chosen is not None:
            del self._present[chosen]
            chosen.abort()
        self._present[newcomer] = None
        return newcomer

    def release(self, newcomer: Newcomer) -> None:
        """Free the place of a connection that has proven its id or ended. This may be called again."""
        if newcomer in self._present:
            del self._present[newcomer]

    def _find_to_evict(self, newcomer: Newcomer) -> Newcomer | None:
        of_host = [one for one in self._present if one.host == newcomer.host]
        if len(of_host) >= MAX_UNPROVEN_PER_HOST:
            return of_host[0]
        groups = Counter(one.group for one in self._present)
        if groups[newcomer.group] >= MAX_UNPROVEN_PER_GROUP:
            return next(one for one in self._present if one.group == newcomer.group)
        if len(self._present) < MAX_UNPROVEN:
            return None
        busiest = groups.most_common(1)[0][0]
        return next(one for one in self._present if one.group == busiest)
