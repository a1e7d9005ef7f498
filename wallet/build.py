"""Builds transactions, checks them against what the account owns, and signs them. It signs none that cannot work.

The checks use the account as the caller knows it (from a node, or None offline). The rules
are in `consensus`; here are only checks whose failure a user wants to see before anything is sent.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from inos.consensus.jury import compute_fee, compute_min_bond, compute_product_mib, compute_task_mib
from inos.consensus.params import Params
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import MatrixRef
from inos.primitives.multisig import SIGNATURE_BYTES, Multisig, count_joint_bytes
from inos.primitives.payments import MAX_PAYMENTS, Payment, compute_total, pack_payments
from inos.primitives.transactions import (
    MAX_TASK_FILES,
    MAX_TX_BYTES,
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    Payload,
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
    get_max_bytes,
    get_sender,
    is_transaction_signed,
    list_receivers,
)
from inos.primitives.units import U64_MAX, Height, JobId, MatrixId, Nano, format_credits
from inos.wallet.addresses import decode_address
from inos.wallet.drafts import Owner
from inos.wallet.errors import WalletError
from inos.wallet.keys import Key
from inos.wallet.signers import Signer, make_signer

HASH_BYTES: Final = 32
TYPICAL_BYTES: Final = 500
"""The bytes for which a node advises a fee if it is not told how many."""
MAX_ADVISED_FEE: Final = Nano(100_000_000)
"""0.1 credits: a hundred thousand times what a transfer pays while blocks have room."""


class AccountView(Struct, frozen=True):
    """The builder's view of the sender: the nonce to use, and the nano that can be spent."""

    nonce: int
    balance: Nano


def make_transfer(hrp: str, to: str, amount: int) -> Transfer:
    """Return a transfer of `amount` nano to an address given as text.

    Raises:
        WalletError: for the same reasons as `addresses.decode_address`; "bad-amount" for zero or less, or for more than
            2^64 - 1.
    """
    return Transfer(decode_address(hrp, to), _check_amount("the amount", amount, least=1))


def make_transfer_many(params: Params, hrp: str, payments: Sequence[tuple[str, int]]) -> TransferMany:
    """Return one transfer of (address, nano) pairs to up to 256 addresses, each named once, in any order.

    Raises:
        WalletError: for the same reasons as `addresses.decode_address`; "bad-amount" for less than `job_fee` or more
            than 2^64 - 1 nano; "bad-payments" for none or more than 256 of them, or for an address that is named twice.
    """
    if not 1 <= len(payments) <= MAX_PAYMENTS:
        raise WalletError(
            "bad-payments",
            f"one transaction makes 1 .. {MAX_PAYMENTS} payments, not {len(payments)}",
            hint="make the other payments in further transactions",
        )
    found = [
        Payment(decode_address(hrp, to), _check_amount(f"the amount of {to}", amount, least=max(1, params.job_fee)))
        for to, amount in payments
    ]
    named: set[bytes] = set()
    for (address, _), (to, _) in zip(found, payments, strict=True):
        if address in named:
            raise WalletError(
                "bad-payments", f"{to} is named twice", hint="make one payment of both amounts to this address"
            )
        named.add(address)
    return TransferMany(pack_payments(found))


def make_post_job(
    params: Params,
    height: Height,
    x: MatrixRef,
    w: MatrixRef,
    *,
    reward: int,
    max_burn: int,
    lifetime: int,
    bond: int | None = None,
    claim_window: int | None = None,
    mode: JobMode = JobMode.CHECKED,
) -> PostJob:
    """Return a job open for `lifetime` blocks after `height`; bond and window default to the least allowed.

    Raises:
        WalletError: "bad-amount", "shape-mismatch" (operands of different depth), "bad-lifetime", "bad-claim-window".
    """
    if x.cols != w.cols:
        raise WalletError("shape-mismatch", f"X has {x.cols} columns and W has {w.cols}; Y = X * W^T needs them equal")
    least = params.min_bond
    if mode is JobMode.OPTIMISTIC:
        least = Nano(compute_min_bond(params, reward, compute_product_mib(x.rows, w.rows, x.cols)))
    return PostJob(
        x=x,
        w=w,
        reward=_check_amount("the reward", reward, least=1),
        bond=_check_amount("the bond", least if bond is None else bond, least=least),
        claim_window=_choose_window(params, claim_window),
        deadline=height + _check_lifetime(params, lifetime),
        mode=mode,
        max_burn=_check_amount("the highest burn", max_burn, least=1),
    )


def make_post_task(
    params: Params,
    height: Height,
    kind: TaskKind,
    spec: MatrixId,
    inputs: Sequence[MatrixId],
    *,
    tickets: int,
    units: int,
    reward: int,
    max_burn: int,
    lifetime: int,
    bond: int | None = None,
    claim_window: int | None = None,
) -> PostTask:
    """Return a task open for `lifetime` blocks after `height`; bond and window default to the least allowed.

    Raises:
        WalletError: "bad-amount", "bad-task" (too many inputs, or no units), "bad-lifetime", "bad-claim-window".
    """
    if len(inputs) > MAX_TASK_FILES:
        raise WalletError("bad-task", f"a task has at most {MAX_TASK_FILES} inputs, not {len(inputs)}")
    if units < 1 or not 0 <= tickets <= units:
        raise WalletError("bad-task", f"a task has at least 1 unit and no more tickets, not {units} and {tickets}")
    least = Nano(compute_min_bond(params, reward, compute_task_mib(units)))
    return PostTask(
        kind=kind,
        spec=spec,
        inputs=tuple(inputs),
        tickets=tickets,
        units=units,
        reward=_check_amount("the reward", reward, least=1),
        bond=_check_amount("the bond", least if bond is None else bond, least=least),
        claim_window=_choose_window(params, claim_window),
        deadline=height + _check_lifetime(params, lifetime),
        max_burn=_check_amount("the highest burn", max_burn, least=1),
    )


def make_outcome(job: JobId, outputs: Sequence[MatrixId]) -> SubmitOutcome:
    """Return the delivery of a task's outputs.

    Raises:
        WalletError: "bad-job-id", "bad-task".
    """
    if not 1 <= len(outputs) <= MAX_TASK_FILES:
        raise WalletError("bad-task", f"an outcome has 1 .. {MAX_TASK_FILES} outputs, not {len(outputs)}")
    return SubmitOutcome(_check_id(job), tuple(outputs))


def make_claim(job: JobId) -> ClaimJob:
    """Return a claim on a job by its id (32 bytes)."""
    return ClaimJob(_check_id(job))


def make_result(job: JobId, y: MatrixRef) -> SubmitResult:
    """Return the delivery of a job's product."""
    return SubmitResult(_check_id(job), y)


def make_cancel(job: JobId) -> CancelJob:
    """Return the cancellation of a job of the sender."""
    return CancelJob(_check_id(job))


def make_dispute(job: JobId) -> Dispute:
    """Return the demand that a jury decides about a delivered result."""
    return Dispute(_check_id(job))


def compute_stake(params: Params, bond: int, mib: int) -> Nano:
    """Return what a dispute of a job of this size stakes, in nano: the job's bond and its jury fee."""
    return Nano(bond + compute_fee(params, bond, mib))


def compute_cost(payload: Payload, fee: int, *, locked: int = 0) -> Nano:
    """Return the most nano that the account must have: what is moved, escrowed and burned at most, and the fee.

    `locked` is what a claim or a dispute locks, because their payloads do not say it: the job's bond, or the stake.
    """
    match payload:
        case Transfer(amount=amount):
            moved = amount
        case TransferMany():
            moved = compute_total(payload.payments)
        case PostJob() | PostTask():
            moved = payload.reward + payload.max_burn
        case ClaimJob() | Dispute():
            moved = locked
        case RegisterVoter():
            moved = payload.bond
        case (
            SubmitResult()
            | SubmitOutcome()
            | CancelJob()
            | Challenge()
            | UnbondVoter()
            | WithdrawBond()
            | ReportVoter()
            | JuryVote()
            | JuryReveal()
        ):
            moved = 0
        case _:
            assert_never(payload)
    return Nano(moved + fee)


def ask_fee(payload: Payload | None, owner: Owner | None) -> dict[str, int]:
    """Return the parameters of `tx_estimateFee` for a payload: what differs from a typical transaction of one key.

    Args:
        payload: None for one that pays no addresses.
        owner: who pays; None if that is not known.
    """
    asked = {}
    receivers = 0 if payload is None else len(list_receivers(payload))
    if receivers > 1:
        asked["payments"] = receivers
    if isinstance(owner, Multisig):
        asked["size"] = TYPICAL_BYTES + len(encode(owner)) + count_joint_bytes(owner)
        asked["signatures"] = owner.threshold
    return asked


def check_advised_fee(fee: int, payments: int = 1) -> Nano:
    """Return a fee that a node advised, which may be another than the user thinks.

    Args:
        payments: how many transfers the transaction is worth.

    Raises:
        WalletError: "fee-too-high".
    """
    most = MAX_ADVISED_FEE * max(1, payments)
    if fee > most:
        raise WalletError(
            "fee-too-high",
            f"the node advises a fee of {format_credits(fee)} credits, and above {format_credits(most)} "
            "no advice is followed",
            hint="ask another node; or give the fee yourself: --fee CREDITS, fee_nano in Python",
        )
    return Nano(fee)


def check_affordable(payload: Payload, fee: int, account: AccountView, *, locked: int = 0) -> None:
    """Refuse what the account cannot pay.

    Raises:
        WalletError: "bad-amount" for a fee out of range, "insufficient-balance".
    """
    _check_amount("the fee", fee, least=0)
    cost = compute_cost(payload, fee, locked=locked)
    if cost > account.balance:
        owned = format_credits(account.balance)
        raise WalletError(
            "insufficient-balance",
            f"this costs {format_credits(cost)} credits with its fee, the account has {owned}",
            hint=f"{format_credits(cost - account.balance)} credits are missing",
        )


def sign_payload(signer: Key | Signer, chain_id: int, nonce: int, fee: int, payload: Payload) -> Transaction:
    """Return the signed transaction after its signature was verified. The balance is not checked.

    Raises:
        WalletError: "bad-amount" for a fee out of range, "bad-nonce"; "transaction-too-large" for several keys that
            pay many addresses; "signing-failed", "signatures-missing".
    """
    _check_amount("the fee", fee, least=0)
    if not 0 <= nonce <= U64_MAX:
        raise WalletError("bad-nonce", f"a nonce is 0 .. 2^64 - 1, not {nonce}")
    signer = make_signer(signer)
    unsigned = Transaction(chain_id, signer.owner, nonce, fee, payload, bytes(SIGNATURE_BYTES))
    _check_size(unsigned)
    tx = replace(unsigned, signature=signer.sign(unsigned))
    if get_sender(tx) != signer.address or not is_transaction_signed(tx):
        raise WalletError("signing-failed", "the new signature does not verify: do not trust what made it")
    return tx


def _check_size(unsigned: Transaction) -> None:
    """Refuse what will be too large with its signatures, before many people sign it."""
    owner = unsigned.sender
    if not isinstance(owner, Multisig):
        return
    size = len(encode(replace(unsigned, signature=bytes(count_joint_bytes(owner)))))
    most = get_max_bytes(unsigned.payload)
    if size > most:
        raise WalletError(
            "transaction-too-large",
            f"with the keys and {owner.threshold} signatures it takes {size} bytes, and at most {most} are allowed",
            hint="pay fewer addresses at once",
        )


def build_transaction(
    signer: Key | Signer, chain_id: int, account: AccountView, payload: Payload, fee: int, *, locked: int = 0
) -> Transaction:
    """Check that the account can pay for `payload`, then sign it with the account's next nonce.

    Raises:
        WalletError: for the same reasons as `check_affordable` and `sign_payload`; nothing is signed then.
    """
    check_affordable(payload, fee, account, locked=locked)
    return sign_payload(signer, chain_id, account.nonce, fee, payload)


def encode_transaction(tx: Transaction) -> str:
    """Return the canonical bytes in hex, as `tx_send` takes them."""
    return encode(tx).hex()


def decode_transaction(text: str) -> Transaction:
    """Return the transaction that the hex text holds.

    Raises:
        WalletError: "bad-transaction" if it is not hex, not canonical, or its signature does not verify.
    """
    try:
        tx = decode(Transaction, bytes.fromhex(text.strip()), limit=MAX_TX_BYTES)
    except ValueError as error:
        raise WalletError("bad-transaction", "the transaction is not written in hex digits") from error
    except CodecError as error:
        raise WalletError("bad-transaction", f"not a transaction: {error.message}") from error
    if not is_transaction_signed(tx):
        raise WalletError(
            "bad-transaction", "the transaction's signature does not verify: it was changed after signing"
        )
    return tx


def _check_amount(what: str, amount: int, *, least: int) -> int:
    if not least <= amount <= U64_MAX:
        bound = f"at least {format_credits(least)}" if amount < least else f"at most {format_credits(U64_MAX)}"
        raise WalletError("bad-amount", f"{what} must be {bound} credits, not {format_credits(amount)}")
    return amount


def choose_claim_window(params: Params, units: int, difficulty: int) -> int:
    """Return a claim window: the job's units at an eighth of the network's speed, and four times the least window."""
    return min(4 * params.min_claim_window + 8 * units // max(1, difficulty), params.max_claim_window)


def _choose_window(params: Params, window: int | None) -> int:
    if window is None:
        return params.min_claim_window
    if not params.min_claim_window <= window <= params.max_claim_window:
        allowed = f"{params.min_claim_window} .. {params.max_claim_window}"
        raise WalletError("bad-claim-window", f"a claim window is {allowed} blocks, not {window}")
    return window


def _check_lifetime(params: Params, lifetime: int) -> int:
    if not 1 <= lifetime <= params.max_job_lifetime:
        raise WalletError("bad-lifetime", f"a job lives 1 .. {params.max_job_lifetime} blocks, not {lifetime}")
    return lifetime


def _check_id(job: JobId) -> bytes:
    if len(job) != HASH_BYTES:
        raise WalletError("bad-job-id", f"a job id is {HASH_BYTES} bytes, this has {len(job)}")
    return bytes(job)
