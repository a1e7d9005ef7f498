"""This module learns the endpoint of this node as other nodes see it, and whether they can dial it."""

from collections import Counter, OrderedDict
from enum import StrEnum
from typing import Final

from inos.network.endpoints import is_acceptable
from inos.network.identity import PeerAddress
from inos.primitives.units import NodeId

MAX_VOTES: Final = 32
ARRIVAL_COUNTS_S: Final = 86_400.0
"""The node counts as reachable for this long after the last inbound link."""
ANSWER_S: Final = 60.0
"""A peer that can dial back does so within this time."""
MIN_ASKED: Final = 2
"""The node calls itself unreachable after this many peers were asked to dial back and did not."""


class Reach(StrEnum):
    """Other nodes can dial this one, cannot, or that is not known."""

    UNKNOWN = "unknown"
    PRIVATE = "private"
    PUBLIC = "public"


class Reachability:
    """Holds what this node has learned of its own endpoint. Callers pass times in monotonic seconds.

    The host is the one that most network groups among the dialled peers report, so one peer cannot make this node
    believe in a wrong address while others know better. An inbound link proves that the node can be reached; dialled
    peers are asked for one (`DialMe`).

    Args:
        announced: the host and port that the user gave; if given, peers are not asked and nothing else is announced.
        allow_local: whether a loopback or private address counts, as on a private network.
    """

    def __init__(self, own_id: NodeId, announced: tuple[str, int] | None, *, allow_local: bool) -> None:
        self._own_id = own_id
        self._announced = announced
        self._allow_local = allow_local
        self._votes: OrderedDict[bytes, str] = OrderedDict()
        self._arrived_at: float | None = None
        self._asked: list[float] = []

    def on_observed(self, group: bytes, host: str) -> None:
        """Note that a dialled peer of `group` sees this node at `host`."""
        if not is_acceptable(host, allow_local=self._allow_local):
            return
        self._votes[group] = host
        self._votes.move_to_end(group)
        if len(self._votes) > MAX_VOTES:
            self._votes.popitem(last=False)

    def on_asked(self, now: float) -> None:
        """Note that a dialled peer was asked to dial back."""
        self._asked = [*self._asked[-MIN_ASKED:], now]

    def on_arrival(self, host: str, now: float) -> None:
        """Note that a node at `host` has dialled this one and proved its id."""
        if is_acceptable(host, allow_local=self._allow_local):
            self._arrived_at = now

    def get_state(self, now: float) -> Reach:
        """Return PUBLIC after an inbound link, and PRIVATE if several peers were asked to dial back and none did."""
        arrived = self._arrived_at
        if arrived is not None and now - arrived < ARRIVAL_COUNTS_S:
            return Reach.PUBLIC
        in_vain = [at for at in self._asked if now - at > ANSWER_S and (arrived is None or at > arrived)]
        return Reach.PRIVATE if len(in_vain) >= MIN_ASKED else Reach.UNKNOWN

    @property
    def observed_host(self) -> str:
        """Most groups report this host; it is "" before any has."""
        return Counter(self._votes.values()).most_common(1)[0][0] if self._votes else ""

    def get_own(self, listen_port: int, seen_at_host: str = "") -> PeerAddress | None:
        """Return the address to announce; a peer that sees this node at `seen_at_host` gets at least that one."""
        if self._announced is not None:
            return PeerAddress(self._own_id, *self._announced)
        host = self.observed_host or seen_at_host
        if not host or not listen_port or not is_acceptable(host, allow_local=self._allow_local):
            return None
        return PeerAddress(self._own_id, host, listen_port)
