"""Who votes: the heaviest voters by reputation."""

from collections.abc import Iterable

from inos.consensus.params import Params
from inos.consensus.records import Committee, Member
from inos.consensus.state import StateView, compute_reputation
from inos.primitives.units import Address, Height
from inos.primitives.votes import MAX_COMMITTEE


def choose_committee(params: Params, state: StateView, height: Height) -> Committee:
    """The `MAX_COMMITTEE` voters with the most reputation at `height`, those with none left out."""
    return make_committee(_list_candidates(params, state, height))


def make_committee(candidates: Iterable[Member]) -> Committee:
    """The heaviest candidates; of equals those with the lower addresses."""
    weighty = (member for member in candidates if member.weight > 0)
    return Committee(tuple(sorted(weighty, key=lambda m: (-m.weight, m.address))[:MAX_COMMITTEE]))


def _list_candidates(params: Params, state: StateView, height: Height) -> Iterable[Member]:
    for each in state.get_voters().addresses:
        address = Address(each)
        voter = state.get_voter(address)
        if voter is None:
            raise LookupError(f"{address.hex()} is among the voters and has no voter's record")
        yield Member(address, voter.key, compute_reputation(params, state.get_account(address), height))
