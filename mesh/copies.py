"""How many copies of a matrix a network should have, and what one holder does about it. Pure: no I/O, no clock.

Every holder decides alone, from the nodes that have just proven to hold a copy. Holders are ranked by their distance
to the matrix's id (Kademlia's XOR), which all see alike: those nearest keep their copies whatever they see, those
behind `target` may let go, and where there are too few the nearest one invites others, near ones first. So nobody
needs to be told what others decide, and a wrong view costs a copy too many, never the last ones.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

FLOOR: Final = 4
"""Copies of what is promised, whoever wants it: with each holder away one day in ten, all four are away at one time
in ten thousand."""
LEAST: Final = 1
"""Of what nobody promised: the last holder keeps it until it needs the room."""
MOST: Final = 16
"""What any demand leads to at most; as many as one search finds with some to spare (records_per_key is 20)."""
REQUESTS_PER_COPY: Final = 8.0
"""Recent requests that one copy more is made for."""
SLACK: Final = 1
"""So many more than the target are let be, so that a copy is not made and dropped by turns."""


class Decision(Struct, frozen=True):
    """What a holder does now."""

    target: int
    holders: int
    """Itself among them."""
    invite: int = 0
    """How many others it asks to keep a copy."""
    is_surplus: bool = False
    """Whether its own copy may go."""


def compute_target(demand: float, is_promised: bool) -> int:
    """How many copies there should be.

    Args:
        demand: requests in the whole network that count now (inos.mesh.demand).
        is_promised: an open job, a challenge window or the holder's own pin needs it.
    """
    extra = math.floor(demand / REQUESTS_PER_COPY) if demand > 0 else 0
    return min(MOST, (FLOOR if is_promised else LEAST) + extra)


def compute_rank(own: bytes, key: bytes, others: Iterable[bytes]) -> int:
    """How many of `others` are nearer to `key` than `own` is."""
    distance = _compute_distance(own, key)
    return sum(_compute_distance(other, key) < distance for other in others)


def decide(
    own: bytes, key: bytes, others: Sequence[bytes], own_demand: float, *, is_promised: bool, short_rounds: int
) -> Decision:
    """What the holder `own` of matrix `key` does.

    Args:
        others: node ids that have just proven to hold a copy.
        own_demand: what was asked of this node; it takes the others to be asked for as much.
        short_rounds: how often in succession it has found too few copies before. The nearest holder acts at once, one
            behind it after as many rounds as there are holders nearer: whoever should act may be blind.
    """
    holders = len(others) + 1
    target = compute_target(own_demand * holders, is_promised)
    rank = compute_rank(own, key, others)
    if holders < target:
        return Decision(target, holders, invite=target - holders if rank <= short_rounds else 0)
    return Decision(target, holders, is_surplus=rank >= target + SLACK)


def list_candidates(key: bytes, nodes: Iterable[bytes], holders: Iterable[bytes]) -> list[bytes]:
    """Nodes that may be invited, nearest to `key` first."""
    taken = set(holders)
    return sorted((node for node in nodes if node not in taken), key=lambda node: _compute_distance(node, key))


def _compute_distance(one: bytes, other: bytes) -> int:
    return int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
