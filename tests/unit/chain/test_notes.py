"""Tests finality that is followed by steps from a ledger, without executing a block: which steps are accepted."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from inos.chain import schema
from inos.chain.ledger import Ledger
from inos.consensus.finality.trust import Step, Trust, begin_trust, begin_trust_at, follow_step
from inos.consensus.records import Committee
from inos.consensus.statetree import StateProof
from inos.primitives.blocks import compute_block_id
from inos.primitives.bls import get_bls
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.units import BlockId, StateRoot
from inos.primitives.votes import Checkpoint
from support.chain_maker import EASY, Branch, feed
from support.consensus_lab import PEOPLE
from support.final_chain import VOTERS, begin_voting, grow_voted, make_voted_branch
from support.voters import make_aggregate


@pytest.fixture(scope="module")
def branch() -> Branch:
    return make_voted_branch(6)


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    ledger = branch.open_ledger(tmp_path / "chain")
    feed(ledger, branch.blocks)
    yield ledger
    ledger.close()


def begin(branch: Branch) -> Trust:
    header = branch.genesis.header
    return begin_trust(compute_block_id(header), StateRoot(header.state_root))


def follow(trust: Trust, steps: list[Step], is_best: Callable[[BlockId], bool] = lambda id: True) -> Trust:
    for step in steps:
        trust = follow_step(EASY, trust, step, get_bls(), is_best)
    return trust


def test_steps_lead_to_what_the_state_says(branch: Branch, ledger: Ledger) -> None:
    steps = ledger.view.list_steps(1, 100)
    trust = follow(begin(branch), steps, ledger.view.is_on_best_chain)
    finality = ledger.view.state.get_finality()
    assert finality is not None
    assert finality.finalized.epoch == 5
    assert (trust.justified, trust.finalized) == (finality.justified, finality.finalized)
    assert [step.aggregate.link.target.epoch for step in ledger.view.list_steps(4, 2)] == [4, 5]


def test_steps_from_a_named_checkpoint(branch: Branch, ledger: Ledger) -> None:
    steps = ledger.view.list_steps(1, 100)
    target = steps[2].aggregate.link.target
    trust = begin_trust_at(EASY, target, steps[2])
    assert trust == follow(begin(branch), steps[:3])
    assert follow(trust, steps[3:]) == follow(begin(branch), steps)
    with pytest.raises(RuleViolation, match="not that of"):
        begin_trust_at(EASY, replace(target, epoch=target.epoch + 1), steps[2])


LIES: dict[str, tuple[Callable[[Step], Step], str]] = {
    "another committee": (
        lambda s: replace(s, committee=Committee(s.committee.members[:1], s.committee.mined)),
        "bad-state-proof",
    ),
    "less mined by the network": (
        lambda s: replace(s, committee=replace(s.committee, mined=s.committee.mined - 1)),
        "bad-state-proof",
    ),
    "its proof": (lambda s: replace(s, committee_proof=StateProof()), "bad-state-proof"),
    "an older committee": (lambda s: replace(s, committee_epoch=s.committee_epoch - 1), "wrong-committee"),
    "another target": (
        lambda s: replace(s, header=replace(s.header, nonce=s.header.nonce + 1)),
        "wrong-step",
    ),
    "the signature": (
        lambda s: replace(s, aggregate=replace(s.aggregate, signature=bytes(96))),
        "bad-aggregate",
    ),
    "fewer voters": (lambda s: replace(s, aggregate=replace(s.aggregate, bits=b"\1")), "too-little-weight"),
    "another source": (
        lambda s: replace(
            s, aggregate=replace(s.aggregate, link=replace(s.aggregate.link, source=Checkpoint(1, bytes(32))))
        ),
        "wrong-source",
    ),
    "the record of finality": (lambda s: replace(s, finality_proof=StateProof()), "bad-state-proof"),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_refused(name: str, branch: Branch, ledger: Ledger) -> None:
    lie, code = LIES[name]
    steps = ledger.view.list_steps(1, 100)
    trust = follow(begin(branch), steps[:-1])
    with pytest.raises(RuleViolation) as caught:
        follow(trust, [lie(steps[-1])])
    assert caught.value.code == code


def test_first_committee_is_vouched_for_by_work_alone(branch: Branch, ledger: Ledger) -> None:
    steps = ledger.view.list_steps(1, 100)
    with pytest.raises(NotYet, match="best chain"):
        follow(begin(branch), steps, lambda id: False)
    # Once something is final, work says nothing any more.
    trust = follow(begin(branch), steps[:3])
    assert trust.finalized.epoch > 0
    follow(trust, steps[3:], lambda id: False)


def test_steps_below_the_height_at_which_voting_begins_are_refused(branch: Branch, ledger: Ledger) -> None:
    late = replace(EASY, finality_start=17)
    (first, *_) = ledger.view.list_steps(1, 100)
    with pytest.raises(RuleViolation) as caught:
        follow_step(late, begin(branch), first, get_bls(), lambda id: True)
    assert caught.value.code == "before-finality-start"


def test_after_a_stall_work_vouches_for_the_committee_again(tmp_path: Path) -> None:
    stalled = Branch(replace(EASY, epoch_blocks=2, finality_start=2))
    begin_voting(stalled)
    grow_voted(stalled, 10)
    for number in range(2 * 33):
        stalled.grow(miner=PEOPLE[VOTERS[number % 3]].address)
    grow_voted(stalled, 9)
    ledger = stalled.open_ledger(tmp_path / "stalled")
    feed(ledger, stalled.blocks)
    steps = ledger.view.list_steps(1, 100)
    ledger.close()
    gap = next(number for number, step in enumerate(steps) if step.committee_epoch > 10)
    assert steps[gap].committee_epoch == steps[gap].aggregate.link.target.epoch - 1
    trust = begin(stalled)
    for step in steps[:gap]:
        trust = follow_step(stalled.params, trust, step, get_bls(), lambda id: True)
    with pytest.raises(NotYet, match="best chain"):
        follow_step(stalled.params, trust, steps[gap], get_bls(), lambda id: False)
    for step in steps[gap:]:
        trust = follow_step(stalled.params, trust, step, get_bls(), lambda id: True)
    finality = stalled.state.get_finality()
    assert finality is not None
    assert (trust.justified, trust.finalized) == (finality.justified, finality.finalized)
    assert trust.finalized.epoch > steps[gap].committee_epoch


@pytest.mark.parametrize("late", [0, 1, 2])
def test_votes_that_come_late_are_followed(late: int, tmp_path: Path) -> None:
    """Votes come with the block above the next checkpoint, in time for its ballot, or later, which voids it."""
    branch = make_voted_branch(4)
    while branch.height < 6 * EASY.epoch_blocks + late:
        branch.grow(miner=PEOPLE[VOTERS[branch.height % 3]].address)
    ballot = -1 if late == 0 else 0
    votes = make_aggregate(branch.state, VOTERS, ballot)
    branch.grow(miner=PEOPLE["alice"].address, aggregate=votes)
    assert votes.link.target.epoch == 5
    grow_voted(branch, 4 * EASY.epoch_blocks)
    ledger = branch.open_ledger(tmp_path / "late")
    feed(ledger, branch.blocks)
    steps = ledger.view.list_steps(1, 100)
    ledger.close()
    trust, finality = follow(begin(branch), steps), branch.state.get_finality()
    assert finality is not None
    assert (trust.justified, trust.finalized) == (finality.justified, finality.finalized)
    assert [step.aggregate.link.target.epoch for step in steps].count(6) == (late == 0)
    for number, step in enumerate(steps):
        trust = begin_trust_at(EASY, step.aggregate.link.target, step)
        assert trust == follow(begin(branch), steps[: number + 1])


def test_left_out_step_is_seen(branch: Branch, ledger: Ledger) -> None:
    steps = ledger.view.list_steps(1, 100)
    with pytest.raises(RuleViolation, match="source"):
        follow(begin(branch), [steps[0], *steps[2:]])


def test_nothing_is_noted_where_nobody_votes(tmp_path: Path) -> None:
    quiet = Branch(EASY)
    quiet.grow_by(20)
    ledger = quiet.open_ledger(tmp_path / "quiet")
    feed(ledger, quiet.blocks)
    assert ledger.view.list_steps(1, 10) == []
    ledger.close()


def test_step_whose_aggregate_was_undone_is_told_no_more(branch: Branch, tmp_path: Path) -> None:
    short = branch.fork(back=len(branch.blocks) - (3 * EASY.epoch_blocks + 2))
    other = short.fork(back=1)
    other.grow_by(2, nonce=5)
    ledger = short.open_ledger(tmp_path / "undone")
    feed(ledger, short.blocks)
    assert [step.aggregate.link.target.epoch for step in ledger.view.list_steps(3, 9)] == [3]
    feed(ledger, other.blocks[-2:])
    assert ledger.view.tip.id == other.tip_id
    assert ledger.view.list_steps(3, 9) == []
    ledger.close()


def test_steps_have_no_gaps(branch: Branch, ledger: Ledger) -> None:
    steps = ledger.view.list_steps(1, 100)
    third = BlockId(steps[2].aggregate.link.target.id)
    ledger._db.write({schema.note_key(third): None})
    assert ledger.view.list_steps(1, 100) == steps[:2]
    later = ledger.view.list_steps(steps[2].aggregate.link.target.epoch, 100)
    assert later == [], "the asker could not follow them"
