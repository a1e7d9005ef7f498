"""Properties of votes, committees and links that hold for all of them."""

import random

from hypothesis import given
from hypothesis import strategies as st

from inos.consensus.finality import (
    can_reach_quorum,
    compute_epoch,
    compute_height,
    compute_passed_epoch,
    is_checkpoint,
    is_quorum,
)
from inos.consensus.finality.aggregates import apply_link
from inos.consensus.finality.committee import Candidate, limit_changes, make_committee
from inos.consensus.records import Committee, Finality, Member, Voter
from inos.primitives.codec import decode, encode
from inos.primitives.units import Address, Nano
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
    st.builds(
        Member,
        st.binary(min_size=20, max_size=20),
        st.just(b"\1" * 48),
        st.integers(0, 4),
        st.just(4),
    ),
    max_size=150,
    unique_by=lambda member: member.address,
)
MINED = st.integers(0, 2000)
"""What the network mined, compared with committees that weigh some hundreds."""


@st.composite
def draw_candidates(draw: st.DrawFn) -> tuple[list[Candidate], dict[bytes, Member]]:
    """Draw voters as the rules can produce them, and the committee before with its figures brought up to date."""
    candidates, kept = [], {}
    for number in range(draw(st.integers(0, 8))):
        key, address = bytes([number]) * 48, Address(bytes([number]) * 20)
        before, since = draw(st.integers(0, 30)), draw(st.integers(0, 10))
        bond = draw(st.integers(1, 40))
        voter = Voter(key, bond, draw(st.integers(0, 3)), is_leaving=draw(st.booleans()))
        wanted = 0 if voter.is_leaving else min(before + since, bond)
        candidates.append(Candidate(address, voter, Nano(before + since), wanted))
        if before and draw(st.booleans()):
            kept[key] = Member(address, key, draw(st.integers(1, before)), before)
    return candidates, kept


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


@given(MEMBERS, MINED, st.randoms(use_true_random=False))
def test_committee_is_the_heaviest_in_one_order(members: list[Member], mined: int, draw: random.Random) -> None:
    shuffled = list(members)
    draw.shuffle(shuffled)
    committee = make_committee(members, mined)
    assert make_committee(shuffled, mined) == committee
    assert len(committee.members) == min(512, sum(1 for member in members if member.weight))
    assert committee.mined == (mined if committee.members else 0)
    chosen = {member.address for member in committee.members}
    least = min((member.weight for member in committee.members), default=0)
    assert all(member.weight <= least for member in members if member.address not in chosen)
    pairs = list(zip(committee.members, committee.members[1:], strict=False))
    assert all(a.weight > b.weight or (a.weight == b.weight and a.address < b.address) for a, b in pairs)


@given(MEMBERS, MINED, st.data())
def test_a_quorum_is_what_the_rule_says_and_two_of_them_share_a_quarter_of_mining(
    members: list[Member], mined: int, data: st.DataObject
) -> None:
    committee = make_committee(members, mined)
    places = st.sets(st.sampled_from(range(len(committee.members)))) if committee.members else st.just(set())
    a, b = data.draw(places), data.draw(places)
    whole = sum(member.weight for member in committee.members)
    for chosen in (a, b):
        weight = sum(committee.members[place].weight for place in chosen)
        assert is_quorum(committee, chosen) == (6 * weight > max(4 * whole, 3 * mined)) or not committee.members
    assert can_reach_quorum(committee) == (2 * whole > mined and whole > 0)
    if is_quorum(committee, a) and is_quorum(committee, b):
        shared = sum(committee.members[place].weight for place in a & b)
        assert 3 * shared > whole
        assert 4 * shared > committee.mined or whole > committee.mined


@given(draw_candidates(), st.integers(0, 60))
def test_changes_beyond_what_was_mined_have_little_room(
    drawn: tuple[list[Candidate], dict[bytes, Member]], room: int
) -> None:
    candidates, kept = drawn
    weights = limit_changes(candidates, kept, room)
    changed = stopped = 0
    for each in sorted(candidates, key=lambda each: (each.voter.changed_at, each.address)):
        member, weight = kept.get(each.voter.key), weights[each.address]
        before, since = (member.weight, each.mined - member.mined) if member else (0, 0)
        free = max(before, min(each.wanted, before + since))
        assert before <= free <= before + since
        assert min(free, each.wanted) <= weight <= max(free, each.wanted)
        changed += abs(weight - free)
        assert not stopped or weight == free, "a change before this one was cut off"
        stopped += weight != each.wanted
    assert changed <= room
    assert not stopped or changed == room


@given(draw_candidates())
def test_with_room_enough_everything_wanted_is_taken_over(
    drawn: tuple[list[Candidate], dict[bytes, Member]],
) -> None:
    candidates, kept = drawn
    assert limit_changes(candidates, kept, 10**6) == {each.address: each.wanted for each in candidates}


@given(st.sets(st.integers(0, 511)), st.integers(0, 512))
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
    assert compute_passed_epoch(PARAMS, height) == (epoch if is_checkpoint(PARAMS, height) else epoch - 1)


@given(LINKS, st.binary(max_size=64), st.binary(min_size=96, max_size=96), st.binary(min_size=48, max_size=48))
def test_votes_and_aggregates_survive_the_codec(link: Link, bits: bytes, signature: bytes, key: bytes) -> None:
    for value in (
        Aggregate(link, bits, signature),
        Vote(link, key, signature),
        Committee((Member(bytes(20), key, 5, 7),), 9),
    ):
        assert decode(type(value), encode(value), limit=512) == value
