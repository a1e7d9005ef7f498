"""BLS keys of a test's people, their votes, and aggregates of them."""

from collections.abc import Sequence
from functools import cache

from inos.consensus.state import StateView
from inos.primitives.bls import compute_secret, get_bls
from inos.primitives.votes import Aggregate, Link, compute_vote_hash, make_bits, make_possession_message
from support.consensus_lab import CHAIN_ID, PEOPLE


@cache
def get_bls_secret(who: str) -> bytes:
    return compute_secret(who.encode().ljust(32, b"."))


@cache
def get_bls_key(who: str) -> bytes:
    return get_bls().compute_public_key(get_bls_secret(who))


@cache
def prove(who: str, owner: str = "") -> bytes:
    """Return the proof that binds the BLS key of `who` to its own account or to that of `owner`.

    A name that is no account's, such as "alice2" for a second key, needs an owner.
    """
    message = make_possession_message(get_bls_key(who), PEOPLE[owner or who].address, CHAIN_ID)
    return get_bls().prove_possession(get_bls_secret(who), message)


def sign_link(who: str, link: Link) -> bytes:
    return get_bls().sign(get_bls_secret(who), compute_vote_hash(CHAIN_ID, link))


def make_aggregate(state: StateView, people: Sequence[str], ballot: int = -1, link: Link | None = None) -> Aggregate:
    """Return the aggregate of the votes of `people` for the state's latest ballot; `link` replaces the link that they
    sign.
    """
    finality = state.get_finality()
    assert finality is not None
    chosen = finality.ballots[ballot]
    link = link or chosen.link
    places = [member.address for member in state.get_committee(chosen.committee).members]
    members = {places.index(PEOPLE[who].address) for who in people}
    signature = get_bls().aggregate([sign_link(who, link) for who in people])
    return Aggregate(link, make_bits(members, len(places)), signature)
