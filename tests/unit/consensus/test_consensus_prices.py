"""Base fee, subsidy, reputation and fork choice in numbers."""

import msgspec
import pytest

from inos.consensus.basefee import compute_next_base_fee, compute_useful_tickets
from inos.consensus.forkchoice import compute_chain_weight, is_better
from inos.consensus.merit import add_merit
from inos.consensus.params import compute_subsidy
from inos.consensus.records import Account
from inos.consensus.reputation import add_reputation, compute_halved, compute_open_claim_limit, cut_reputation
from inos.primitives.blocks import encode_target
from inos.primitives.units import Height, Nano, Target, Tickets, Weight
from support.consensus_lab import PARAMS, Lab, get_code

D = Tickets(600)
"""Wanted per block: half, 300 tickets."""


@pytest.mark.parametrize(
    ("base_fee", "posted", "following"),
    [
        (1000, 300, 1000),
        (1000, 0, 875),
        (1000, 150, 938),  # 62.5 down, rounded down to 62
        (1000, 301, 1001),  # at least 1 up
        (1000, 299, 1000),  # not so down
        (1000, 450, 1062),
        (1000, 600, 1125),
        (1000, 10**9, 1125),  # at most an eighth up
        (1, 0, 1),
        (1, 301, 2),
        (7, 0, 7),  # an eighth of 7 rounds to nothing
        (8, 0, 7),
        (2**64 - 1, 600, 2**64 - 1),
    ],
)
def test_base_fee_steps(base_fee: int, posted: int, following: int) -> None:
    assert compute_next_base_fee(PARAMS, Nano(base_fee), Tickets(posted), D) == following


def test_base_fee_floor() -> None:
    params = msgspec.structs.replace(PARAMS, base_fee_floor=Nano(950))
    assert compute_next_base_fee(params, Nano(1000), Tickets(0), D) == 950
    assert compute_next_base_fee(params, Nano(950), Tickets(0), D) == 950


def test_wanted_tickets_are_at_least_one() -> None:
    assert [compute_useful_tickets(PARAMS, Tickets(d)) for d in (1, 2, 3, 4, 600, 601)] == [1, 1, 1, 2, 300, 300]
    assert compute_next_base_fee(PARAMS, Nano(1000), Tickets(1), Tickets(1)) == 1000


def test_base_fee_moves_through_blocks() -> None:
    lab = Lab()
    assert [lab.mine().stats.base_fee for _ in range(4)] == [10, 9, 8, 7]
    assert lab.state.get_market().base_fee == 7


def test_subsidies() -> None:
    heights = {0: 50_000, 9: 50_000, 10: 49_500, 20: 49_005, 30: 49_000, 10**9: 49_000}
    assert {h: compute_subsidy(PARAMS, Height(h)) for h in heights} == heights
    integer_steps = msgspec.structs.replace(PARAMS, subsidy_initial=Nano(101), subsidy_tail=Nano(1))
    # 101 -> 99.99 -> 98.01: each cut rounds down
    assert [compute_subsidy(integer_steps, Height(h)) for h in (0, 10, 20, 30)] == [101, 99, 98, 97]


def test_reputation_halves_for_all_at_the_same_heights() -> None:
    assert [compute_halved(PARAMS, 100, Height(9), Height(h)) for h in (9, 10, 19, 20, 30)] == [100, 50, 50, 25, 12]
    assert [compute_halved(PARAMS, 100, Height(10), Height(h)) for h in (10, 19, 20)] == [100, 100, 50]


def test_reputation_is_settled_before_it_grows_or_is_cut() -> None:
    account = Account(reputation=100, reputation_height=9)
    assert add_reputation(PARAMS, account, 7, Height(20)) == Account(reputation=32, reputation_height=20)
    assert cut_reputation(PARAMS, account, Height(20)) == Account(reputation=18, reputation_height=20)
    assert cut_reputation(PARAMS, Account(reputation=1, reputation_height=9), Height(9)) == Account()
    assert add_reputation(PARAMS, Account(), 0, Height(9)) == Account()


def test_merit_does_not_overflow() -> None:
    assert add_merit(Account(merit=5), 7) == Account(merit=12)
    assert get_code(lambda: add_merit(Account(merit=2**64 - 1), 1)) == "overflow"


@pytest.mark.parametrize(("reputation", "limit"), [(0, 2), (999, 2), (1000, 3), (2000, 4), (10**9, 4)])
def test_open_claim_limit(reputation: int, limit: int) -> None:
    assert compute_open_claim_limit(PARAMS, Tickets(reputation)) == limit


def test_weight_and_fork_choice() -> None:
    lab = Lab()
    header = lab.make_block().header
    assert compute_chain_weight(PARAMS, Weight(10), header) == 610
    with_merit = msgspec.structs.replace(header, uses_merit=True)
    assert compute_chain_weight(PARAMS, Weight(10), with_merit) == 160
    easiest = msgspec.structs.replace(header, target=encode_target(Target(2**252 - 1)))
    assert compute_chain_weight(PARAMS, Weight(0), easiest) == 16
    assert is_better(Weight(11), Weight(10))
    assert not is_better(Weight(10), Weight(10))
    assert not is_better(Weight(9), Weight(10))
