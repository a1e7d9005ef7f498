"""Stage 1 for a transaction: all checks that need no state."""

from collections.abc import Sequence
from typing import Final, assert_never

from inos.consensus.codes import Code
from inos.consensus.disputes import check_jury_signature
from inos.consensus.finality.evidence import check_evidence_sanity
from inos.consensus.finality.voters import check_register_sanity
from inos.consensus.jury import compute_min_bond, compute_product_mib, compute_task_mib
from inos.consensus.matrixrules import check_product_refs, check_result_ref
from inos.consensus.params import Params
from inos.consensus.prices import compute_product_bytes
from inos.primitives.blocks import MAX_HEADER_BYTES
from inos.primitives.bls import Bls
from inos.primitives.codec import encode
from inos.primitives.errors import RuleViolation
from inos.primitives.multisig import Multisig, is_sound
from inos.primitives.payments import MAX_PAYMENTS, PAYMENT_BYTES, compute_total, iterate_payments
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    TaskKind,
    Transaction,
    Transfer,
    TransferMany,
    UnbondVoter,
    WithdrawBond,
    are_transactions_signed,
    compute_challenge_bytes,
    get_max_bytes,
    get_sender,
    is_transaction_signed,
)
from inos.primitives.units import U64_MAX

MAX_UNITS: Final = 1 << 40
"""Far more than any jury can compute; it keeps sums over a block within 64 bits."""


def check_transaction_sanity(params: Params, tx: Transaction, bls: Bls) -> None:
    """Check chain, amounts, references, size and signatures, the signatures last, since they cost most.

    Raises:
        RuleViolation: "wrong-chain-id", "overflow", "bad-multisig", "zero-amount", "bad-payments",
            "payments-not-sorted", "payment-too-small", "zero-reward", "bond-too-small",
            "bad-claim-window", "bad-units", "no-outputs", "bad-dimensions", "bad-matrix-id", "depth-mismatch",
            "product-too-large",
            "challenge-too-large", "transaction-too-large", "bad-signature", "bad-proof-of-possession",
            "not-slashable", "bad-vote-signature", "bad-jury-signature".
    """
    _check_content(params, tx)
    _check_signature(tx)
    _check_bls(params, tx, bls)


def check_transactions_sanity(params: Params, transactions: Sequence[Transaction], bls: Bls) -> None:
    """Check all transactions as by `check_transaction_sanity`, but their signatures in one call.

    Raises:
        RuleViolation: a transaction is invalid; what is wrong with signatures is told after all else.
    """
    for tx in transactions:
        _check_content(params, tx)
    if not are_transactions_signed(transactions):
        for tx in transactions:
            _check_signature(tx)
    for tx in transactions:
        _check_bls(params, tx, bls)


def _check_content(params: Params, tx: Transaction) -> None:
    if tx.chain_id != params.chain_id:
        raise RuleViolation(Code.WRONG_CHAIN_ID, "the transaction's chain", expected=params.chain_id, got=tx.chain_id)
    _check_total(tx.nonce, 1, "the nonce after this transaction")
    _check_total(tx.fee, 0, "the fee")
    if isinstance(tx.sender, Multisig) and not is_sound(tx.sender):
        raise RuleViolation(
            Code.BAD_MULTISIG,
            f"{tx.sender.threshold} of {len(tx.sender.keys)} keys",
            expected="keys in strictly ascending order, of which at most all sign",
            got=[key.hex() for key in tx.sender.keys],
        )
    match tx.payload:
        case Transfer():
            _check_transfer(tx.payload, tx.fee)
        case TransferMany():
            _check_transfer_many(params, tx.payload, tx.fee)
        case PostJob():
            _check_post_job(params, tx.payload, tx.fee)
        case PostTask():
            _check_post_task(params, tx.payload, tx.fee)
        case SubmitResult():
            check_result_ref(tx.payload.y, "result y")
        case SubmitOutcome():
            if not tx.payload.outputs:
                raise RuleViolation(Code.NO_OUTPUTS, f"outcome of task {tx.payload.job.hex()} names no outputs")
        case (
            ClaimJob()
            | CancelJob()
            | Challenge()
            | RegisterVoter()
            | UnbondVoter()
            | WithdrawBond()
            | ReportVoter()
            | Dispute()
            | JuryVote()
            | JuryReveal()
        ):
            pass
        case _:
            assert_never(tx.payload)
    size, limit = len(encode(tx)), get_max_bytes(tx.payload)
    if size > limit:
        raise RuleViolation(Code.TRANSACTION_TOO_LARGE, "the transaction's bytes", expected=f"<= {limit}", got=size)


def _check_signature(tx: Transaction) -> None:
    if not is_transaction_signed(tx):
        raise RuleViolation(
            Code.BAD_SIGNATURE, f"the signature is not that of account {get_sender(tx).hex()} over this transaction"
        )


def _check_bls(params: Params, tx: Transaction, bls: Bls) -> None:
    """Check BLS signatures, which cost pairings, only after the transaction's own signature was found valid."""
    match tx.payload:
        case RegisterVoter():
            check_register_sanity(params, get_sender(tx), tx.payload, tx.fee, bls)
        case ReportVoter():
            check_evidence_sanity(params, tx.payload, bls)
        case JuryVote() | JuryReveal():
            check_jury_signature(params, tx.payload, bls)
        case (
            Transfer()
            | TransferMany()
            | PostJob()
            | PostTask()
            | ClaimJob()
            | SubmitResult()
            | SubmitOutcome()
            | CancelJob()
            | Challenge()
            | UnbondVoter()
            | WithdrawBond()
            | Dispute()
        ):
            pass
        case _:
            assert_never(tx.payload)


def _check_transfer(payload: Transfer, fee: int) -> None:
    if payload.amount == 0:
        raise RuleViolation(Code.ZERO_AMOUNT, "a transfer of nothing")
    _check_total(payload.amount, fee, "amount and fee")


def _check_transfer_many(params: Params, payload: TransferMany, fee: int) -> None:
    count, rest = divmod(len(payload.payments), PAYMENT_BYTES)
    if rest or not 1 <= count <= MAX_PAYMENTS:
        raise RuleViolation(
            Code.BAD_PAYMENTS,
            "the bytes of the payments",
            expected=f"{PAYMENT_BYTES} for each of 1 .. {MAX_PAYMENTS}",
            got=len(payload.payments),
        )
    last = b""
    for number, (to, amount) in enumerate(iterate_payments(payload.payments)):
        if to <= last:
            raise RuleViolation(
                Code.PAYMENTS_NOT_SORTED,
                f"the address of payment {number}",
                expected=f"above {last.hex()}",
                got=to.hex(),
            )
        if amount == 0:
            raise RuleViolation(Code.ZERO_AMOUNT, f"payment {number} to {to.hex()} is nothing")
        if amount < params.job_fee:
            raise RuleViolation(
                Code.PAYMENT_TOO_SMALL,
                f"the amount of payment {number} to {to.hex()}",
                expected=f">= {params.job_fee}",
                got=amount,
            )
        last = to
    _check_total(compute_total(payload.payments), fee, "all amounts and the fee")


def _check_post_job(params: Params, payload: PostJob, fee: int) -> None:
    _check_terms(params, payload, fee)
    check_product_refs(payload.x, payload.w, "job")
    _check_product_size(params, payload)
    if payload.mode == JobMode.OPTIMISTIC:
        _check_challengeable(params, payload.x.cols)
        mib = compute_product_mib(payload.x.rows, payload.w.rows, payload.x.cols)
        _check_optimistic_bond(params, payload, mib)


def _check_post_task(params: Params, payload: PostTask, fee: int) -> None:
    _check_terms(params, payload, fee)
    if not 1 <= payload.units <= MAX_UNITS:
        raise RuleViolation(Code.BAD_UNITS, "the task's units", expected=f"1 .. {MAX_UNITS}", got=payload.units)
    most = payload.units if payload.kind == TaskKind.PROGRAM else 0
    if payload.tickets > most:
        raise RuleViolation(
            Code.BAD_UNITS,
            f"the lottery tickets among the units of a {payload.kind.name.lower()}",
            expected=f"at most {most}",
            got=payload.tickets,
        )
    _check_optimistic_bond(params, payload, compute_task_mib(payload.units))


def _check_terms(params: Params, payload: PostJob | PostTask, fee: int) -> None:
    """Check what all jobs have: reward, bond, claim window, deadline."""
    if payload.reward == 0:
        raise RuleViolation(Code.ZERO_REWARD, "a job that pays nothing")
    _check_total(payload.reward, fee, "reward and fee")
    _check_total(payload.max_burn, 0, "the highest burn")
    _check_total(payload.deadline, 0, "the deadline")
    _check_total(payload.bond, 0, "the bond")
    if payload.bond < params.min_bond:
        raise RuleViolation(Code.BOND_TOO_SMALL, "the job's bond", expected=f">= {params.min_bond}", got=payload.bond)
    if not params.min_claim_window <= payload.claim_window <= params.max_claim_window:
        raise RuleViolation(
            Code.BAD_CLAIM_WINDOW,
            "the job's claim window in blocks",
            expected=f"{params.min_claim_window} .. {params.max_claim_window}",
            got=payload.claim_window,
        )


def _check_product_size(params: Params, payload: PostJob) -> None:
    is_checked = payload.mode == JobMode.CHECKED
    limit = params.max_checked_bytes if is_checked else params.max_optimistic_bytes
    size = compute_product_bytes(payload.x.rows, payload.w.rows, payload.x.cols)
    if size > limit:
        raise RuleViolation(
            Code.PRODUCT_TOO_LARGE,
            f"bytes of operands and result of a job {payload.mode.name.lower()}",
            expected=f"<= {limit}",
            got=size,
        )


def _check_challengeable(params: Params, depth: int) -> None:
    """Check that a wrong result can be proven: a challenge of this depth must fit into a block."""
    needed, room = compute_challenge_bytes(depth), params.max_block_bytes - MAX_HEADER_BYTES
    if needed > room:
        raise RuleViolation(
            Code.CHALLENGE_TOO_LARGE,
            f"bytes of a block that a challenge of a product of depth {depth} needs",
            expected=f"<= {room}",
            got=needed,
        )


def _check_optimistic_bond(params: Params, payload: PostJob | PostTask, mib: int) -> None:
    """Check that the bond is worth at least the reward that a cheat could take, and pays a jury."""
    least = compute_min_bond(params, payload.reward, mib)
    if payload.bond < least:
        raise RuleViolation(Code.BOND_TOO_SMALL, "the optimistic job's bond", expected=f">= {least}", got=payload.bond)


def _check_total(a: int, b: int, what: str) -> None:
    """Check that both amounts, and their sum, are unsigned 64-bit numbers."""
    if a < 0 or b < 0 or a + b > U64_MAX:
        raise RuleViolation(Code.OVERFLOW, f"{what} does not fit 64 bits", expected=f"0 .. {U64_MAX}", got=a + b)
