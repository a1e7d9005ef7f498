"""Tests juries as pure functions: fees, windows, seats; and how often an attacker holds most seats."""

import math
from typing import Any

import pytest

from inos.consensus.jury import (
    compute_count_height,
    compute_jury_fee,
    compute_min_bond,
    compute_product_mib,
    compute_reveal_start,
    compute_size_fee,
    compute_task_mib,
    draw_jurors,
    is_majority,
    list_eligible,
)
from inos.consensus.params import Params
from inos.consensus.records import Committee, Member, ProductWork
from inos.genesis import load_network
from inos.primitives.hashing import Context, compute_hash, compute_stream
from inos.primitives.transactions import JobMode
from inos.primitives.units import Address, BlockId, JobId

MIB = 1 << 20
PARAMS = load_network("testnet").params
JOB = JobId(b"j" * 32)
PARENT = BlockId(b"p" * 32)


def make_member(number: int, weight: int) -> Member:
    return Member(bytes([number]) * 20, bytes([number]) * 48, weight, weight)


def test_the_fee_is_paid_for_every_started_mebibyte() -> None:
    strip = 16_384
    assert [compute_product_mib(rows, 16, 1024) for rows in (16, 31 * 16, 32 * 16)] == [1, 1, 2]  # 2 rows + 1 strips
    assert (31 * 2 + 1) * strip < MIB < (32 * 2 + 1) * strip
    assert compute_size_fee(PARAMS, 2) == 21 * 2 * 100_000


def test_the_jury_of_a_task_is_paid_by_its_units() -> None:
    assert [compute_task_mib(units) for units in (1, 4096, 4097, 2**40)] == [1, 1, 2, 2**28]


@pytest.mark.parametrize(
    ("reward", "mib", "expected"),
    [(1, 1, 10**9), (10**10, 1, 10**10), (1, 4096, 2 * 21 * 4096 * 100_000)],
)
def test_the_least_bond_is_the_largest_of_three(reward: int, mib: int, expected: int) -> None:
    assert compute_min_bond(PARAMS, reward, mib) == expected


def test_windows_are_two_thirds_and_one_third() -> None:
    assert compute_reveal_start(PARAMS, 1000) == 1080
    assert compute_count_height(PARAMS, 1000) == 1120


def test_seats_are_those_of_the_stream() -> None:
    """The test writes the formula out again."""
    members = [make_member(1, 5), make_member(2, 1), make_member(3, 14)]
    stream = compute_stream(compute_hash(Context.JURY, JOB + PARENT), "seats", 16 * 21)
    seats = {1: 0, 2: 0, 3: 0}
    for index in range(21):
        number = int.from_bytes(stream[16 * index : 16 * index + 16], "little") % 20
        seats[1 if number < 5 else 2 if number < 6 else 3] += 1
    drawn = draw_jurors(PARAMS, members, JOB, PARENT)
    assert {juror.address[0]: juror.seats for juror in drawn} == {key: n for key, n in seats.items() if n}
    assert sum(juror.seats for juror in drawn) == 21
    assert all(juror.commitment is None and juror.verdict is None for juror in drawn)


def test_a_member_without_weight_gets_no_seat() -> None:
    drawn = draw_jurors(PARAMS, [make_member(1, 0), make_member(2, 7), make_member(3, 0)], JOB, PARENT)
    assert [(juror.address[0], juror.seats) for juror in drawn] == [(2, 21)]


def test_nobody_is_drawn_from_nobody() -> None:
    assert draw_jurors(PARAMS, [], JOB, PARENT) == ()
    assert draw_jurors(PARAMS, [make_member(1, 0)], JOB, PARENT) == ()


def test_poster_and_worker_do_not_judge_themselves() -> None:
    class JobOfOne:
        poster = bytes([1]) * 20

    committee = Committee((make_member(1, 3), make_member(2, 2), make_member(3, 1)))
    job: Any = JobOfOne()
    assert [m.address[0] for m in list_eligible(committee, job, Address(bytes([3]) * 20))] == [2]


def test_another_parent_draws_another_jury() -> None:
    members = [make_member(number, 10 + number) for number in range(1, 60)]
    juries = {
        tuple(juror.address for juror in draw_jurors(PARAMS, members, JOB, BlockId(bytes([n]) * 32))) for n in range(50)
    }
    assert len(juries) == 50


def test_half_of_the_seats_is_no_majority() -> None:
    assert not is_majority(PARAMS, 10)
    assert is_majority(PARAMS, 11)


def compute_majority_odds(size: int, share: float) -> float:
    """Return the probability that an attacker with `share` of the weight has more than half of `size` seats
    (binomial).
    """
    least = size // 2 + 1
    return sum(math.comb(size, n) * share**n * (1 - share) ** (size - n) for n in range(least, size + 1))


@pytest.mark.parametrize(
    ("size", "share", "odds"),
    [(7, 0.2, 0.033), (21, 0.2, 0.001), (7, 0.3, 0.126), (21, 0.3, 0.026), (7, 0.4, 0.29), (21, 0.4, 0.17)],
)
def test_the_odds_of_a_captured_jury_are_those_that_the_documents_give(size: int, share: float, odds: float) -> None:
    """docs/security.md gives these figures, and the drawing itself agrees with them within its sampling error."""
    import msgspec

    assert compute_majority_odds(size, share) == pytest.approx(odds, rel=0.06, abs=0.0005)
    params: Params = msgspec.structs.replace(PARAMS, jury_size=size)
    members = [make_member(1, round(share * 1000)), make_member(2, 1000 - round(share * 1000))]
    rounds, captured = 3000, 0
    for number in range(rounds):
        drawn = draw_jurors(params, members, JOB, BlockId(number.to_bytes(32, "big")))
        captured += is_majority(params, sum(juror.seats for juror in drawn if juror.address[0] == 1))
    deviation = math.sqrt(odds * (1 - odds) / rounds)
    assert abs(captured / rounds - compute_majority_odds(size, share)) < 5 * deviation


def test_the_jury_fee_is_an_eighth_of_the_bond_or_the_size_fee() -> None:
    from inos.primitives.matrices import MatrixRef

    class SomeJob:
        work = ProductWork(
            MatrixRef(b"x" * 32, 16, 1024, b"r" * 32), MatrixRef(b"w" * 32, 16, 1024, b"r" * 32), JobMode.OPTIMISTIC
        )
        bond = 8_000_000_001

    job: Any = SomeJob()
    assert compute_jury_fee(PARAMS, job) == 1_000_000_001
    job.bond = 8
    assert compute_jury_fee(PARAMS, job) == 21 * 100_000
