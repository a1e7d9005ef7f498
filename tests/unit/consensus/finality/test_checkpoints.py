"""Tests which committee votes, when its change is unlimited, when voters begin to unbond, and who may be a juror."""

from collections.abc import Callable

from msgspec.structs import replace

from inos.consensus.finality import get_voting_committee
from inos.consensus.finality.epochs import is_change_limited, is_latest_voting
from inos.consensus.records import Finality
from inos.primitives.transactions import RegisterVoter, UnbondVoter, WithdrawBond
from support.consensus_lab import ALICE, BOB, CAROL, PARAMS, Key, Lab, get_code
from support.voters import get_bls_key, make_aggregate, prove

RULES = replace(
    PARAMS,
    epoch_blocks=2,
    finality_start=4,
    reputation_half_life=10**6,
    subsidy_decay_interval=10**6,
    unbonding_epochs=40,
)
NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol"}


def register(lab: Lab, key: Key, bond: int = 10_000) -> None:
    lab.mine(lab.sign(key, RegisterVoter(get_bls_key(NAMES[key]), prove(NAMES[key]), bond)), miner=ALICE.address)


def get_finality(lab: Lab) -> Finality:
    finality = lab.state.get_finality()
    assert finality is not None
    return finality


def go_on(lab: Lab, height: int, miner: Callable[[int], Key] = lambda height: ALICE, *, votes: bool = True) -> None:
    """Mine up to a height; all members vote whenever there is a ballot."""
    while lab.height < height:
        finality = get_finality(lab) if lab.height else None
        aggregate = None
        if votes and finality and finality.ballots:
            target = finality.ballots[-1].link.target.epoch
            if target > finality.justified.epoch and target * 2 >= RULES.finality_start:
                members = {each.address for each in lab.state.get_committee(finality.ballots[-1].committee).members}
                aggregate = make_aggregate(lab.state, [name for key, name in NAMES.items() if key.address in members])
        lab.mine(miner=miner(lab.height + 1).address, aggregate=aggregate)


def weigh(lab: Lab, epoch: int) -> dict[Key, int]:
    members = lab.state.get_committee(epoch).members
    return {key: each.weight for each in members for key in NAMES if key.address == each.address}


def make_final_lab() -> Lab:
    """Return a lab in which Alice finalizes alone; the last final checkpoint at height 20 is that of epoch 8."""
    lab = Lab(RULES)
    lab.mine(miner=ALICE.address)
    register(lab, ALICE)
    go_on(lab, 20)
    assert get_finality(lab).finalized.epoch == 8
    return lab


def test_voting_begins_at_finality_start_and_juries_before() -> None:
    lab = Lab(replace(RULES, finality_start=20))
    lab.mine(miner=ALICE.address)
    register(lab, ALICE)
    go_on(lab, 5, votes=False)
    assert [member.address for member in get_voting_committee(lab.state).members] == [ALICE.address]
    early = make_aggregate(lab.state, ["alice"])
    assert get_code(lambda: lab.check(lab.make_block(aggregate=early))) == "before-finality-start"
    go_on(lab, 19, votes=False)
    early = make_aggregate(lab.state, ["alice"])
    assert get_code(lambda: lab.check(lab.make_block(aggregate=early))) == "before-finality-start"
    go_on(lab, 21, votes=False)
    lab.mine(miner=ALICE.address, aggregate=make_aggregate(lab.state, ["alice"]))
    assert get_finality(lab).justified.epoch == 10


def test_the_committee_of_the_last_final_checkpoint_votes() -> None:
    lab = make_final_lab()
    go_on(lab, 24)
    # A ballot opens when the checkpoint two epochs below its own is the last final one.
    assert [(each.link.target.epoch, each.committee) for each in get_finality(lab).ballots] == [(10, 8), (11, 9)]


def test_before_the_first_final_checkpoint_nothing_limits_a_change() -> None:
    lab = Lab(RULES)
    for key in (ALICE, BOB, BOB):
        lab.mine(miner=key.address)
    register(lab, BOB)
    lab.mine(miner=ALICE.address)
    assert weigh(lab, 2) == {BOB: 100_000}


def test_after_it_an_entry_is_limited_and_is_not_after_a_stall() -> None:
    lab = make_final_lab()
    final = get_finality(lab).finalized.epoch
    go_on(lab, 30, lambda height: BOB, votes=False)
    register(lab, BOB)
    go_on(lab, 2 * (final + 32), lambda height: (ALICE, BOB)[height % 2], votes=False)
    mined = lab.state.get_network_mined().mined
    assert weigh(lab, 16)[BOB] <= 32 * 50_000 // 64
    steps = [weigh(lab, epoch + 1)[BOB] - weigh(lab, epoch)[BOB] for epoch in range(16, final + 31)]
    assert all(step <= 50_000 + mined // 64 for step in steps)
    assert get_finality(lab).ballots[-1].committee == final, "the committee of the final checkpoint votes on"
    lab.mine(miner=ALICE.address)  # the committee of epoch final + 32 is the first that may vote as the latest
    assert weigh(lab, final + 32) == {
        key: lab.state.get_account(key.address).mined - (50_000 if key == ALICE else 0) for key in (ALICE, BOB)
    }
    assert get_finality(lab).ballots[-1].committee == final
    go_on(lab, lab.height + 2, votes=False)
    assert get_finality(lab).ballots[-1].committee == final + 32


def test_a_committee_that_cannot_reach_a_quorum_seats_nobody() -> None:
    lab = make_final_lab()
    final = get_finality(lab)
    go_on(lab, 60, lambda height: BOB, votes=False)  # most of the mining is bob's, who does not vote
    assert get_finality(lab).ballots[-1].committee == final.finalized.epoch, "one that could when it was chosen can"
    go_on(lab, 2 * (final.finalized.epoch + 33) + 1, lambda height: BOB, votes=False)
    go_on(lab, lab.height + 4, lambda height: BOB, votes=False)
    assert get_finality(lab).ballots == ()
    assert get_voting_committee(lab.state).members == ()


def test_unbonding_begins_with_the_first_committee_without_the_voter() -> None:
    lab = Lab(RULES)
    for key in (ALICE, BOB, CAROL):
        lab.mine(miner=key.address)
    for key in (ALICE, BOB, CAROL):
        register(lab, key)
    go_on(lab, 30, lambda height: (ALICE, BOB, CAROL)[height % 3])
    assert get_finality(lab).finalized.epoch == 13
    lab.mine(lab.sign(CAROL, UnbondVoter()), miner=ALICE.address)
    seen = []
    for _ in range(60):
        go_on(lab, lab.height + 1, lambda height: (ALICE, BOB)[height % 2])
        latest = weigh(lab, get_finality(lab).committees[-1])
        seen.append(latest.get(CAROL, 0))
        voter = lab.state.get_voter(CAROL.address)
        assert voter is not None
        if CAROL not in latest:
            break
        assert voter.leaves_at == 0
        assert get_code(lambda: lab.check(lab.make_block([lab.sign(CAROL, WithdrawBond())]))) == "still-bonded"
    assert 10 < len(seen) < 60, "a third of the committee leaves in some twenty epochs"
    assert seen == sorted(seen, reverse=True)
    assert voter.leaves_at == lab.height + 40 * 2


def test_no_committee_is_listed_that_is_not_stored() -> None:
    lab = make_final_lab()
    go_on(lab, 100, votes=False)
    listed = get_finality(lab).committees
    assert len(listed) <= 35
    assert all(lab.state.get_committee(epoch).members for epoch in listed)
    assert not lab.state.get_committee(listed[0] - 1).members


def test_when_the_latest_votes_and_what_it_may_differ_by() -> None:
    assert is_latest_voting(0, 1)
    assert is_latest_voting(0, 1000)
    assert not is_latest_voting(10, 42)
    assert is_latest_voting(10, 43)
    assert not is_change_limited(0, 5)
    assert is_change_limited(10, 41)
    assert not is_change_limited(10, 42), "this one votes on checkpoint 43"
