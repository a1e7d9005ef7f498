"""Decides how many copies of a matrix a network should have, and what one holder does about it; pure: no I/O, no
clock.

Every holder decides alone, from the nodes that have just proven to hold a copy. Holders are ranked by their distance
to the matrix's id (Kademlia's XOR), which all of them compute alike. The nearest ones always keep their copies,
those ranked behind `target` may drop theirs, and if there are too few the nearest one invites others, near ones
first. So holders need not agree with each other, and a wrong view costs a superfluous copy, never the last ones.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

FLOOR: Final = 4
"""What is promised has this many copies, even if nobody requests it: with each holder offline one day in ten, all four
are offline one time in ten thousand."""
LEAST: Final = 1
"""What is not promised has this many copies: the last holder keeps it until it needs the room."""
MOST: Final = 16
"""No demand leads to more copies than this; one search finds as many with some to spare (records_per_key is 20)."""
REQUESTS_PER_COPY: Final = 8.0
"""So many recent requests lead to one more copy."""
SLACK: Final = 1
"""So many copies above the target are tolerated, so that no copy is made and dropped in alternation."""


class Decision(Struct, frozen=True):
    """Says what a holder does now."""

    target: int
    holders: int
    """Counts the holders, this one among them."""
    invite: int = 0
    """The holder asks this many others to keep a copy."""
    is_surplus: bool = False
    """Says whether the holder may drop its own copy."""


def compute_target(demand: float, is_promised: bool) -> int:
    """Return how many copies there should be.

    Args:
        demand: requests in the whole network that count now (inos.mesh.demand).
        is_promised: an open job, a challenge window or the holder's own pin needs it.
    """
    extra = math.floor(demand / REQUESTS_PER_COPY) if demand > 0 else 0
    return min(MOST, (FLOOR if is_promised else LEAST) + extra)


def compute_rank(own: bytes, key: bytes, others: Iterable[bytes]) -> int:
    """Return how many of `others` are nearer to `key` than `own` is."""
    distance = _compute_distance(own, key)
    return sum(_compute_distance(other, key) < distance for other in others)


def decide(
    own: bytes, key: bytes, others: Sequence[bytes], own_demand: float, *, is_promised: bool, short_rounds: int
) -> Decision:
    """Return what the node `own`, which holds matrix `key`, has to do about its copies.

    Args:
        others: node ids that have just proven to hold a copy.
        own_demand: requests to this node; it assumes that the others get as many.
        short_rounds: how often in succession it has found too few copies before. The nearest holder acts at once,
            one behind it after as many rounds as there are holders nearer, because those may not see the need.
    """
    holders = len(others) + 1
    target = compute_target(own_demand * holders, is_promised)
    rank = compute_rank(own, key, others)
    if holders < target:
        return Decision(target, holders, invite=target - holders if rank <= short_rounds else 0)
    return Decision(target, holders, is_surplus=rank >= target + SLACK)


def list_candidates(key: bytes, nodes: Iterable[bytes], holders: Iterable[bytes]) -> list[bytes]:
    """Return nodes that may be invited, nearest to `key` first."""
    taken = set(holders)
    return sorted((node for node in nodes if node not in taken), key=lambda node: _compute_distance(node, key))


def _compute_distance(one: bytes, other: bytes) -> int:
    return int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
