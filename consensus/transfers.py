"""The usual case of a transfer, done in few steps. `transactions.process_transaction` is the reference.

A property test holds both to the same records, histories and errors.
"""

from msgspec import Struct
from msgspec.structs import replace

from inos.consensus.movements import Movement, Reason
from inos.consensus.state import Draft
from inos.primitives.transactions import Transaction, Transfer
from inos.primitives.units import U64_MAX, Address


class Moved(Struct, frozen=True, gc=False):
    """What moved on the two accounts of a transfer."""

    receiver: Address
    sent: tuple[Movement, ...]
    received: tuple[Movement, ...]


def move_transfer(state: Draft, sender: Address, tx: Transaction) -> Moved | None:
    """Execute a transfer between two accounts that have records, the fee included.

    Returns:
        None if the transaction is anything else, or breaks a rule. Then nothing has changed.
    """
    payload, fee = tx.payload, tx.fee
    if not isinstance(payload, Transfer):
        return None
    receiver, amount = Address(payload.to), payload.amount
    account, other = state.find_account(sender), state.find_account(receiver)
    if account is None or other is None:
        return None  # Making an account burns a part of the amount.
    balance, received = account.balance - fee - amount, other.balance + amount
    if not fee or not amount or sender == receiver or account.nonce != tx.nonce or balance < 0 or received > U64_MAX:
        return None
    state.set_account(sender, replace(account, nonce=tx.nonce + 1, balance=balance))
    state.set_account(receiver, replace(other, balance=received))
    return Moved(
        receiver,
        (Movement(Reason.FEE, fee), Movement(Reason.SENT, amount, receiver)),
        (Movement(Reason.RECEIVED, amount, sender),),
    )
