"""One transaction on a state: nonce, fee, and the effect of its payload. It is applied as a whole, or breaks a rule."""

from typing import assert_never

import msgspec

from inos.consensus.codes import Code
from inos.consensus.disputes import process_dispute, process_jury_reveal, process_jury_vote
from inos.consensus.effects import Effects
from inos.consensus.finality.evidence import process_report
from inos.consensus.finality.voters import process_register, process_unbond, process_withdraw
from inos.consensus.jobs import (
    process_cancel_job,
    process_claim_job,
    process_submit_outcome,
    process_submit_result,
)
from inos.consensus.movements import Reason
from inos.consensus.optimistic import process_challenge
from inos.consensus.posting import process_post
from inos.primitives.errors import RuleViolation
from inos.primitives.payments import compute_total, iterate_payments
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JuryReveal,
    JuryVote,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    Transaction,
    Transfer,
    TransferMany,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
    get_sender,
)
from inos.primitives.units import Address, JobId


def process_transaction(effects: Effects, tx: Transaction) -> None:
    """Apply a transaction that passed `check_transaction_sanity`; the fee is paid first.

    Raises:
        RuleViolation: "bad-nonce", "insufficient-balance", or as for the payload's process_* function.
    """
    sender = get_sender(tx)
    _process_nonce(effects, sender, tx.nonce)
    effects.move(sender, Reason.FEE, tx.fee)
    effects.fees += tx.fee
    match tx.payload:
        case Transfer():
            process_transfer(effects, sender, tx.payload)
        case TransferMany():
            process_transfer_many(effects, sender, tx.payload)
        case PostJob() | PostTask():
            process_post(effects, sender, JobId(compute_tx_id(tx)), tx.payload)
        case ClaimJob():
            process_claim_job(effects, sender, tx.payload)
        case SubmitResult():
            process_submit_result(effects, sender, tx.payload)
        case SubmitOutcome():
            process_submit_outcome(effects, sender, tx.payload)
        case CancelJob():
            process_cancel_job(effects, sender, tx.payload)
        case Challenge():
            process_challenge(effects, sender, tx.payload)
        case RegisterVoter():
            process_register(effects, sender, tx.payload)
        case UnbondVoter():
            process_unbond(effects, sender)
        case WithdrawBond():
            process_withdraw(effects, sender)
        case ReportVoter():
            process_report(effects, sender, tx.payload)
        case Dispute():
            process_dispute(effects, sender, tx.payload)
        case JuryVote():
            process_jury_vote(effects, tx.payload)
        case JuryReveal():
            process_jury_reveal(effects, tx.payload)
        case _:
            assert_never(tx.payload)


def process_transfer(effects: Effects, sender: Address, payload: Transfer) -> None:
    """Move an amount. A transfer to oneself changes nothing, since the debit is written before the credit reads.

    An address without a record gets one, for which `account_fee` is burned from the amount.

    Raises:
        RuleViolation: "insufficient-balance", "amount-too-small".
    """
    receiver = Address(payload.to)
    effects.move(sender, Reason.SENT, payload.amount, counterparty=receiver)
    _receive(effects, sender, receiver, payload.amount)


def process_transfer_many(effects: Effects, sender: Address, payload: TransferMany) -> None:
    """Move all amounts, as so many transfers would. The sender's history has their sum as one movement.

    Raises:
        RuleViolation: "insufficient-balance", "amount-too-small".
    """
    effects.move(sender, Reason.SENT, compute_total(payload.payments))
    for receiver, amount in iterate_payments(payload.payments):
        _receive(effects, sender, receiver, amount)


def _receive(effects: Effects, sender: Address, receiver: Address, amount: int) -> None:
    fee = 0
    if not effects.state.has_account(receiver):
        fee = effects.params.account_fee
        if amount <= fee:
            raise RuleViolation(
                Code.AMOUNT_TOO_SMALL,
                f"{receiver.hex()} is a new account, which burns {fee} nano of the first amount",
                expected=f"above {fee}",
                got=amount,
            )
        effects.burn(fee)
    effects.move(receiver, Reason.RECEIVED, amount - fee, counterparty=sender)


def _process_nonce(effects: Effects, sender: Address, nonce: int) -> None:
    account = effects.state.get_account(sender)
    if nonce != account.nonce:
        raise RuleViolation(Code.BAD_NONCE, f"nonce of {sender.hex()}", expected=account.nonce, got=nonce)
    effects.state.set_account(sender, msgspec.structs.replace(account, nonce=nonce + 1))
