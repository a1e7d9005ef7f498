"""What a transaction was for one account: sent or received, how much, with whom."""

import re
from typing import Final, Literal, assert_never

from msgspec import Struct

from inos.chain.ledger import HistoryEntry
from inos.consensus.records import Job
from inos.consensus.state import StateView
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JuryReveal,
    JuryVote,
    PostJob,
    RegisterVoter,
    ReportVoter,
    SubmitResult,
    Transaction,
    Transfer,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
    get_sender,
)
from inos.primitives.units import U32_MAX, Address, Height, JobId, Nano
from inos.rpc.errors import make_invalid_param

CURSOR: Final = re.compile(r"(?P<height>[0-9]{1,18})-(?P<index>[0-9]{1,10})")
Direction = Literal["in", "out", "self", ""]


class Movement(Struct, frozen=True):
    """One transaction from one account's side; `amount` in nano, without the fee."""

    kind: str
    direction: Direction
    amount: Nano
    counterparty: Address | None


def describe_movement(tx: Transaction, address: Address, state: StateView) -> Movement:
    """The transaction as `address` sees it. `state` is the tip's, where jobs stay after they close."""
    sender = get_sender(tx)
    payload = tx.payload
    match payload:
        case Transfer():
            return _describe_transfer(payload, sender, address)
        case PostJob():
            job = state.get_job(JobId(compute_tx_id(tx)))
            burned = 0 if job is None else job.burned
            return Movement("post", "out", Nano(payload.reward + burned), None)
        case ClaimJob():
            job = state.get_job(JobId(payload.job))
            if address != sender:
                return Movement("claimed", "", Nano(0), sender)
            return Movement("claim", "out", Nano(0 if job is None else job.bond), _poster(job))
        case SubmitResult():
            job = state.get_job(JobId(payload.job))
            if address != sender:
                return Movement("delivered", "", Nano(0), sender)
            return Movement("result", "in", Nano(0 if job is None else job.reward + job.bond), _poster(job))
        case Challenge():
            job = state.get_job(JobId(payload.job))
            if address != sender:
                return Movement("challenged", "", Nano(0), sender)
            return Movement("challenge", "in", Nano(0 if job is None else job.bond // 2), None)
        case CancelJob():
            job = state.get_job(JobId(payload.job))
            return Movement("cancel", "in", Nano(0 if job is None else job.reward), None)
        case Dispute():
            dispute = state.get_dispute(JobId(payload.job))
            if address != sender:
                return Movement("disputed", "", Nano(0), sender)
            return Movement("dispute", "out", Nano(0 if dispute is None else dispute.stake), None)
        case JuryVote():
            return Movement("jury_vote", "", Nano(0), None)
        case JuryReveal():
            return Movement("jury_reveal", "", Nano(0), None)
        case RegisterVoter():
            return Movement("register_voter", "out", Nano(payload.bond), None)
        case UnbondVoter():
            return Movement("unbond_voter", "", Nano(0), None)
        case WithdrawBond():
            return Movement("withdraw_bond", "", Nano(0), None)
        case ReportVoter():
            return Movement("report_voter" if address == sender else "reported", "", Nano(0), None)
        case _:
            assert_never(payload)


def _describe_transfer(payload: Transfer, sender: Address, address: Address) -> Movement:
    amount, receiver = Nano(payload.amount), Address(payload.to)
    if sender == receiver == address:
        return Movement("sent", "self", amount, receiver)
    if sender == address:
        return Movement("sent", "out", amount, receiver)
    return Movement("received", "in", amount, sender)


def _poster(job: Job | None) -> Address | None:
    return None if job is None else Address(job.poster)


def read_cursor(text: str) -> tuple[Height, int]:
    """Where a page ended, from the text a page's `next` was.

    Raises:
        RpcError: invalid params.
    """
    match = CURSOR.fullmatch(text)
    if match is None or int(match["index"]) > U32_MAX:
        raise make_invalid_param("before", f"{text!r} is not the `next` of a page", code="bad-cursor")
    return Height(int(match["height"])), int(match["index"])


def write_cursor(place: HistoryEntry) -> str:
    """The text for `before` of the page that follows."""
    return f"{place.height}-{place.index}"
