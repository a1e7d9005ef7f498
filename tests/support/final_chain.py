"""Branches whose checkpoints are voted on by three voters who also mine, with an aggregate for every ballot."""

from inos.consensus.finality import is_open
from inos.primitives.transactions import RegisterVoter
from inos.primitives.units import Address, Nano
from support.chain_maker import EASY, Branch, MadeBlock
from support.consensus_lab import ALLOCATIONS, PEOPLE
from support.voters import get_bls_key, make_aggregate, prove

VOTERS = ("alice", "bob", "carol")
BOND = 1000


def make_voted_branch(epochs: int, crowd: int = 0) -> Branch:
    """Return a branch up to the second block after checkpoint `epochs`, on which everybody votes, with `crowd` more
    accounts.
    """
    others = {Address(n.to_bytes(20, "big")): Nano(n + 1) for n in range(crowd)}
    branch = Branch(EASY, {**ALLOCATIONS, **others})
    begin_voting(branch)
    grow_voted(branch, epochs * EASY.epoch_blocks + 2 - branch.height)
    return branch


def begin_voting(branch: Branch) -> None:
    """Add four blocks: each voter finds one, and all register."""
    for who in VOTERS:
        branch.grow(miner=PEOPLE[who].address)
    orders = (branch.sign(PEOPLE[who], RegisterVoter(get_bls_key(who), prove(who), BOND)) for who in VOTERS)
    branch.grow(*orders, miner=PEOPLE[VOTERS[0]].address)


def grow_voted(branch: Branch, count: int) -> list[MadeBlock]:
    """Add `count` blocks; each carries the aggregate of all voters if one is due."""
    return [grow_one(branch) for _ in range(count)]


def grow_one(branch: Branch) -> MadeBlock:
    """Add the next block, mined by the next voter in order."""
    finality = branch.state.get_finality()
    is_due = finality is not None and any(is_open(branch.params, finality, each) for each in finality.ballots[-1:])
    aggregate = make_aggregate(branch.state, voting(branch)) if is_due else None
    return branch.grow(miner=PEOPLE[VOTERS[branch.height % 3]].address, aggregate=aggregate)


def voting(branch: Branch) -> list[str]:
    """Return the members of the committee of the latest ballot."""
    finality = branch.state.get_finality()
    assert finality is not None
    members = {bytes(each.address) for each in branch.state.get_committee(finality.ballots[-1].committee).members}
    return [who for who in VOTERS if PEOPLE[who].address in members]
