"""When all slots are full, this module chooses the inbound peer to evict, so that many connections displace no others.

It follows Bitcoin Core's SelectNodeToEvict. It protects peers that an attacker cannot all provide at one time: one
peer in each of a few network groups chosen by a secret, those with the lowest ping, those that last sent a block, a
transaction or a matrix, and half of the rest, those with the longest connections.
Of the remaining peers, the youngest of the group with the most
links is evicted.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct

from inos.primitives.units import NodeId

GROUP_PART: Final = 16
LATENCY_PART: Final = 8
USEFUL_PART: Final = 16
"""For each reason, one in this many of all inbound slots is protected, and at least one: of 64 slots 4, 8, 4, 4
and 4."""


class Candidate(Struct, frozen=True, kw_only=True):
    """An inbound peer may be evicted. Times are monotonic seconds; 0 means never."""

    id: NodeId
    group: bytes
    latency_s: float
    """The shortest ping so far took this long; it is infinite before the first one."""
    block_at: float
    transaction_at: float
    matrix_at: float
    connected_at: float


def select_to_evict(candidates: Sequence[Candidate], slots: int, key: bytes) -> NodeId | None:
    """Return the peer to evict, or None if all are protected.

    Args:
        candidates: all inbound peers that may be evicted at all.
        slots: the number of inbound slots.
        key: a secret of this node that decides which network groups are protected.
    """
    left = _protect_groups(list(candidates), max(1, slots // GROUP_PART), key)
    for part, rank in _RANKS:
        left = _protect(left, max(1, slots // part), rank)
    left = _protect(left, len(left) // 2, lambda c: -c.connected_at)
    if not left:
        return None
    groups: dict[bytes, list[Candidate]] = defaultdict(list)
    for candidate in left:
        groups[candidate.group].append(candidate)
    largest = max(groups.values(), key=lambda group: (len(group), max(c.connected_at for c in group)))
    return max(largest, key=lambda c: (c.connected_at, c.id)).id


_RANKS: Final[tuple[tuple[int, Callable[[Candidate], Any]], ...]] = (
    (LATENCY_PART, lambda c: -c.latency_s),
    (USEFUL_PART, lambda c: c.block_at),
    (USEFUL_PART, lambda c: c.transaction_at),
    (USEFUL_PART, lambda c: c.matrix_at),
)
"""The peers with the highest rank are protected."""


def _protect(candidates: list[Candidate], count: int, rank: Callable[[Candidate], Any]) -> list[Candidate]:
    """Return the candidates without the `count` highest; of equal ones, the longest connected are protected first."""
    ranked = sorted(candidates, key=lambda c: (rank(c), -c.connected_at))
    return ranked[: len(ranked) - count] if count < len(ranked) else []


def _protect_groups(candidates: list[Candidate], count: int, key: bytes) -> list[Candidate]:
    """Return the candidates without the longest connected peer of each of `count` groups."""
    oldest: dict[bytes, Candidate] = {}
    for candidate in sorted(candidates, key=lambda c: c.connected_at):
        oldest.setdefault(candidate.group, candidate)
    groups = sorted(oldest, key=lambda group: blake2b(group, key=key, digest_size=8).digest())[:count]
    safe = {oldest[group].id for group in groups}
    return [candidate for candidate in candidates if candidate.id not in safe]
