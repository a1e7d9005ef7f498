"""Where this node is, as others see it, and whether it can be dialled there."""

from collections import Counter, OrderedDict
from enum import StrEnum
from typing import Final

from inos.network.endpoints import is_acceptable
from inos.network.identity import PeerAddress
from inos.primitives.units import NodeId

MAX_VOTES: Final = 32
ARRIVAL_COUNTS_S: Final = 86_400.0
"""So long after the last inbound link the node still counts as reachable."""
ANSWER_S: Final = 60.0
"""Those asked to dial back do so within this time, or they cannot."""
MIN_ASKED: Final = 2
"""Peers that must have been asked in vain before the node calls itself unreachable."""


class Reach(StrEnum):
    """Whether others can dial this node."""

    UNKNOWN = "unknown"
    PRIVATE = "private"
    PUBLIC = "public"


class Reachability:
    """Learned, never assumed. Times are monotonic seconds handed in.

    The host is the one most network groups among the dialled peers report; one peer cannot make this node
    believe in another address while others know better. That it can be reached is shown by a link somebody
    else dialled, for which dialled peers are asked (`DialMe`).

    Args:
        announced: host and port the user gave; then nothing is asked and nothing else is announced.
        allow_local: whether a loopback or private address counts, as on a network of one's own.
    """

    def __init__(self, own_id: NodeId, announced: tuple[str, int] | None, *, allow_local: bool) -> None:
        self._own_id = own_id
        self._announced = announced
        self._allow_local = allow_local
        self._votes: OrderedDict[bytes, str] = OrderedDict()
        self._arrived_at: float | None = None
        self._asked: list[float] = []

    def on_observed(self, group: bytes, host: str) -> None:
        """A dialled peer of `group` says that it sees this node at `host`."""
        if not is_acceptable(host, allow_local=self._allow_local):
            return
        self._votes[group] = host
        self._votes.move_to_end(group)
        if len(self._votes) > MAX_VOTES:
            self._votes.popitem(last=False)

    def on_asked(self, now: float) -> None:
        """A dialled peer was asked to dial back."""
        self._asked = [*self._asked[-MIN_ASKED:], now]

    def on_arrival(self, host: str, now: float) -> None:
        """Somebody at `host` has dialled this node and proved an id."""
        if is_acceptable(host, allow_local=self._allow_local):
            self._arrived_at = now

    def get_state(self, now: float) -> Reach:
        """public after an inbound link, private where several peers were asked to dial back and none came."""
        arrived = self._arrived_at
        if arrived is not None and now - arrived < ARRIVAL_COUNTS_S:
            return Reach.PUBLIC
        in_vain = [at for at in self._asked if now - at > ANSWER_S and (arrived is None or at > arrived)]
        return Reach.PRIVATE if len(in_vain) >= MIN_ASKED else Reach.UNKNOWN

    @property
    def observed_host(self) -> str:
        """What most groups report; "" before anybody has."""
        return Counter(self._votes.values()).most_common(1)[0][0] if self._votes else ""

    def get_own(self, listen_port: int, told_host: str = "") -> PeerAddress | None:
        """What to announce; to a peer that told `told_host` at least that, since it believes it anyway."""
        if self._announced is not None:
            return PeerAddress(self._own_id, *self._announced)
        host = self.observed_host or told_host
        if not host or not listen_port or not is_acceptable(host, allow_local=self._allow_local):
            return None
        return PeerAddress(self._own_id, host, listen_port)
