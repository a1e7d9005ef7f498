"""Tests mined figures and pots: how a subsidy is shared, and what is burned."""

from msgspec.structs import replace

from inos.consensus.finality.mined import compute_mined, compute_network_mined
from inos.consensus.params import compute_subsidy
from inos.primitives.signatures import compute_address
from inos.primitives.transactions import RegisterVoter, ReportVoter
from inos.primitives.units import Address, Height
from inos.primitives.votes import Checkpoint, Link, SignedLink
from support.consensus_lab import ALICE, BOB, CAROL, MINER, PARAMS, Lab
from support.voters import get_bls_key, make_aggregate, prove, sign_link

RULES = replace(PARAMS, reputation_half_life=10**6, subsidy_decay_interval=10**6)
SUBSIDY = 50_000
PART = SUBSIDY // 64
POT = 8 * PART


def make_voting_lab(*voters: str, params: object = RULES) -> Lab:
    """Return a lab at height 17, above checkpoint 2, on which `voters` can vote; each found as many blocks as the
    others.
    """
    lab = Lab(params)  # type: ignore[arg-type]
    people = {"alice": ALICE, "bob": BOB, "carol": CAROL}
    for who in voters:
        lab.mine(miner=people[who].address)
    orders = [lab.sign(people[who], RegisterVoter(get_bls_key(who), prove(who), 1000)) for who in voters]
    lab.mine(*orders, miner=people[voters[0]].address)
    while lab.height < 17:
        lab.mine(miner=people[voters[lab.height % len(voters)]].address)
    return lab


def get_pots(lab: Lab) -> dict[int, int]:
    return {epoch: lab.state.get_pot(epoch).amount for epoch in range(6) if lab.state.get_pot(epoch).amount}


def test_a_part_of_each_subsidy_goes_into_its_epochs_pot() -> None:
    lab = Lab(RULES)
    lab.mine()
    assert get_pots(lab) == {1: PART}
    assert lab.state.get_account(MINER.address).balance == SUBSIDY - PART
    lab.mine_until(8)
    assert get_pots(lab) == {1: POT}
    assert lab.state.get_market().burned == 0
    lab.mine()  # nobody can vote on checkpoint 1
    assert get_pots(lab) == {2: PART}
    assert lab.state.get_market().burned == POT


def test_all_who_sign_share_the_pot_and_the_carrier_has_an_eighth() -> None:
    lab = make_voting_lab("alice", "bob", "carol")
    before = {key: lab.state.get_account(key.address).balance for key in (ALICE, BOB, CAROL, MINER)}
    committee = lab.state.get_committee(lab.state.get_finality().ballots[-1].committee)  # type: ignore[union-attr]
    weights = {member.address: member.weight for member in committee.members}
    burned = lab.state.get_market().burned
    lab.mine(aggregate=make_aggregate(lab.state, ["alice", "bob", "carol"]))
    shares = {key: POT * weights[key.address] // sum(weights.values()) for key in (ALICE, BOB, CAROL)}
    for key, share in shares.items():
        assert lab.state.get_account(key.address).balance - before[key] == share - share // 8
    carried = sum(share // 8 for share in shares.values())
    assert lab.state.get_account(MINER.address).balance - before[MINER] == SUBSIDY - PART + carried
    assert lab.state.get_market().burned - burned == POT - sum(shares.values()) < 3
    assert get_pots(lab) == {3: 2 * PART}


def test_who_does_not_sign_gets_nothing_and_its_share_is_burned() -> None:
    lab = make_voting_lab("alice", "bob", "carol")
    carol, burned = lab.state.get_account(CAROL.address).balance, lab.state.get_market().burned
    ballot = lab.state.get_finality().ballots[-1]  # type: ignore[union-attr]
    members = lab.state.get_committee(ballot.committee).members
    silent = next(member.weight for member in members if member.address == CAROL.address)
    lab.mine(aggregate=make_aggregate(lab.state, ["alice", "bob"]))
    assert lab.state.get_account(CAROL.address).balance == carol
    part = POT * silent // sum(member.weight for member in members)
    assert part <= lab.state.get_market().burned - burned <= part + 3


def test_a_member_slashed_since_gets_nothing_and_its_carrier_neither() -> None:
    lab = make_voting_lab("alice", "bob", "carol")
    links = [Link(Checkpoint(0, bytes([tag]) * 32), Checkpoint(1, bytes([tag]) * 32)) for tag in (1, 2)]
    evidence = ReportVoter(get_bls_key("carol"), *(SignedLink(link, sign_link("carol", link)) for link in links))
    lab.mine(lab.sign(BOB, evidence))
    carol, before = lab.state.get_account(CAROL.address).balance, lab.state.get_account(MINER.address).balance
    lab.mine(aggregate=make_aggregate(lab.state, ["alice", "bob", "carol"]))
    assert lab.state.get_account(CAROL.address).balance == carol
    members = lab.state.get_committee(1).members
    weights = [member.weight for member in members if member.address != CAROL.address]
    shares = [POT * weight // sum(member.weight for member in members) for weight in weights]
    carried = lab.state.get_account(MINER.address).balance - before - (SUBSIDY - PART)
    assert len(shares) == 2
    assert carried == sum(share // 8 for share in shares)


def test_a_pot_whose_ballot_is_dropped_is_burned() -> None:
    lab = make_voting_lab("alice")
    burned = lab.state.get_market().burned
    while lab.height < 32:
        lab.mine(miner=ALICE.address)
    assert get_pots(lab) == {2: POT, 3: POT, 4: POT}
    lab.mine(miner=ALICE.address)
    assert get_pots(lab) == {3: POT, 4: POT, 5: PART}
    assert lab.state.get_market().burned == burned + POT


def test_a_pot_that_was_paid_is_not_burned_again() -> None:
    lab = make_voting_lab("alice")
    lab.mine(miner=ALICE.address, aggregate=make_aggregate(lab.state, ["alice"]))
    burned = lab.state.get_market().burned
    while lab.height < 33:
        lab.mine(miner=ALICE.address)
    assert lab.state.get_market().burned == burned


def test_mined_figures_halve_at_the_same_heights_each_on_its_own() -> None:
    rules = replace(PARAMS, reputation_half_life=10, subsidy_decay_interval=10**6)
    lab, expected, network = Lab(rules), {ALICE: 0, BOB: 0, MINER: 0}, 0
    for _ in range(45):
        height = Height(lab.height + 1)
        if height % 10 == 0:
            expected, network = {key: mined // 2 for key, mined in expected.items()}, network // 2
        key = (ALICE, BOB, BOB, MINER)[height % 4]
        lab.mine(miner=key.address)
        expected[key] += compute_subsidy(rules, height)
        network += compute_subsidy(rules, height)
        for each, mined in expected.items():
            assert compute_mined(rules, lab.state.get_account(each.address), height) == mined
        assert compute_network_mined(rules, lab.state, height) == network
        assert sum(expected.values()) <= network


def test_a_block_that_is_a_checkpoint_counts_for_its_own_committee() -> None:
    lab = make_voting_lab("alice")
    committee = lab.state.get_committee(2)
    assert committee.mined == 16 * SUBSIDY
    assert [(member.weight, member.mined) for member in committee.members] == [(16 * SUBSIDY, 16 * SUBSIDY)]


def test_jobs_and_transfers_mine_nothing() -> None:
    lab = Lab(RULES)
    lab.post(ALICE)
    assert lab.state.get_account(ALICE.address).mined == 0
    assert compute_address(ALICE.public) == ALICE.address
    assert lab.state.get_account(Address(bytes(20))).mined == SUBSIDY
