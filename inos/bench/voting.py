"""All votes on a checkpoint at once, for chains that are made and not mined."""

from collections.abc import Sequence

from msgspec import Struct

from inos.consensus.finality import is_open
from inos.consensus.params import Params
from inos.consensus.state import StateView
from inos.primitives.bls import get_bls
from inos.primitives.units import Address
from inos.primitives.votes import Aggregate, compute_vote_hash, make_bits


class Voter(Struct, frozen=True):
    """An account that votes, and the BLS secret it votes with."""

    address: Address
    secret: bytes


def make_due_aggregate(params: Params, state: StateView, voters: Sequence[Voter]) -> Aggregate | None:
    """Return the votes of all voters in the committee; None if the state has no ballot that is still open."""
    finality = state.get_finality()
    if finality is None or not finality.ballots or not is_open(params, finality, finality.ballots[-1]):
        return None
    ballot = finality.ballots[-1]
    places = {bytes(member.address): i for i, member in enumerate(state.get_committee(ballot.committee).members)}
    present = [voter for voter in voters if voter.address in places]
    message, bls = compute_vote_hash(params.chain_id, ballot.link), get_bls()
    signature = bls.aggregate([bls.sign(voter.secret, message) for voter in present])
    return Aggregate(ballot.link, make_bits({places[voter.address] for voter in present}, len(places)), signature)
