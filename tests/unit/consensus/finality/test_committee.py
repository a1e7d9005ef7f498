"""Tests the choice of committees: weights, the order, and how much may change from one to the next."""

from msgspec.structs import replace

from inos.consensus.finality.committee import Before, choose_committee
from inos.consensus.records import (
    NETWORK_MINED_KEY,
    Account,
    Committee,
    NetworkMined,
    StateKey,
    Voter,
    account_key,
    voter_key,
)
from inos.consensus.state import StateView
from inos.primitives.codec import encode
from inos.primitives.units import Address, Height
from support.consensus_lab import PARAMS, Records

HEIGHT = Height(80)
RULES = replace(PARAMS, bond_leverage=10, reputation_half_life=100)
NETWORK = 64_000
"""A 64th of this, 1000, may change."""
ROOM = 1000


def address(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))


def key(number: int) -> bytes:
    return number.to_bytes(48, "big")


class Chain:
    """Voters by number, and what they mined."""

    def __init__(self) -> None:
        self.records: dict[StateKey, bytes] = {NETWORK_MINED_KEY: encode(NetworkMined(NETWORK, HEIGHT))}

    def put(self, number: int, mined: int, bond: int, *, changed_at: int = 1, is_leaving: bool = False) -> None:
        self.records[account_key(address(number))] = encode(Account(mined=mined, mined_height=HEIGHT, bonded=bond))
        self.records[voter_key(address(number))] = encode(Voter(key(number), bond, changed_at, is_leaving))

    def drop(self, number: int) -> None:
        del self.records[voter_key(address(number))]

    def choose(self, before: Committee | None = None, height: int = HEIGHT, since: int = HEIGHT) -> Committee:
        state = StateView(Records(self.records))
        limit = None if before is None else Before(before, Height(since))
        return choose_committee(RULES, state, Height(height), state.iterate_voters(), limit)


def weigh(committee: Committee) -> dict[int, int]:
    return {int.from_bytes(member.address, "big"): member.weight for member in committee.members}


def test_a_voter_weighs_what_it_mined_as_far_as_its_bond_reaches() -> None:
    chain = Chain()
    chain.put(1, mined=500, bond=1000)
    chain.put(2, mined=500_000, bond=100)
    chain.put(3, mined=0, bond=1000)
    chain.put(4, mined=500, bond=1000, is_leaving=True)
    committee = chain.choose()
    assert weigh(committee) == {2: 1000, 1: 500}
    assert list(weigh(committee)) == [2, 1]
    assert committee.mined == NETWORK


def test_figures_are_those_of_the_checkpoints_height() -> None:
    chain = Chain()
    chain.put(1, mined=501, bond=1000)
    committee = chain.choose(height=200)  # two half-lives on
    assert weigh(committee) == {1: 125}
    assert committee.mined == NETWORK // 4


def test_of_equals_the_lower_address_has_a_seat() -> None:
    chain = Chain()
    for number in range(1, 516):
        chain.put(number, mined=10 if number > 3 else 9, bond=1000)
    chosen = list(weigh(chain.choose()))
    assert chosen == list(range(4, 516))


def test_an_entry_is_taken_over_bit_by_bit_and_mining_counts_at_once() -> None:
    chain = Chain()
    chain.put(1, mined=20_000, bond=10_000)
    first = chain.choose()
    chain.put(2, mined=2500, bond=10_000, changed_at=2)
    chain.put(1, mined=20_700, bond=10_000)
    second = chain.choose(first)
    assert weigh(second) == {1: 20_700, 2: ROOM}
    chain.put(2, mined=2600, bond=10_000, changed_at=2)
    third = chain.choose(second)
    assert weigh(third) == {1: 20_700, 2: ROOM + 100 + ROOM}
    assert weigh(chain.choose(third)) == {1: 20_700, 2: 2600}


def test_changes_wait_in_the_order_of_the_last_order_then_of_the_address() -> None:
    chain = Chain()
    chain.put(9, mined=20_000, bond=10_000)
    first = chain.choose()
    chain.put(1, mined=800, bond=1000, changed_at=30)
    chain.put(2, mined=800, bond=1000, changed_at=20)
    chain.put(3, mined=800, bond=1000, changed_at=20)
    second = chain.choose(first)
    assert weigh(second) == {9: 20_000, 2: 800, 3: 200}
    assert weigh(chain.choose(second)) == {9: 20_000, 2: 800, 3: 800, 1: 400}


def test_exits_and_entries_share_the_room() -> None:
    chain = Chain()
    chain.put(1, mined=20_000, bond=10_000)
    chain.put(2, mined=700, bond=10_000)
    first = chain.choose()
    chain.put(2, mined=900, bond=10_000, changed_at=40, is_leaving=True)
    chain.put(3, mined=5000, bond=10_000, changed_at=41)
    assert weigh(chain.choose(first)) == {1: 20_000, 3: 300}


def test_a_large_voter_leaves_bit_by_bit_and_gains_nothing_meanwhile() -> None:
    chain = Chain()
    chain.put(1, mined=20_000, bond=10_000)
    chain.put(2, mined=2100, bond=10_000)
    committee = chain.choose()
    chain.put(2, mined=2800, bond=10_000, changed_at=40, is_leaving=True)
    for left in (1100, 100):
        committee = chain.choose(committee)
        assert weigh(committee)[2] == left
    assert 2 not in weigh(chain.choose(committee))


def test_a_raised_bond_moves_little_and_what_is_mined_under_it_moves_at_once() -> None:
    chain = Chain()
    chain.put(1, mined=20_000, bond=100)
    first = chain.choose()
    assert weigh(first) == {1: 1000}
    chain.put(1, mined=20_300, bond=10_000, changed_at=50)
    assert weigh(chain.choose(first)) == {1: 1000 + 300 + ROOM}


def test_halving_halves_what_a_member_weighed_before() -> None:
    chain = Chain()
    chain.put(1, mined=20_000, bond=100)  # a bond that bears 1000 of them
    chain.put(2, mined=1000, bond=1000)
    first = chain.choose()
    after = chain.choose(first, height=100, since=HEIGHT)
    assert weigh(after) == {1: 500 + ROOM // 2, 2: 500}


def test_a_slashed_member_is_gone_at_once_and_uses_no_room() -> None:
    chain = Chain()
    chain.put(1, mined=20_000, bond=10_000)
    chain.put(2, mined=9000, bond=10_000)
    first = chain.choose()
    chain.drop(2)
    chain.put(3, mined=800, bond=1000, changed_at=9)
    assert weigh(chain.choose(first)) == {1: 20_000, 3: 800}


def test_an_account_with_another_key_is_not_the_member_it_was() -> None:
    chain = Chain()
    chain.put(1, mined=20_000, bond=10_000)
    first = chain.choose()
    chain.records[voter_key(address(1))] = encode(Voter(key(77), 10_000, 60))
    assert weigh(chain.choose(first)) == {1: ROOM}


def test_voters_who_would_find_no_seat_use_no_room() -> None:
    chain = Chain()
    for number in range(1, 513):
        chain.put(number, mined=50, bond=1000)
    first = chain.choose()
    for number in range(1000, 1600):
        chain.put(number, mined=49, bond=1000, changed_at=2)
    chain.put(2000, mined=900, bond=1000, changed_at=3)
    second = weigh(chain.choose(first))
    assert second[2000] == 900
    assert len(second) == 512
    assert not any(1000 <= number < 1600 for number in second)
