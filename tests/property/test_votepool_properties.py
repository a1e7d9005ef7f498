"""Compare the pool of votes with the two slashing rules for every pair of votes, in any order of arrival."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from inos.chain.votepool import Taken, VotePool
from inos.primitives.votes import Checkpoint, Link, Vote, is_slashable
from support.consensus_lab import PARAMS
from support.fake_bls import FakeBls

EPOCHS = st.integers(0, 6)
CHECKPOINTS = st.builds(Checkpoint, EPOCHS, st.sampled_from([b"\1" * 32, b"\2" * 32]))
LINKS = st.builds(Link, CHECKPOINTS, CHECKPOINTS).filter(lambda link: link.source.epoch < link.target.epoch)
VOTES = st.builds(Vote, LINKS, st.sampled_from([b"a" * 48, b"b" * 48]), st.just(bytes(96)))


@settings(max_examples=200)
@given(st.lists(VOTES, max_size=12))
def test_a_key_is_caught_exactly_where_two_of_its_votes_conflict(votes: list[Vote]) -> None:
    pool = VotePool(PARAMS, FakeBls())
    for vote in votes:
        assert pool.add(vote, Taken.NEW) in (Taken.NEW, Taken.CAUGHT, Taken.KNOWN)
        assert pool.has(vote)
    caught = {each.first.key: each for each in pool.get_evidence()}
    for key in {vote.key for vote in votes}:
        own = [vote for vote in votes if vote.key == key]
        assert (key in caught) == any(is_slashable(a.link, b.link) for a, b in combinations(own, 2))
        kept = pool.get_latest(key)
        assert not any(is_slashable(a.link, b.link) for a, b in combinations(kept, 2))
        assert {vote.link.target.epoch for vote in kept} <= {vote.link.target.epoch for vote in own}
    for evidence in caught.values():
        assert evidence.first.key == evidence.second.key
        assert is_slashable(evidence.first.link, evidence.second.link)
        assert {evidence.first, evidence.second} <= set(votes)
    assert set(pool.list_votes(0, 1000)) <= set(votes)
    assert len(pool) == sum(len(pool.get_latest(key)) for key in {vote.key for vote in votes})
