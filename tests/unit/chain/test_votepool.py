"""Tests the pool of votes: which it takes, which wait, which are evidence, and the aggregates made of them."""

import msgspec
import pytest

from inos.chain.votepool import KEPT_EPOCHS, MAX_WAITING, Taken, VotePool, is_voter, list_open_ballots
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.transactions import RegisterVoter
from inos.primitives.votes import Checkpoint, Link, Vote, compute_vote_hash
from support.consensus_lab import CHAIN_ID, PEOPLE, Lab
from support.fake_bls import FakeBls, sign_fake
from support.voters import get_bls_key, prove, sign_link

BLS = FakeBls()
WHO = ("alice", "bob", "carol")


@pytest.fixture(scope="module")
def lab() -> Lab:
    """Return three voters of about equal weight; the tip is 17, one above the checkpoint that is voted on."""
    lab = Lab()
    for who in WHO:
        lab.mine(miner=PEOPLE[who].address)
    for who in WHO:
        key = PEOPLE[who]
        lab.mine(lab.sign(key, RegisterVoter(get_bls_key(who), prove(who), 1000)), miner=key.address)
    for _ in range(11):
        lab.mine(miner=PEOPLE[WHO[lab.height % 3]].address)
    assert lab.height == 17
    return lab


def cast(who: str, link: Link) -> Vote:
    key = get_bls_key(who)
    return Vote(link, key, sign_fake(key, compute_vote_hash(CHAIN_ID, link)))


def get_link(lab: Lab) -> Link:
    finality = lab.state.get_finality()
    assert finality is not None
    return finality.ballots[-1].link


def make_link(source: int, target: int, tag: int = 1) -> Link:
    return Link(Checkpoint(source, bytes([tag]) * 32), Checkpoint(target, bytes([tag]) * 32))


def give(pool: VotePool, lab: Lab, vote: Vote) -> Taken:
    return pool.add(vote, pool.check(vote, lab.state, lab.height))


@pytest.fixture
def pool(lab: Lab) -> VotePool:
    return VotePool(lab.params, BLS)


def test_two_thirds_make_an_aggregate_and_less_do_not(lab: Lab, pool: VotePool) -> None:
    link = get_link(lab)
    keys = [member.key for member in lab.state.get_committee(1).members]
    for key in keys[1:]:
        assert give(pool, lab, Vote(link, key, sign_fake(key, compute_vote_hash(CHAIN_ID, link)))) is Taken.NEW
    assert give(pool, lab, Vote(link, keys[1], sign_fake(keys[1], compute_vote_hash(CHAIN_ID, link)))) is Taken.KNOWN
    assert pool.make_aggregate(lab.state) is None, "the two lighter of three"
    give(pool, lab, Vote(link, keys[0], sign_fake(keys[0], compute_vote_hash(CHAIN_ID, link))))
    aggregate = pool.make_aggregate(lab.state)
    assert aggregate is not None
    assert (aggregate.link, aggregate.bits) == (link, b"\7")
    assert BLS.is_aggregate_signed(keys, compute_vote_hash(CHAIN_ID, link), aggregate.signature)
    assert pool.make_aggregate(lab.state) == aggregate


def test_only_ballots_that_can_be_justified_are_open(lab: Lab) -> None:
    opened = list(list_open_ballots(lab.params, lab.state))
    assert [ballot.link.target.epoch for ballot in opened] == [2]
    assert not list(list_open_ballots(lab.params, Lab().state))
    assert not list(list_open_ballots(msgspec.structs.replace(lab.params, finality_start=17), lab.state))


def test_votes_that_lie_are_told_from_votes_that_cannot_be_checked(lab: Lab, pool: VotePool) -> None:
    link = get_link(lab)
    forged = msgspec.structs.replace(cast("alice", link), signature=sign_link("alice", link))
    for vote, code in ((forged, "bad-vote-signature"), (cast("alice", make_link(2, 2)), "bad-link")):
        with pytest.raises(RuleViolation) as caught:
            pool.check(vote, lab.state, lab.height)
        assert caught.value.code == code
    with pytest.raises(NotYet, match="epoch 99"):
        pool.check(cast("alice", make_link(1, 99)), lab.state, lab.height)
    stranger = Vote(link, b"\1" * 48, bytes(96))
    assert not is_voter(lab.state, stranger.key)
    assert give(pool, lab, stranger) is Taken.WAITING
    assert pool.waiting == 1
    assert not pool.take_waiting(lab.state)


def test_a_vote_waits_until_its_voter_is_known(lab: Lab, pool: VotePool) -> None:
    early = Lab()
    vote = cast("bob", make_link(0, 2))
    assert pool.add(vote, pool.check(vote, early.state, 15)) is Taken.WAITING
    assert pool.take_waiting(lab.state) == [vote]
    assert give(pool, lab, vote) is Taken.NEW


def test_the_room_for_waiting_is_bounded(lab: Lab, pool: VotePool) -> None:
    link = get_link(lab)
    strangers = [Vote(link, n.to_bytes(48, "big"), bytes(96)) for n in range(MAX_WAITING + 10)]
    for vote in strangers:
        give(pool, lab, vote)
    assert pool.waiting == MAX_WAITING
    assert not pool.has(strangers[0])
    assert pool.has(strangers[-1])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (make_link(0, 2, 1), make_link(0, 2, 2)),
        (make_link(1, 2), make_link(0, 3)),
        (make_link(0, 3), make_link(1, 2)),
    ],
    ids=["double", "surrounding", "surrounded"],
)
def test_conflicting_votes_are_evidence_once(lab: Lab, pool: VotePool, first: Link, second: Link) -> None:
    assert give(pool, lab, cast("alice", first)) is Taken.NEW
    assert give(pool, lab, cast("bob", first)) is Taken.NEW
    assert give(pool, lab, cast("alice", second)) is Taken.CAUGHT
    assert give(pool, lab, cast("alice", make_link(2, 4, 3))) is Taken.KNOWN
    (evidence,) = pool.get_evidence()
    assert {evidence.first.link, evidence.second.link} == {first, second}
    assert pool.list_votes(0, 10)[:2] == [evidence.first, evidence.second], "what matters most goes first"


def test_old_epochs_are_forgotten(lab: Lab, pool: VotePool) -> None:
    for epoch in (2, 3):
        give(pool, lab, cast("alice", make_link(1, epoch)))
    pool.forget_below(8 * (KEPT_EPOCHS + 3))
    assert [vote.link.target.epoch for vote in pool.list_votes(0, 10)] == [3]
    assert len(pool) == 1
    assert [vote.link.target.epoch for vote in pool.get_latest(get_bls_key("alice"))] == [3]
