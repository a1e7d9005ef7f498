"""Plans payouts: whom to pay with one TransferMany, and what each receiver gets after its part of the fee."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from inos.primitives.payments import MAX_PAYMENTS, Payment
from inos.primitives.units import Nano
from inos.workers.pool.split import Part, divide_fee

LEAST_PAYOUT: Final = Nano(100_000_000)
"""0.1 credits."""
MOST_FEE_PART: Final = 100
"""The fee of a payout is at most one part in so many of what it pays."""


class PayoutPlan(Struct, frozen=True):
    """A payout that can be signed."""

    payments: list[Payment]
    """What the transaction pays."""
    parts: list[Part]
    """What the receivers are charged: payments and fee together."""
    fee: Nano


def plan_payout(
    owed: Sequence[Part], spendable: int, least_payment: int, estimate: Callable[[int], int]
) -> PayoutPlan | None:
    """Return the next payout, or None if there is nobody to pay, too little to pay with, or the fee is too high now.

    A part that is too small for the fee is left out, so that it does not keep the others waiting.

    Args:
        owed: addresses with what they are owed, the most important first.
        spendable: what the pool's account has.
        least_payment: no payment is below this, after its part of the fee.
        estimate: returns the fee of a transaction with so many payments.
    """
    chosen: list[Part] = []
    total = 0
    for part in owed:
        if len(chosen) == MAX_PAYMENTS:
            break
        if total + part.amount <= spendable:
            chosen.append(part)
            total += part.amount
    while chosen:
        fee = estimate(len(chosen))
        payments = [
            Payment(part.address, part.amount - share.amount)
            for part, share in zip(chosen, divide_fee(fee, chosen), strict=True)
        ]
        worthy = [
            part for part, payment in zip(chosen, payments, strict=True) if payment.amount >= max(1, least_payment)
        ]
        if len(worthy) == len(chosen):
            if fee * MOST_FEE_PART <= sum(part.amount for part in chosen):
                return PayoutPlan(payments, chosen, Nano(fee))
            worthy = _drop_costly(chosen, fee, estimate)
            if len(worthy) == len(chosen):
                return None
        chosen = worthy
    return None


def _drop_costly(parts: list[Part], fee: int, estimate: Callable[[int], int]) -> list[Part]:
    """Return the parts without those that alone add more to the fee than they may pay of it."""
    added = (fee - estimate(1)) // max(1, len(parts) - 1)
    return [part for part in parts if added * MOST_FEE_PART <= part.amount]
