"""What a node answers, as typed values: amounts are ints of nano, ids hex text as on the wire.

Unknown members are ignored, so that a client works with a newer node.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from inos.client.errors import ClientError

T = TypeVar("T")


class NodeVersion(Struct, frozen=True):
    """Which software on which network; `genesis` tells networks apart."""

    name: str
    version: str
    network: str
    chain_id: int
    genesis: str
    protocol_version: int
    node_id: str
    hrp: str


class Head(Struct, frozen=True):
    """The tip of the best chain. `weight` and `difficulty` are tickets."""

    id: str
    height: int
    time_ms: int
    weight: int
    target: str
    difficulty: int
    state_root: str
    peers: int = 0
    pool: int = 0


class Ref(Struct, frozen=True):
    """A matrix by content."""

    id: str
    rows: int
    cols: int
    root: str


class Header(Struct, frozen=True):
    """A block's header; `confirmations` is 1 for the tip, 0 off the best chain."""

    id: str
    height: int
    parent: str
    time_ms: int
    state_root: str
    target: str
    difficulty: int
    beneficiary: str
    uses_merit: bool
    status: str
    confirmations: int


class TransactionInfo(Struct, frozen=True):
    """A decoded transaction; `fee` in nano, `payload` as the node spells it."""

    id: str
    kind: str
    sender: str
    nonce: int
    fee: int
    size: int
    payload: dict[str, Any]


class FoundTransaction(Struct, frozen=True):
    """A transaction and where it is; `block` is None while it waits in the pool."""

    tx: TransactionInfo
    status: str
    block: str | None
    height: int | None
    index: int | None
    confirmations: int


class BlockStats(Struct, frozen=True):
    """What a block did to supply and market: nano, and tickets."""

    subsidy: int
    fees: int
    burned: int
    base_fee: int
    tickets_posted: int
    tickets_settled: int
    settled: tuple[str, ...]
    weight: int
    supply: int


class BlockInfo(Struct, frozen=True):
    """A block with its transactions."""

    header: Header
    id: str
    height: int
    size: int
    stats: BlockStats | None
    transactions: tuple[TransactionInfo, ...]


class AccountInfo(Struct, frozen=True):
    """An account at the tip. Amounts in nano, merit and reputation in tickets."""

    address: str
    nonce: int
    pending_nonce: int
    balance: int
    bonded: int
    merit: int
    reputation: int
    open_claims: int
    height: int
    block: str
    proof: dict[str, Any] | None = None


class Job(Struct, frozen=True):
    """A job at the tip. `state` is open, claimed, delivered, settled or cancelled."""

    id: str
    state: str
    poster: str
    x: Ref
    w: Ref
    tickets: int
    reward: int
    bond: int
    burned: int
    claim_window: int
    deadline: int
    posted_at: int
    closed_at: int | None
    worker: str | None
    y: Ref | None
    mode: str = "checked"


class JobPage(Struct, frozen=True):
    """Jobs, oldest first; `next` is the `after` of the next page."""

    jobs: tuple[Job, ...]
    next: str | None


class JobEvent(Struct, frozen=True):
    """A step of a job: posted, claimed, delivered, settled, lapsed, challenged or cancelled; `amount` in nano."""

    event: str
    height: int
    worker: str | None
    amount: int


class JobHistory(Struct, frozen=True):
    """All steps of a job, oldest first."""

    id: str
    events: tuple[JobEvent, ...]


class WorkerRecord(Struct, frozen=True):
    """Jobs an address took on; amounts in nano."""

    claimed: int
    settled: int
    lapsed: int
    challenged: int
    tickets: int
    earned: int
    bonds_lost: int


class PosterRecord(Struct, frozen=True):
    """Jobs an address posted; amounts in nano."""

    posted: int
    settled: int
    cancelled: int
    lapsed: int
    challenged: int
    tickets: int
    paid: int
    burned: int


class TrackRecord(Struct, frozen=True):
    """How an address has dealt since genesis."""

    address: str
    height: int
    worker: WorkerRecord
    poster: PosterRecord


class Product(Struct, frozen=True):
    """What a block multiplied: X (m x k) times W (n x k) transposed, and the ticket (i, j, p) that won."""

    x: str
    w: str
    m: int
    n: int
    k: int
    i: int
    j: int
    p: int


class BlockSummary(Struct, frozen=True):
    """A block without its transactions. What it did is None where it is off the best chain and never was on it."""

    id: str
    height: int
    parent: str
    time_ms: int
    spacing_ms: int
    beneficiary: str
    uses_merit: bool
    difficulty: int
    finality: str
    product: Product | None
    transactions: int
    weight: int | None
    tickets_posted: int | None
    tickets_settled: int | None
    settled: tuple[str, ...]
    subsidy: int | None
    fees: int | None
    burned: int | None
    base_fee: int | None
    supply: int | None


class BlockPage(Struct, frozen=True):
    """Newest first; `next` is `first` of the next page."""

    blocks: tuple[BlockSummary, ...]
    next: int | None


class Certificate(Struct, frozen=True):
    """Header and witness in their canonical encoding, as hex; docs/protocol.md, section 3, says how to check them."""

    id: str
    height: int
    header: str
    witness: str | None
    premium: int


class Movement(Struct, frozen=True):
    """One change of an account, in nano; negative where something was taken."""

    reason: str
    balance: int
    bonded: int
    counterparty: str | None
    job: str | None


class HistoryEntry(Struct, frozen=True):
    """What a transaction, a block's start or a block's reward moved on an account; `balance` with the fee in it."""

    id: str
    height: int
    block: str
    time_ms: int
    kind: str
    balance: int
    bonded: int
    fee: int
    movements: tuple[Movement, ...]


class HistoryPage(Struct, frozen=True):
    """Newest first; `next` is `before` of the next page."""

    entries: tuple[HistoryEntry, ...]
    next: str | None


class ReputationPoint(Struct, frozen=True):
    """After a block in which they changed; tickets."""

    height: int
    merit: int
    reputation: int


class ReputationHistory(Struct, frozen=True):
    """Oldest first; not complete where there were too many changes to read."""

    points: tuple[ReputationPoint, ...]
    is_complete: bool


class PooledTransaction(Struct, frozen=True):
    id: str
    sender: str
    nonce: int
    fee: int
    kind: str
    size: int


class PoolPage(Struct, frozen=True):
    """`count` and `bytes` are of the whole pool."""

    count: int
    bytes: int
    transactions: tuple[PooledTransaction, ...]


class Quote(Struct, frozen=True):
    """What a product would cost now; `sample` settled jobs are behind the suggestion, 0: a default."""

    tickets: int
    base_fee: int
    burn: int
    reward_per_ticket: int
    suggested_reward: int
    sample: int
    expected_blocks: int
    expected_s: float
    bytes: int
    max_bytes: int
    mode: str


class FeeEstimate(Struct, frozen=True):
    """Nano; `base_fee` is burned per ticket by a job in the next block."""

    fee: int
    fee_per_byte: int
    base_fee: int


class UsefulWork(Struct, frozen=True):
    """Work over a window of blocks; the share only says what somebody paid for."""

    from_height: int
    to_height: int
    blocks: int
    blocks_with_merit: int
    weight_mined: int
    tickets_settled: int
    tickets_posted: int
    useful_share: float
    burned: int
    burn_per_ticket: float


class Supply(Struct, frozen=True):
    """Nano: minted - burned = supply."""

    minted: int
    burned: int
    supply: int
    escrowed: int
    is_conserved: bool | None = None


class StoredMatrix(Struct, frozen=True):
    """What a node calls a matrix it keeps."""

    id: str
    dtype: str
    rows: int
    cols: int
    root: str


class FetchedMatrix(Struct, frozen=True):
    """A matrix as it comes: base64 of row-major little-endian numbers."""

    id: str
    dtype: str
    rows: int
    cols: int
    data: str


def convert(kind: type[T], value: Any, method: str) -> T:
    """A node's answer as a typed value; decimal strings become numbers.

    Raises:
        ClientError: "bad-response" naming the member that does not fit.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ClientError(
            "bad-response", f"the node's answer to {method} is not what this client knows: {error}"
        ) from error
