"""Tests prices, subsidy, reputation and fork choice with numbers."""

from typing import Any

import msgspec
import pytest

from inos.consensus.forkchoice import NEVER, compute_chain_weight, compute_preference, is_late
from inos.consensus.params import compute_subsidy
from inos.consensus.prices import (
    JobPrice,
    compute_job_price,
    compute_price_per_tera,
    compute_product_bytes,
    compute_window_share,
    compute_work_price,
)
from inos.consensus.records import Account
from inos.consensus.reputation import add_reputation, compute_halved, compute_open_claim_limit, cut_reputation
from inos.primitives.blocks import encode_target
from inos.primitives.transactions import JobMode
from inos.primitives.units import Height, Nano, Target, Tickets, Weight
from support.consensus_lab import PARAMS, Lab, get_code

D = Tickets(600)
"""D of the lab's genesis target."""


def price(**changes: Any) -> JobPrice:
    """Return the price of 100 x 30 with depth 1500: 28 tickets and 25 strips, where S is 50,000 and D is 600."""
    sizes = {"rows_x": 100, "rows_w": 30, "depth": 1500, "mode": JobMode.CHECKED} | changes
    return compute_job_price(PARAMS, Height(1), D, **sizes)


def test_a_job_burns_for_work_bytes_and_place() -> None:
    # 50,000 * 125 * 28 / (1000 * 600) = 291.7; 50,000 * 125 * 25 * 16,384 / (1000 * 2 MiB) = 1220.7
    assert price() == JobPrice(work=292, bytes=1221, place=7)
    assert price().total == 1520
    assert price(mode=JobMode.OPTIMISTIC) == JobPrice(work=292, bytes=0, place=7)
    assert price(rows_x=1, rows_w=1, depth=1) == JobPrice(work=11, bytes=147, place=7)  # both parts round up


def test_a_job_of_d_tickets_burns_an_eighth_of_a_subsidy() -> None:
    assert compute_work_price(PARAMS, Height(1), D, 600) == 6250
    assert compute_work_price(PARAMS, Height(10), D, 600) == 6188  # of 49,500, rounded up
    assert compute_work_price(PARAMS, Height(1), Tickets(1), 2**40) == 6250 * 2**40  # past any 64 bits


def test_the_price_per_tera_is_that_of_many_tickets() -> None:
    # 10^12 multiply-accumulates are 3,814,697.27 tickets
    assert compute_price_per_tera(PARAMS, Height(1), D) == 39_736_430
    assert compute_work_price(PARAMS, Height(1), D, 3_814_697) == 39_736_428


def test_bytes_of_a_product_are_those_of_its_strips() -> None:
    assert compute_product_bytes(2, 3, 5) == 3 * 16_384
    assert compute_product_bytes(16, 256, 1024) == (1 + 16 + 1) * 16_384
    assert compute_product_bytes(17, 257, 1025) == (2 * 2 + 17 * 2 + 2 * 2) * 16_384
    # nothing is padded: m*k + n*k + 4*m*n
    assert compute_product_bytes(512, 256, 1024) == 512 * 1024 + 256 * 1024 + 4 * 512 * 256
    # a thin matrix is sent and hashed with its padding
    assert compute_product_bytes(2**20, 1, 1) == (65_536 + 1 + 65_536) * 16_384


@pytest.mark.parametrize(
    ("settled", "weight", "burned", "subsidies", "paid_ppm", "burned_ppm"),
    [
        (0, 0, 0, 0, 0, 0),
        (300, 600, 3125, 50_000, 500_000, 62_500),
        (600, 600, 6250, 50_000, 1_000_000, 125_000),
        (900, 600, 9375, 50_000, 1_000_000, 187_500),  # never above 100 %, and what it cost is said in full
    ],
)
def test_window_share(settled: int, weight: int, burned: int, subsidies: int, paid_ppm: int, burned_ppm: int) -> None:
    share = compute_window_share(settled=settled, weight=weight, settled_burn=burned, subsidies=subsidies)
    assert (share.paid_ppm, share.burned_ppm) == (paid_ppm, burned_ppm)


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


def test_reputation_does_not_overflow() -> None:
    full = Account(reputation=2**64 - 1, reputation_height=1)
    assert get_code(lambda: add_reputation(PARAMS, full, 1, Height(2))) == "overflow"


@pytest.mark.parametrize(("reputation", "limit"), [(0, 2), (999, 2), (1000, 3), (2000, 4), (10**9, 4)])
def test_open_claim_limit(reputation: int, limit: int) -> None:
    assert compute_open_claim_limit(PARAMS, Nano(reputation)) == limit


def test_weight_and_fork_choice() -> None:
    lab = Lab()
    header = lab.make_block().header
    assert compute_chain_weight(Weight(10), header) == 610
    easiest = msgspec.structs.replace(header, target=encode_target(Target(2**252 - 1)))
    assert compute_chain_weight(Weight(0), easiest) == 16


def test_chains_are_ordered_by_weight_then_late_blocks_then_connection_then_arrival() -> None:
    best_first = [
        (11, 3, NEVER, 9),
        (10, 0, 2, 9),
        (10, 0, 5, 1),
        (10, 0, NEVER, 1),
        (10, 0, NEVER, 2),
        (10, 1, 1, 0),
        (10, 2, 0, 0),
        (9, 0, 0, 0),
    ]
    preferences = [compute_preference(Weight(weight), *rest) for weight, *rest in best_first]
    assert preferences == sorted(preferences, reverse=True)
    assert len(set(preferences)) == len(preferences)


def test_a_block_is_late_after_an_eighth_of_the_spacing() -> None:
    assert [is_late(PARAMS, waited_ms) for waited_ms in (0, 250, 251, 2000)] == [False, False, True, True]
