"""What holds of votes, committees and links whatever they are."""

from hypothesis import given
from hypothesis import strategies as st

from inos.consensus.finality import compute_epoch, compute_height, is_checkpoint, is_supermajority
from inos.consensus.finality.aggregates import apply_link
from inos.consensus.finality.committee import make_committee
from inos.consensus.records import Committee, Finality, Member
from inos.primitives.codec import decode, encode
from inos.primitives.votes import (
    Aggregate,
    Checkpoint,
    Link,
    Vote,
    is_slashable,
    list_members,
    make_bits,
)
from support.consensus_lab import PARAMS

EPOCHS = st.integers(0, 6)
CHECKPOINTS = st.builds(Checkpoint, EPOCHS, st.sampled_from([b"\1" * 32, b"\2" * 32]))
LINKS = st.builds(Link, CHECKPOINTS, CHECKPOINTS)
MEMBERS = st.lists(
    st.builds(Member, st.binary(min_size=20, max_size=20), st.just(b"\1" * 48), st.integers(0, 4)),
    max_size=150,
    unique_by=lambda member: member.address,
)


@given(LINKS, LINKS)
def test_slashable_is_what_the_two_commandments_say(a: Link, b: Link) -> None:
    double = a.target.epoch == b.target.epoch and a != b
    nested = (
        a.source.epoch < b.source.epoch < b.target.epoch < a.target.epoch
        or b.source.epoch < a.source.epoch < a.target.epoch < b.target.epoch
    )
    if a.source.epoch < a.target.epoch and b.source.epoch < b.target.epoch:
        assert is_slashable(a, b) == (double or nested)
    assert is_slashable(a, b) == is_slashable(b, a)
    assert not is_slashable(a, a)


@given(MEMBERS, st.randoms(use_true_random=False))
def test_committee_is_the_heaviest_in_one_order(members: list[Member], draw: object) -> None:
    shuffled = list(members)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    committee = make_committee(members)
    assert make_committee(shuffled) == committee
    assert len(committee.members) == min(128, sum(1 for member in members if member.weight))
    chosen = {member.address for member in committee.members}
    least = min((member.weight for member in committee.members), default=0)
    assert all(member.weight <= least for member in members if member.address not in chosen)
    pairs = list(zip(committee.members, committee.members[1:], strict=False))
    assert all(a.weight > b.weight or (a.weight == b.weight and a.address < b.address) for a, b in pairs)


@given(MEMBERS, st.data())
def test_two_supermajorities_share_a_third(members: list[Member], data: st.DataObject) -> None:
    committee = make_committee(members)
    places = st.sets(st.sampled_from(range(len(committee.members)))) if committee.members else st.just(set())
    a, b = data.draw(places), data.draw(places)
    if is_supermajority(committee, a) and is_supermajority(committee, b):
        whole = sum(member.weight for member in committee.members)
        assert 3 * sum(committee.members[place].weight for place in a & b) > whole


@given(st.sets(st.integers(0, 127)), st.integers(0, 128))
def test_bitmap_and_members_are_each_others_inverse(members: set[int], count: int) -> None:
    count = max(count, max(members, default=-1) + 1)
    bits = make_bits(members, count)
    assert len(bits) == -(-count // 8)
    assert list_members(bits) == sorted(members)


@given(st.lists(st.tuples(EPOCHS, EPOCHS)))
def test_finality_never_goes_back(links: list[tuple[int, int]]) -> None:
    state = Finality(Checkpoint(0, bytes(32)), Checkpoint(0, bytes(32)))
    for source, target in links:
        if source != state.justified.epoch or target <= source:
            continue
        after = apply_link(state, Link(state.justified, Checkpoint(target, bytes([target]) * 32)))
        assert after.justified.epoch > state.justified.epoch
        assert after.finalized.epoch >= state.finalized.epoch
        assert after.finalized.epoch < after.justified.epoch
        state = after


@given(st.integers(0, 1000))
def test_epochs_and_heights(height: int) -> None:
    epoch = compute_epoch(PARAMS, height)
    assert compute_height(PARAMS, epoch) >= height > compute_height(PARAMS, epoch) - 8
    assert is_checkpoint(PARAMS, height) == (compute_height(PARAMS, epoch) == height)


@given(LINKS, st.binary(max_size=16), st.binary(min_size=96, max_size=96), st.binary(min_size=48, max_size=48))
def test_votes_and_aggregates_survive_the_codec(link: Link, bits: bytes, signature: bytes, key: bytes) -> None:
    for value in (
        Aggregate(link, bits, signature),
        Vote(link, key, signature),
        Committee((Member(bytes(20), key, 5),)),
    ):
        assert decode(type(value), encode(value), limit=512) == value
