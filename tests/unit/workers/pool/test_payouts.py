"""Tests whom a payout pays while fees are high."""

import pytest

from inos.primitives.payments import MAX_PAYMENTS
from inos.primitives.units import Address
from inos.workers.pool.payouts import MOST_FEE_PART, plan_payout
from inos.workers.pool.split import Part

A, B, C = (Address(bytes([n]) * 20) for n in range(3))


def test_a_part_near_the_least_payment_does_not_block_the_others() -> None:
    plan = plan_payout([Part(A, 50_000), Part(B, 40_000), Part(C, 1_001)], 10**9, 1_000, lambda count: 100 * count)
    assert plan is not None
    assert [part.address for part in plan.parts] == [A, B]
    assert plan.fee == 200
    assert sum(payment.amount for payment in plan.payments) == 90_000 - 200


def test_parts_that_cost_more_than_they_may_do_not_block_the_others() -> None:
    small = [Part(Address(n.to_bytes(20, "big")), 500) for n in range(1, 200)]
    plan = plan_payout([Part(B, 50_000), *small], 10**9, 1, lambda count: 10 + 10 * count)
    assert plan is not None
    assert [part.address for part in plan.parts] == [B]
    assert plan.fee * MOST_FEE_PART <= 50_000


@pytest.mark.parametrize(
    ("owed", "spendable", "fee"), [([], 10**9, 1), ([Part(A, 500)], 499, 1), ([Part(A, 500)], 10**9, 6)]
)
def test_nobody_is_paid_without_need_or_means_or_while_the_fee_is_high(
    owed: list[Part], spendable: int, fee: int
) -> None:
    assert plan_payout(owed, spendable, 1, lambda _: fee) is None


def test_a_payout_has_a_bounded_number_of_payments() -> None:
    owed = [Part(Address(n.to_bytes(20, "big")), 10**6) for n in range(MAX_PAYMENTS + 9)]
    plan = plan_payout(owed, 10**12, 1, lambda count: count)
    assert plan is not None
    assert len(plan.payments) == MAX_PAYMENTS
