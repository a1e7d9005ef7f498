"""The size of a quorum: two thirds of a committee's weight, and more than half of what the network mined lately."""

from collections.abc import Iterable

from inos.consensus.records import Committee


def compute_weight(committee: Committee, members: Iterable[int] | None = None) -> int:
    """Return the weight of the members at the given places, or of all members."""
    places = range(len(committee.members)) if members is None else members
    return sum(committee.members[place].weight for place in places)


def compute_quorum(committee: Committee) -> int:
    """Return the least weight w with 6 * w > max(4 * C, 3 * M): C is the committee's weight, M what the network
    mined.
    """
    return max(4 * compute_weight(committee), 3 * committee.mined) // 6 + 1


def is_quorum(committee: Committee, members: Iterable[int]) -> bool:
    """Return True if these members together may justify a checkpoint."""
    return compute_weight(committee, members) >= compute_quorum(committee)


def can_reach_quorum(committee: Committee) -> bool:
    """Return True if all members together may justify a checkpoint, which needs half of recent mining in the
    committee.
    """
    return compute_weight(committee) >= compute_quorum(committee)
