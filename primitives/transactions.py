"""Transactions: the account that pays, the payload, and the signature over both."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, Final, TypeAlias, assert_never

from msgspec import Meta, Struct

from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import (
    MAX_DEPTH,
    MAX_RESULT_PATH,
    PANEL_BYTES,
    STRIP_BYTES,
    U32,
    Hash32,
    MatrixRef,
    StripRow,
)
from inos.primitives.multisig import (
    MAX_JOINT_BYTES,
    SIGNATURE_BYTES,
    Multisig,
    compute_multisig_address,
    is_sound,
    split_signatures,
)
from inos.primitives.payments import PackedPayments, iterate_payments
from inos.primitives.signatures import (
    are_signatures_valid,
    compute_address,
    compute_public_key,
    sign,
)
from inos.primitives.units import Address, Hash, JobId, PublicKey, TxId
from inos.primitives.votes import BlsKey, BlsSignature, SignedLink

SMALL_TX_BYTES: Final = 4096
"""The limit for every transaction but those below. The largest such payload, PostTask, takes under 700 bytes, and
sixteen keys with their signatures under 1,600."""
MANY_TX_BYTES: Final = 8192
"""The limit for a TransferMany; 256 payments take 7,168 bytes, and the rest of the transaction under 140; of
many keys, fewer payments fit."""
CHALLENGE_REST_BYTES: Final = 1024 + 34 * 3 * 2 * MAX_RESULT_PATH
"""The most that a challenge takes without its strips: three paths, and the fields of every transaction."""

AddressBytes = Annotated[bytes, Meta(min_length=20, max_length=20)]
SignatureBytes = Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=MAX_JOINT_BYTES)]
U64 = Annotated[int, Meta(ge=0)]
"""An unsigned 64-bit integer; msgpack itself holds none that is larger."""
MAX_TASK_FILES: Final = 16
"""A task names at most this many inputs, and its outcome this many outputs."""
MeshIds = Annotated[tuple[Hash32, ...], Meta(max_length=MAX_TASK_FILES)]


class JobMode(IntEnum):
    """The way a result is checked before it is paid (protocol, section 5)."""

    CHECKED = 0
    OPTIMISTIC = 1


class TaskKind(IntEnum):
    """The kind of computation that a task asks for."""

    PROGRAM = 1
    """A graph of exact integer tensor operations (see inos.programs)."""
    FUNCTION = 2
    """A WebAssembly command (see inos.functions)."""


class Transfer(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=1):
    """Move `amount` nano to an address."""

    to: AddressBytes
    amount: U64


class PostJob(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """Ask for X * W^T: escrows `reward` and burns the price of posting, at most `max_burn` nano for all its parts.

    `bond` is what a worker must lock, `claim_window` for how many blocks no other worker can claim the job,
    `deadline` the last height at which the job can be claimed or delivered.
    """

    x: MatrixRef
    w: MatrixRef
    reward: U64
    bond: U64
    claim_window: U32
    deadline: U64
    mode: JobMode
    max_burn: U64


class ClaimJob(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """Lock the job's bond; nobody else can deliver the job during its claim window."""

    job: Hash32


class SubmitResult(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=4):
    """Deliver Y (int32, m x n) for a job claimed by the sender."""

    job: Hash32
    y: MatrixRef


class CancelJob(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=5):
    """Take back the reward of the sender's own job if it is unclaimed or past its deadline."""

    job: Hash32


class Challenge(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=6):
    """Show that tile (i, j), 16 x 16, of a delivered result is wrong.

    `x` is the whole row i of X's strips and `w` the whole row j of W's, `y` the one strip of Y that holds the tile.
    """

    job: Hash32
    i: U32
    j: U32
    x: StripRow
    w: StripRow
    y: StripRow


class RegisterVoter(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=7):
    """Become a voter on finality, or add to one's bond: a BLS key, its proof of possession, and a bond in nano.

    The proof is a signature over the key, the sender's address and the chain id.
    """

    key: BlsKey
    proof: BlsSignature
    bond: U64


class UnbondVoter(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=8):
    """Stop being chosen for committees; the bond stays locked for the unbonding time."""


class WithdrawBond(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=9):
    """Take the bond back when the unbonding time is over."""


class ReportVoter(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=10):
    """Report a voter: two votes of one key, which no voter may both sign."""

    key: BlsKey
    first: SignedLink
    second: SignedLink


class Verdict(IntEnum):
    """What a juror says about a disputed result."""

    RIGHT = 0
    WRONG = 1
    UNAVAILABLE = 2
    """At least one of the three matrices was requested and nobody served it."""


class Dispute(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=11):
    """Ask a jury about a delivered, unpaid result; the sender stakes the job's bond and its jury fee."""

    job: Hash32


class JuryVote(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=12):
    """A juror's committed verdict (see inos.primitives.jury), signed by the voter's BLS key. Any account may send it.

    `drawn_at` is the height at which the jury was drawn: it tells one dispute of a job from a later one.
    """

    job: Hash32
    drawn_at: U64
    key: BlsKey
    commitment: Hash32
    signature: BlsSignature


class JuryReveal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=13):
    """Open a committed verdict, signed by the voter's BLS key. Any account may send it."""

    job: Hash32
    drawn_at: U64
    key: BlsKey
    verdict: Verdict
    salt: Hash32
    signature: BlsSignature


class PostTask(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=14):
    """Ask for a whole computation, as an optimistic job: escrows `reward` and burns the price of posting, at most
    `max_burn` nano for all its parts.

    `spec` and `inputs` are mesh ids. `units` is what the task is priced by, and `tickets` how many of them are lottery
    tickets of a program's products. The other fields are those of PostJob.
    """

    kind: TaskKind
    spec: Hash32
    inputs: MeshIds
    tickets: U64
    units: U64
    reward: U64
    bond: U64
    claim_window: U32
    deadline: U64
    max_burn: U64


class SubmitOutcome(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=15):
    """Deliver the outputs of a task claimed by the sender, as mesh ids."""

    job: Hash32
    outputs: MeshIds


class TransferMany(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=16):
    """Move amounts to up to 256 addresses, which are in strictly ascending order (see inos.primitives.payments)."""

    payments: PackedPayments


Payload: TypeAlias = (
    Transfer
    | PostJob
    | ClaimJob
    | SubmitResult
    | CancelJob
    | Challenge
    | RegisterVoter
    | UnbondVoter
    | WithdrawBond
    | ReportVoter
    | Dispute
    | JuryVote
    | JuryReveal
    | PostTask
    | SubmitOutcome
    | TransferMany
)


class Transaction(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A signed order of the account that `sender` owns: an x-only key, or several of which some sign.

    The signature has 64 bytes of the one key, or what `inos.primitives.multisig.join_signatures` makes of several.
    """

    chain_id: U32
    sender: Hash32 | Multisig
    nonce: U64
    fee: U64
    payload: Payload
    signature: SignatureBytes


def compute_challenge_bytes(depth: int) -> int:
    """Return the most bytes that a challenge of a product of depth `depth` takes as a transaction."""
    return (2 * -(-depth // PANEL_BYTES) + 1) * STRIP_BYTES + CHALLENGE_REST_BYTES


MAX_TX_BYTES: Final = compute_challenge_bytes(MAX_DEPTH)
"""The limit for all transactions; `get_max_bytes` has the limit of each kind."""


def get_max_bytes(payload: Payload) -> int:
    """Return the most bytes that a transaction with this payload may take."""
    if isinstance(payload, Challenge):
        return MAX_TX_BYTES
    return MANY_TX_BYTES if isinstance(payload, TransferMany) else SMALL_TX_BYTES


def compute_signing_hash(tx: Transaction) -> Hash:
    """Return H("transaction", the encoding of all fields but the signature)."""
    return compute_hash(Context.TRANSACTION, encode((tx.chain_id, tx.sender, tx.nonce, tx.fee, tx.payload)))


def compute_tx_id(tx: Transaction) -> TxId:
    """Return H("transaction id", the whole encoding), so that the id commits to the signature too."""
    return TxId(compute_hash(Context.TRANSACTION_ID, encode(tx)))


def get_sender(tx: Transaction) -> Address:
    """Return the address of the account that the transaction spends from."""
    if isinstance(tx.sender, Multisig):
        return compute_multisig_address(tx.sender)
    return compute_address(PublicKey(tx.sender))


def list_signatures(tx: Transaction) -> list[tuple[PublicKey, bytes]] | None:
    """Return the keys that must have signed the transaction, with their signatures (64 bytes each).

    None if it has not as many as its sender says, or if its sender is not sound.
    """
    if isinstance(tx.sender, Multisig):
        return split_signatures(tx.sender, tx.signature) if is_sound(tx.sender) else None
    return [(PublicKey(tx.sender), tx.signature)] if len(tx.signature) == SIGNATURE_BYTES else None


def count_signatures(tx: Transaction) -> int:
    """Return how many signatures the transaction must have."""
    return tx.sender.threshold if isinstance(tx.sender, Multisig) else 1


def get_job_id(tx: Transaction) -> JobId | None:
    """Return the job that the transaction posts or names, or None."""
    match tx.payload:
        case PostJob() | PostTask():
            return JobId(compute_tx_id(tx))
        case (
            ClaimJob()
            | SubmitResult()
            | SubmitOutcome()
            | CancelJob()
            | Challenge()
            | Dispute()
            | JuryVote()
            | JuryReveal()
        ):
            return JobId(tx.payload.job)
        case Transfer() | TransferMany() | RegisterVoter() | UnbondVoter() | WithdrawBond() | ReportVoter():
            return None
        case _:
            assert_never(tx.payload)


def list_receivers(payload: Payload) -> list[Address]:
    """Return the addresses that a transfer of either kind pays; of any other payload none."""
    if isinstance(payload, Transfer):
        return [Address(payload.to)]
    if isinstance(payload, TransferMany):
        return [payment.to for payment in iterate_payments(payload.payments)]
    return []


def sign_transaction(secret: bytes, chain_id: int, nonce: int, fee: int, payload: Payload) -> Transaction:
    """Build and sign a transaction from the account of `secret` (32 bytes)."""
    unsigned = Transaction(chain_id, compute_public_key(secret), nonce, fee, payload, bytes(64))
    signature = sign(secret, compute_signing_hash(unsigned))
    return Transaction(chain_id, unsigned.sender, nonce, fee, payload, signature)


def are_transactions_signed(transactions: Sequence[Transaction]) -> bool:
    """Return True if `is_transaction_signed` holds for each."""
    keys, digests, signatures = list[PublicKey](), list[bytes](), list[bytes]()
    for tx in transactions:
        found = list_signatures(tx)
        if found is None:
            return False
        digest = compute_signing_hash(tx)
        for key, signature in found:
            keys.append(key)
            digests.append(digest)
            signatures.append(signature)
    return are_signatures_valid(keys, digests, signatures)


def is_transaction_signed(tx: Transaction) -> bool:
    """Return True if the signature is the sender's over the signing hash; of several keys, if each of them is."""
    return are_transactions_signed((tx,))
