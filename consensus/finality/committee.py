"""The choice of who votes: the heaviest voters, each weighing what it mined, limited by its bond.

While checkpoints become final, a committee differs from the one before by what was mined since, and otherwise by at
most a part of the network's mining. So committees at neighbouring final checkpoints overlap.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from inos.consensus.finality.mined import compute_mined, compute_network_mined
from inos.consensus.params import Params
from inos.consensus.records import Committee, Member, Voter
from inos.consensus.reputation import compute_halved
from inos.consensus.state import StateView
from inos.primitives.units import Address, Height, Nano
from inos.primitives.votes import MAX_COMMITTEE

CHURN_PART: Final = 64
"""Bonds, entries and exits change a committee by at most one part in this many of what the network mined."""


class Candidate(Struct, frozen=True):
    """A voter at a checkpoint."""

    address: Address
    voter: Voter
    mined: Nano
    wanted: int
    """Its weight in a committee without limits on changes."""


class Before(Struct, frozen=True):
    """A committee chosen at an earlier checkpoint, which limits what the next one may change."""

    committee: Committee
    height: Height


def choose_committee(
    params: Params, state: StateView, height: Height, voters: Iterable[tuple[Address, Voter]], before: Before | None
) -> Committee:
    """Return the committee of the checkpoint at `height`.

    Args:
        state: the state after the checkpoint.
        before: the committee from which the change is measured, or None if nothing limits the change.
    """
    candidates = [_make_candidate(params, state, height, address, voter) for address, voter in voters]
    mined = compute_network_mined(params, state, height)
    weights = {each.address: each.wanted for each in candidates}
    if before is not None:
        kept = _compute_kept(params, before, height)
        weights = limit_changes(candidates, kept, mined // CHURN_PART)
    members = (Member(each.address, each.voter.key, weights[each.address], each.mined) for each in candidates)
    return make_committee(members, mined)


def make_committee(candidates: Iterable[Member], mined: int) -> Committee:
    """Return a committee of the heaviest candidates with a weight; among equals those with the lower addresses."""
    weighty = (member for member in candidates if member.weight > 0)
    members = tuple(sorted(weighty, key=lambda m: (-m.weight, m.address))[:MAX_COMMITTEE])
    return Committee(members, mined) if members else Committee()


def limit_changes(candidates: Sequence[Candidate], kept: Mapping[bytes, Member], room: int) -> dict[Address, int]:
    """Return weights that differ from those in `kept` by what was mined since, and otherwise by `room` in all.

    Wanted changes beyond that are applied in the order of the voters' last transactions, the last of them in part.
    Voters that are not among the heaviest would get no place, and use none of the room.

    Args:
        kept: the members of the committee before, by their keys, with weights and figures halved up to now.
        room: nano of weight.
    """
    heaviest = sorted(candidates, key=lambda each: (-each.wanted, each.address))[:MAX_COMMITTEE]
    entering = {each.address for each in heaviest}
    weights = {each.address: compute_free_weight(each, kept.get(each.voter.key)) for each in candidates}
    for each in sorted(candidates, key=lambda each: (each.voter.changed_at, each.address)):
        if each.voter.key not in kept and each.address not in entering:
            continue
        change = each.wanted - weights[each.address]
        step = min(abs(change), room)
        weights[each.address] += step if change > 0 else -step
        room -= step
    return weights


def compute_free_weight(candidate: Candidate, kept: Member | None) -> int:
    """Return the weight that uses no room: the weight before, plus at most what was mined since."""
    if kept is None:
        return 0
    since = candidate.mined - kept.mined
    return max(kept.weight, min(candidate.wanted, kept.weight + since))


def _make_candidate(params: Params, state: StateView, height: Height, address: Address, voter: Voter) -> Candidate:
    mined = compute_mined(params, state.get_account(address), height)
    wanted = 0 if voter.is_leaving else min(mined, voter.bond * params.bond_leverage)
    return Candidate(address, voter, mined, wanted)


def _compute_kept(params: Params, before: Before, height: Height) -> dict[bytes, Member]:
    """Return the members of a committee by their keys, with weights and mined figures halved as at `height`."""

    def halve(figure: int) -> int:
        return compute_halved(params, figure, before.height, height)

    return {
        member.key: Member(member.address, member.key, halve(member.weight), halve(member.mined))
        for member in before.committee.members
    }
