"""Transactions that are refused without looking at a claim, result or voter."""

from typing import Any

import msgspec

from inos.consensus.codes import Code
from inos.consensus.genesis_state import make_genesis
from inos.primitives.multisig import Multisig
from inos.primitives.payments import Payment, pack_payments
from inos.primitives.transactions import JobMode, SubmitResult, Transaction, Transfer, TransferMany
from inos.primitives.units import Address, Nano
from support.consensus_lab import (
    ALICE,
    BOB,
    GENESIS_TIME,
    PARAMS,
    Lab,
    make_operand,
    make_post,
    make_result,
    sign_jointly,
)
from support.provoked.registry import do, mine, provokes


def sign(**changes: Any) -> tuple[Lab, Transaction]:
    """Return a transfer of Alice's that was changed after it was signed."""
    lab = Lab()
    return lab, msgspec.structs.replace(lab.sign(ALICE, Transfer(BOB.address, 1)), **changes)


@provokes(Code.TRANSACTION_TOO_LARGE)
def name_a_job_by_too_many_bytes() -> None:
    """No such transaction decodes from bytes; a caller inside the node can make one."""
    do(Lab(), ALICE, SubmitResult(bytes(5000), make_result(3, 4)))


@provokes(Code.BAD_SIGNATURE)
def change_a_signed_transaction() -> None:
    lab, tx = sign(fee=2)
    mine(lab, tx)


@provokes(Code.BAD_NONCE)
def skip_a_nonce() -> None:
    do(Lab(), ALICE, Transfer(BOB.address, 1), ahead=1)


@provokes(Code.INSUFFICIENT_BALANCE)
def spend_more_than_there_is() -> None:
    do(Lab(), ALICE, Transfer(BOB.address, 1_000_000))


@provokes(Code.OVERFLOW)
def spend_more_than_fits_64_bits() -> None:
    do(Lab(), ALICE, Transfer(BOB.address, 2**64 - 1))


@provokes(Code.ZERO_AMOUNT)
def send_nothing() -> None:
    do(Lab(), ALICE, Transfer(BOB.address, 0))


@provokes(Code.AMOUNT_TOO_SMALL)
def send_a_new_account_no_more_than_its_fee() -> None:
    do(Lab(), ALICE, Transfer(bytes([7]) * 20, PARAMS.account_fee))


@provokes(Code.BAD_PAYMENTS)
def pay_no_whole_number_of_receivers() -> None:
    do(Lab(), ALICE, TransferMany(pack_payments([Payment(BOB.address, 7)]) + b"\x00"))


@provokes(Code.BAD_MULTISIG)
def spend_from_keys_that_are_not_in_order() -> None:
    owners = Multisig(1, tuple(sorted((ALICE.public, BOB.public), reverse=True)))
    mine(Lab(), sign_jointly(owners, [ALICE], 0, 0, Transfer(BOB.address, 7)))


@provokes(Code.PAYMENTS_NOT_SORTED)
def pay_one_receiver_twice() -> None:
    do(Lab(), ALICE, TransferMany(2 * pack_payments([Payment(BOB.address, 7)])))


@provokes(Code.PAYMENT_TOO_SMALL)
def pay_less_than_a_job_fee() -> None:
    do(Lab(), ALICE, TransferMany(pack_payments([Payment(BOB.address, PARAMS.job_fee - 1)])))


@provokes(Code.BAD_ADDRESS)
def found_a_network_on_a_short_address() -> None:
    make_genesis(PARAMS, GENESIS_TIME, {Address(b"short"): Nano(1)})


PROVOKING_POSTS: dict[Code, dict[str, Any]] = {
    Code.BAD_DIMENSIONS: {"x": make_operand(0, 1500)},
    Code.BAD_MATRIX_ID: {"x": make_result(32, 1500)},
    Code.DEPTH_MISMATCH: {"x": make_operand(32, 1501)},
    Code.ZERO_REWARD: {"reward": 0},
    Code.BOND_TOO_SMALL: {"bond": 100},
    Code.BAD_CLAIM_WINDOW: {"claim_window": 1},
    Code.PRODUCT_TOO_LARGE: {"x": make_operand(512, 512), "w": make_operand(512, 512)},
    Code.CHALLENGE_TOO_LARGE: {"mode": JobMode.OPTIMISTIC},  # 20,000 bytes of a block hold no challenge
    Code.DEADLINE_PASSED: {"deadline": 1},
    Code.DEADLINE_TOO_FAR: {"deadline": 22},
    Code.BURN_ABOVE_MAXIMUM: {"max_burn": 9},
}
for _code, _changes in PROVOKING_POSTS.items():
    provokes(_code)(lambda changes=_changes: do(Lab(), ALICE, make_post(1, **changes)))
