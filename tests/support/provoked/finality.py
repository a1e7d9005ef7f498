"""Voters' transactions, votes, aggregates, finality proofs and parts of a state that are refused."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import replace

from inos.chain.votepool import VotePool
from inos.consensus.codes import Code
from inos.consensus.finality.trust import Step, begin_trust, follow_step
from inos.consensus.records import VOTER_COUNT_KEY, StateKey, VoterCount
from inos.consensus.stateranges import ROOT, Records, StateRange, check_range
from inos.consensus.statetree import StateProof, compute_path, compute_state_root
from inos.primitives.blocks import compute_block_id
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.transactions import RegisterVoter, ReportVoter, UnbondVoter, WithdrawBond
from inos.primitives.units import StateRoot
from inos.primitives.votes import Checkpoint, Link, SignedLink, Vote
from support.chain_maker import EASY, feed
from support.consensus_lab import ALICE, BOB, Lab
from support.final_chain import make_voted_branch
from support.provoked.registry import do, mine, provokes
from support.voters import get_bls_key, make_aggregate, prove, sign_link

# Voters


def register(who: str, owner: str = "", proof: str = "") -> RegisterVoter:
    """Register the key of `who` for the account of `owner`, by default its own."""
    return RegisterVoter(get_bls_key(who), prove(proof or who, owner or who), 1000)


def make_miners() -> Lab:
    """Let Alice and Bob find a block each."""
    lab = Lab()
    for who in (ALICE, BOB):
        mine(lab, miner=who.address)
    return lab


def make_voter() -> Lab:
    """Make Alice a voter."""
    lab = make_miners()
    do(lab, ALICE, register("alice"))
    return lab


@provokes(Code.NOTHING_MINED)
def register_without_a_block() -> None:
    do(Lab(), ALICE, register("alice"))


@provokes(Code.BAD_PROOF_OF_POSSESSION)
def register_a_key_with_the_proof_of_another() -> None:
    do(make_miners(), ALICE, register("alice", proof="bob"))


@provokes(Code.ALREADY_A_VOTER)
def register_twice() -> None:
    do(make_voter(), ALICE, register("bob", owner="alice"))


@provokes(Code.KEY_ALREADY_USED)
def register_the_key_of_another() -> None:
    do(make_voter(), BOB, register("alice", owner="bob"))


@provokes(Code.TOO_MANY_VOTERS)
def register_one_voter_too_many() -> None:
    lab = make_miners()
    lab.records.all[VOTER_COUNT_KEY] = encode(VoterCount(lab.params.max_voters))
    do(lab, ALICE, register("alice"))


@provokes(Code.NOT_A_VOTER)
def unbond_without_a_bond() -> None:
    do(Lab(), ALICE, UnbondVoter())


@provokes(Code.ALREADY_LEAVING)
def unbond_twice() -> None:
    lab = make_voter()
    do(lab, ALICE, UnbondVoter())
    do(lab, ALICE, UnbondVoter())


@provokes(Code.STILL_BONDED)
def withdraw_before_unbonding() -> None:
    do(make_voter(), ALICE, WithdrawBond())


# Evidence and votes


def make_link(source: int, target: int, tag: int = 1) -> Link:
    return Link(Checkpoint(source, bytes([tag]) * 32), Checkpoint(target, bytes([tag]) * 32))


def report(first: Link, second: Link, signer: str = "alice") -> ReportVoter:
    return ReportVoter(get_bls_key("alice"), *(SignedLink(link, sign_link(signer, link)) for link in (first, second)))


@provokes(Code.NOT_SLASHABLE)
def report_two_votes_that_agree() -> None:
    do(make_voter(), BOB, report(make_link(0, 1), make_link(1, 2)))


@provokes(Code.BAD_VOTE_SIGNATURE)
def report_votes_of_another_key() -> None:
    do(make_voter(), BOB, report(make_link(0, 1), make_link(0, 1, tag=2), signer="bob"))


@provokes(Code.UNKNOWN_VOTER)
def report_a_key_without_a_bond() -> None:
    do(Lab(), BOB, report(make_link(0, 1), make_link(0, 1, tag=2)))


@provokes(Code.BAD_LINK)
def vote_backwards() -> None:
    link = make_link(2, 2)
    VotePool(EASY, get_bls()).check(Vote(link, get_bls_key("alice"), sign_link("alice", link)), Lab().state, 20)


# Aggregates in blocks


def make_committee() -> Lab:
    """Add the block after checkpoint 2, on which Alice votes alone."""
    lab = make_voter()
    for _ in range(5):
        mine(lab, miner=ALICE.address)
    lab.mine_until(17)
    return lab


def vote(people: Sequence[str] = ("alice",), link: Callable[[Link], Link] | None = None, **changes: Any) -> None:
    lab = make_committee()
    finality = lab.state.get_finality()
    assert finality is not None
    ballot = finality.ballots[-1].link
    aggregate = make_aggregate(lab.state, people, link=None if link is None else link(ballot))
    mine(lab, aggregate=replace(aggregate, **changes))


@provokes(Code.BEFORE_FINALITY_START)
def vote_on_a_young_chain() -> None:
    lab = make_committee()
    lab.params = replace(lab.params, finality_start=17)
    mine(lab, aggregate=make_aggregate(lab.state, ["alice"]))


@provokes(Code.UNKNOWN_TARGET)
def vote_for_a_checkpoint_elsewhere() -> None:
    vote(link=lambda ballot: replace(ballot, target=Checkpoint(ballot.target.epoch, bytes(32))))


@provokes(Code.BAD_BITMAP)
def vote_by_nobody() -> None:
    vote(bits=b"\0")


@provokes(Code.BAD_AGGREGATE)
def vote_with_a_broken_signature() -> None:
    vote(signature=b"\xc0" + bytes(95))


@provokes(Code.ALREADY_JUSTIFIED)
def vote_for_a_justified_checkpoint() -> None:
    lab = make_committee()
    aggregate = make_aggregate(lab.state, ["alice"])
    mine(lab, aggregate=aggregate)
    mine(lab, aggregate=aggregate)


@provokes(Code.TOO_LITTLE_WEIGHT)
def vote_by_a_third_of_the_weight() -> None:
    lab = make_miners()
    mine(lab, lab.sign(ALICE, register("alice")), lab.sign(BOB, register("bob")), miner=ALICE.address)
    for who in (BOB, ALICE, BOB):
        mine(lab, miner=who.address)
    lab.mine_until(17)
    mine(lab, aggregate=make_aggregate(lab.state, ["alice"]))


# Finality proofs


@cache
def make_steps() -> tuple[Step, ...]:
    """Return steps of a chain that finalized four epochs."""
    branch = make_voted_branch(5)
    with TemporaryDirectory() as folder:
        ledger = branch.open_ledger(Path(folder))
        feed(ledger, branch.blocks)
        steps = tuple(ledger.view.list_steps(1, 100))
        ledger.close()
    return steps


def follow(lie: Callable[[Step], Step] = lambda step: step, *, is_best: bool = True) -> None:
    """Follow all steps but the last truthfully, then the last one as `lie` changes it; or the first one without
    work.
    """
    genesis = make_voted_branch(0).genesis.header
    trust = begin_trust(compute_block_id(genesis), StateRoot(genesis.state_root))
    *first, last = make_steps()
    for step in (*first, lie(last)):
        trust = follow_step(EASY, trust, step, get_bls(), lambda block: is_best)


@provokes(Code.WRONG_SOURCE)
def prove_from_another_source() -> None:
    def lie(step: Step) -> Step:
        link = replace(step.aggregate.link, source=Checkpoint(1, bytes(32)))
        return replace(step, aggregate=replace(step.aggregate, link=link))

    follow(lie)


@provokes(Code.WRONG_STEP)
def prove_by_another_header() -> None:
    follow(lambda step: replace(step, header=replace(step.header, nonce=step.header.nonce + 1)))


@provokes(Code.WRONG_COMMITTEE)
def prove_by_an_older_committee() -> None:
    follow(lambda step: replace(step, committee_epoch=step.committee_epoch - 1))


@provokes(Code.BAD_STATE_PROOF)
def prove_by_a_committee_that_is_not_in_the_state() -> None:
    follow(lambda step: replace(step, committee_proof=StateProof()))


@provokes(Code.WORK_UNKNOWN)
def prove_by_work_that_is_not_here() -> None:
    follow(is_best=False)


# Parts of a state


def make_state() -> dict[StateKey, bytes]:
    return {StateKey(bytes([number]) * 21): bytes([number]) for number in range(1, 5)}


def make_content(records: dict[StateKey, bytes]) -> Records:
    return Records(tuple(sorted(records.items(), key=lambda item: compute_path(item[0]))))


@provokes(Code.BAD_RANGE_PROOF)
def send_a_state_with_a_record_left_out() -> None:
    records = make_state()
    root = compute_state_root(records)
    records.popitem()
    check_range(root, ROOT, StateRange((), make_content(records)))


@provokes(Code.RANGE_OUT_OF_PLACE)
def send_records_in_another_order() -> None:
    records = make_state()
    backwards = Records(make_content(records).records[::-1])
    check_range(compute_state_root(records), ROOT, StateRange((), backwards))
