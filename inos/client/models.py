"""What a node answers, as structs. Generated from its OpenRPC document by `make models`; do not edit.

Amounts are nano, weights and difficulties tickets, times milliseconds since 1970 UTC.
"""

from typing import Any, TypeAlias

from msgspec import Struct

from inos.primitives.units import Height, Nano, TimeMs

AccountAddress: TypeAlias = str
"""The address of an account in bech32m, e.g. dinos1..."""

NanoAmount: TypeAlias = Nano
"""An amount in nano; 10^9 nano are one credit."""

BigInteger: TypeAlias = int
"""A non-negative integer."""

BlockHeight: TypeAlias = Height
"""A block's height: the number of blocks below it."""

Hash: TypeAlias = str
"""32 bytes as 64 hex digits."""

HexBytes: TypeAlias = str
"""Bytes as hex digits."""

UnixMs: TypeAlias = TimeMs
"""A time in milliseconds since 1970-01-01 00:00 UTC."""

BlockFinality: TypeAlias = str
"""Values: "final": the block is never undone. "justified": two thirds of a committee voted for a checkpoint at or above
it. "none": neither.
"""

TransactionKind: TypeAlias = str
"""What a transaction does. One of: transfer, post_job, claim_job, submit_result, cancel_job, challenge, register_voter,
unbond_voter, withdraw_bond, report_voter, dispute, jury_vote, jury_reveal, post_task, submit_outcome, transfer_many.
"""

TransactionPayload: TypeAlias = dict[str, Any]
"""The parameters of what a transaction does; its kind says which of these they are."""

BlsKey: TypeAlias = str
"""A BLS public key, 48 bytes as 96 hex digits."""

HistoryEntryKind: TypeAlias = TransactionKind | str
"""The transaction's kind, or: "genesis": the genesis block allocated credits. "block_start": claims lapsed or results
were paid at the start of a block. "block_reward": the account mined the block.
"""

NanoChange: TypeAlias = int
"""A change in nano; negative if the account lost it."""

MovementReason: TypeAlias = str
"""Why an account's balance or bonds changed. One of: allocated, fee, sent, received, job_reward_escrowed, job_burn,
job_reward_returned, job_paid, claim_bond_locked, claim_bond_returned, claim_lapsed, lapse_compensation,
result_challenged, challenge_paid, voter_bond_locked, voter_bond_withdrawn, voter_slashed, report_paid, subsidy,
fees_collected, dispute_staked, stake_returned, stake_lost, bond_to_jury, result_rejected, dispute_paid, jury_paid,
juror_silent, votes_paid, votes_included.
"""

JobState: TypeAlias = str
"""Values: "open": any worker may claim the job. "claimed": one worker has until expires_at. "delivered": the result can
be challenged or disputed until it is paid. "disputed": a jury decides about it. "settled": the worker was paid.
"cancelled": the poster got the reward back. "undecided": the jury came to no decision, and the reward was burned.
"""

JobKind: TypeAlias = str
"""Values: "product": a matrix product. "program" and "function": a whole computation, which is always optimistic."""

TaskKind: TypeAlias = str
"""Values: "program": a graph of exact integer tensor operations. "function": a WebAssembly command."""

JobMode: TypeAlias = str
"""Values: "checked": every node checks the product before it accepts the result. "optimistic": the result is paid after
a window in which anyone can challenge it.
"""

JobEventName: TypeAlias = str
"""What happened to a job. "lapsed": the claim's time ended without a result, and the worker lost its bond.
"challenged": the result was shown to be wrong. After both, the job is open again. "disputed": a jury decides.
"upheld": it found the result right. "rejected": it did not, and the job is open again. "undecided": it came to no
decision, and the job is closed. One of: posted, claimed, delivered, settled, lapsed, challenged, cancelled,
disputed, upheld, rejected, undecided.
"""

MatrixDtype: TypeAlias = str
"""Values: "int8" is an operand with entries from -64 to 63, "int32" a product, "bytes" a file."""

Ratio: TypeAlias = float
"""A fraction."""

SubscriptionId: TypeAlias = str
"""A subscription of one connection."""

TopicName: TypeAlias = str
"""What a subscription reports. One of: heads, finality, transactions, jobs, miner."""


class StateProof(Struct, frozen=True, kw_only=True):
    """A Merkle proof of one state record: the path of H("state key", key). docs/protocol.md says how to check it.

    Returned by `light_prove`.
    """

    key: HexBytes
    """The record's state key."""
    value: HexBytes | None
    """The encoded record; None if the proof shows that there is no such record."""
    state_root: Hash
    """The state root that the proof leads to."""
    block: Hash
    """The id of the block whose header has this state root."""
    siblings: tuple[Hash, ...]
    """The hashes beside the path, from just below the root downwards."""
    other_path: Hash | None
    """For an absent key, the path of the leaf that is found in its place."""
    other_value: HexBytes | None
    """For an absent key, the value of that leaf."""


class Account(Struct, frozen=True, kw_only=True):
    """An account at the tip. An address that was never used has zeros only.

    Returned by `state_getAccount`.
    """

    address: AccountAddress
    """The account's address."""
    nonce: int
    """The nonce that its next transaction on the chain must have."""
    pending_nonce: int
    """The nonce to use for a new transaction, after those in the pool."""
    balance: NanoAmount
    """What the account can spend."""
    bonded: NanoAmount
    """What it has in bonds of claims and of its voter."""
    reputation: BigInteger
    """Its reputation in nano, halved up to the tip."""
    open_claims: int
    """The number of claims that it holds."""
    height: BlockHeight
    """The height of the block whose state this is."""
    block: Hash
    """The id of that block."""
    proof: StateProof | None
    """The proof of its record, if it was asked for."""


class WorkerRecord(Struct, frozen=True, kw_only=True):
    """Jobs that an account took on. Every claim ends settled, lapsed or challenged, or is still in progress."""

    claimed: int
    """Claims made."""
    settled: int
    """Results that were paid."""
    lapsed: int
    """Claims that were not delivered in time; each cost its bond."""
    challenged: int
    """Results that were shown to be wrong; each cost its bond and all reputation."""
    disputed: int
    """Results that a jury was asked about."""
    rejected: int
    """Results that a jury did not find right; each cost its bond and all reputation."""
    undecided: int
    """Results whose jury came to no decision."""
    tickets: int
    """The tickets of the jobs settled."""
    earned: NanoAmount
    """The rewards paid to the account, without returned bonds."""
    bonds_lost: NanoAmount
    """The bonds that it lost."""


class PosterRecord(Struct, frozen=True, kw_only=True):
    """Jobs that an account posted."""

    posted: int
    """Jobs posted."""
    settled: int
    """Jobs whose result was paid."""
    cancelled: int
    """Jobs that the account cancelled."""
    lapsed: int
    """Claims on its jobs that lapsed, because of bad workers or withheld operands."""
    challenged: int
    """Results of its jobs that were shown to be wrong."""
    disputed: int
    """Results of its jobs that a jury was asked about."""
    rejected: int
    """Results of its jobs that a jury did not find right."""
    undecided: int
    """Jobs whose jury came to no decision."""
    tickets: int
    """The tickets of the jobs settled."""
    paid: NanoAmount
    """The rewards of the jobs settled."""
    burned: NanoAmount
    """What posting its jobs burned, and the rewards of undecided ones."""


class RankedAccount(Struct, frozen=True, kw_only=True):
    """An account with what it has and has done."""

    address: AccountAddress
    """The account's address."""
    value: BigInteger
    """What it is ranked by: nano, blocks or tickets."""
    balance: NanoAmount
    """What the account can spend."""
    bonded: NanoAmount
    """What it has in bonds of claims and of its voter."""
    reputation: BigInteger
    """Its reputation in nano, halved up to the tip."""
    mined: int
    """Blocks that it mined."""
    worker: WorkerRecord
    """The account as a worker."""
    poster: PosterRecord
    """The account as a poster."""


class AccountPage(Struct, frozen=True, kw_only=True):
    """A page of accounts.

    Returned by `state_listAccounts`.
    """

    accounts: tuple[RankedAccount, ...]
    """The accounts, the largest value first."""
    next: str | None
    """Pass it as `after` to get the next page; None at the end."""
    height: BlockHeight
    """The height of the block whose state this is."""
    counted_from: BlockHeight
    """Blocks and jobs are counted from this height on: 1, or later if the node began there."""


class KnownAddress(Struct, frozen=True, kw_only=True):
    """An address of the address book. Times are None if the event never happened."""

    id: Hash
    """The node's id."""
    host: str
    """Its host."""
    port: int
    """Its port."""
    group: str
    """The network group, which addresses of one operator have in common."""
    is_tried: bool
    """True if the node was reached at this address."""
    is_connected: bool
    """True if the node is a peer now."""
    last_seen_ms: UnixMs
    """When a peer last announced the address."""
    last_attempt_ms: UnixMs | None
    """When this node last dialled it."""
    last_success_ms: UnixMs | None
    """When this node last reached it."""
    failed_attempts: int
    """Failed attempts since it was last reached."""


class AddressBook(Struct, frozen=True, kw_only=True):
    """The address book.

    Returned by `net_addresses`.
    """

    count: int
    """The number of addresses in the whole book."""
    addresses: tuple[KnownAddress, ...]
    """Addresses, the last seen first."""


class AnnouncedMatrix(Struct, frozen=True, kw_only=True):
    """The result of announcing a matrix.

    Returned by `net_provide`.
    """

    recorded_by: int
    """The number of nodes that keep a record of it."""


class Ban(Struct, frozen=True, kw_only=True):
    """A node or a network group that is refused for a time."""

    kind: str
    """What is banned. One of: node, group."""
    subject: str
    """The node's id, or the network group, such as 20.1.0.0/16."""
    until_ms: UnixMs
    """When the ban ends."""
    since_ms: UnixMs
    """When it began."""
    reason: str
    """The code of the misbehaviour, or how many nodes of the group were banned."""


class BanList(Struct, frozen=True, kw_only=True):
    """The bans in force.

    Returned by `net_bans`.
    """

    count: int
    """The number of bans."""
    bans: tuple[Ban, ...]
    """The bans: nodes first, then network groups."""


class MatrixRef(Struct, frozen=True, kw_only=True):
    """A reference to a matrix by its content: the id commits to data type, dimensions and the root over its strips."""

    id: Hash
    """The matrix's id."""
    rows: int
    """The number of rows."""
    cols: int
    """The number of columns."""
    root: Hash
    """The Merkle root over the matrix's strips of 16 rows."""


class Seal(Struct, frozen=True, kw_only=True):
    """The winning ticket (i, j, p) of the product of x and w, and its digest."""

    x: MatrixRef
    """The left operand X."""
    w: MatrixRef
    """The right operand W; the product is X times W transposed."""
    i: int
    """The index of the strip of 16 rows of X."""
    j: int
    """The index of the strip of 16 rows of W."""
    p: int
    """The index of the panel of 1024 columns of both."""
    digest: Hash
    """The ticket's digest; it is at most the target."""


class Header(Struct, frozen=True, kw_only=True):
    """A block's header, its id, and whether the block is on the best chain and final.

    Returned by `chain_getHeader`.
    """

    id: Hash
    """The block's id, which is the hash of the header."""
    height: BlockHeight
    """The block's height."""
    version: int
    """The version of the header's format."""
    chain_id: int
    """The id of the network's chain."""
    parent: Hash
    """The id of the parent block."""
    time_ms: UnixMs
    """The block's time."""
    tx_root: Hash
    """The Merkle root of the block's transactions."""
    state_root: Hash
    """The root of the state after the block."""
    target: Hash
    """The target as a 256-bit big-endian number."""
    difficulty: BigInteger
    """The mean number of tickets per block at this target."""
    beneficiary: AccountAddress
    """The account that gets subsidy and fees."""
    nonce: BigInteger
    """The header's nonce."""
    seal: Seal | None
    """The proof of work; None in the genesis block only."""
    finality: BlockFinality
    """Says if the block is final."""
    status: str
    """Values: "connected" on the best chain; otherwise how much of the block this node has checked."""
    confirmations: int
    """Blocks from this one to the tip, both included; 0 if it is not on the best chain."""


class BlockStats(Struct, frozen=True, kw_only=True):
    """What a block did to the supply and to the market for work."""

    subsidy: NanoAmount
    """What the block minted for its beneficiary."""
    fees: NanoAmount
    """The fees of its transactions, which its beneficiary gets."""
    burned: NanoAmount
    """What was burned in it."""
    posted_burn: NanoAmount
    """What the jobs burned that it posted."""
    settled_burn: NanoAmount
    """What the jobs that it settled had burned when they were posted."""
    tickets_posted: int
    """The tickets of the jobs that it posted."""
    tickets_settled: int
    """The tickets of the jobs that it settled."""
    settled: tuple[Hash, ...]
    """The ids of the jobs that it settled."""
    weight: BigInteger
    """The block's weight, in tickets."""
    cost_us: int
    """What the block costs by the cost table, in microseconds of the reference core."""
    supply: NanoAmount
    """The supply after the block."""


class Multisig(Struct, frozen=True, kw_only=True):
    """The owners of an account of several keys."""

    threshold: int
    """So many of the keys sign each transaction."""
    keys: tuple[Hash, ...]
    """All keys, in ascending order; the address is a hash of them."""
    signed_by: tuple[Hash, ...]
    """The keys that signed this transaction."""


class Transaction(Struct, frozen=True, kw_only=True):
    """A decoded transaction."""

    id: Hash
    """The transaction's id."""
    kind: TransactionKind
    """What the transaction does."""
    sender: AccountAddress
    """The account that signed the transaction and pays the fee."""
    sender_key: Hash | None
    """The sender's public key; None if it has several."""
    multisig: Multisig | None
    """The sender's keys if it has several; else None."""
    nonce: int
    """The number of transactions of the sender before this one."""
    fee: NanoAmount
    """The fee for the block's beneficiary."""
    size: int
    """Bytes of the canonical encoding."""
    payload: TransactionPayload
    """The parameters of what the transaction does, by kind."""
    signature: HexBytes
    """The sender's signature."""


class Block(Struct, frozen=True, kw_only=True):
    """A block: its header, its stats and its transactions.

    Returned by `chain_getBlock`.
    """

    header: Header
    """The block's header."""
    id: Hash
    """The block's id."""
    height: BlockHeight
    """The block's height."""
    size: int
    """Bytes of the encoded block, without its witness."""
    stats: BlockStats | None
    """What the block did; None if it was never on the best chain."""
    transactions: tuple[Transaction, ...]
    """The transactions in order, or their ids if `full` is false."""


class BlockProduct(Struct, frozen=True, kw_only=True):
    """The product that was multiplied for the block, X (m x k) times W (n x k) transposed, and the winning ticket."""

    x: Hash
    """The id of the matrix X."""
    w: Hash
    """The id of the matrix W."""
    m: int
    """The rows of X."""
    n: int
    """The rows of W."""
    k: int
    """The columns of both."""
    i: int
    """The ticket's strip of 16 rows of X."""
    j: int
    """The ticket's strip of 16 rows of W."""
    p: int
    """The ticket's panel of 1024 columns of both."""


class BlockSummary(Struct, frozen=True, kw_only=True):
    """A block without its transactions. What it did is None if the block was never on the best chain."""

    id: Hash
    """The block's id."""
    height: BlockHeight
    """The block's height."""
    parent: Hash
    """The id of the parent block."""
    time_ms: UnixMs
    """The block's time."""
    spacing_ms: int
    """Milliseconds from its parent's time to its own; 0 for genesis and block 1."""
    beneficiary: AccountAddress
    """The account that gets subsidy and fees."""
    difficulty: BigInteger
    """The mean number of tickets per block at its target."""
    finality: BlockFinality
    """Says if the block is final."""
    product: BlockProduct | None
    """What was multiplied for it; None for genesis."""
    transactions: int
    """The number of its transactions."""
    weight: BigInteger | None
    """The block's weight, in tickets."""
    tickets_posted: int | None
    """The tickets of the jobs that it posted."""
    tickets_settled: int | None
    """The tickets of the jobs that it settled."""
    settled: tuple[Hash, ...]
    """The ids of the jobs that it settled."""
    subsidy: NanoAmount | None
    """What the block minted for its beneficiary."""
    fees: NanoAmount | None
    """The fees of its transactions."""
    burned: NanoAmount | None
    """What was burned in it."""
    settled_burn: NanoAmount | None
    """What the jobs that it settled had burned when they were posted."""
    supply: NanoAmount | None
    """The supply after the block."""


class BlockPage(Struct, frozen=True, kw_only=True):
    """A page of blocks, newest first.

    Returned by `chain_listBlocks`.
    """

    blocks: tuple[BlockSummary, ...]
    """The blocks; each is the parent of the one before it."""
    next: BlockHeight | None
    """Pass it as `first` to get the next page; None after genesis."""


class BlockTemplate(Struct, frozen=True, kw_only=True):
    """A block without nonce and seal. The anchor is H("anchor", the header with a nonce and without its last field).

    Returned by `miner_template`.
    """

    id: Hash
    """The template's id, for miner_submit."""
    parent: Hash
    """The id of the parent block, which is the tip."""
    height: BlockHeight
    """The block's height."""
    header: HexBytes
    """The canonical encoding of the header with nonce 0 and no seal."""
    allowed_target: Hash
    """A ticket wins if its digest is at most this 256-bit big-endian number."""
    difficulty: BigInteger
    """The mean number of tickets per block."""
    beneficiary: AccountAddress
    """The account that the block pays."""
    transactions: int
    """The number of transactions in the block."""


class Certificate(Struct, frozen=True, kw_only=True):
    """A block's certificate. docs/protocol.md, section 3, says how to check it; the explorer does so in the browser.

    Returned by `chain_getCertificate`.
    """

    id: Hash
    """The block's id."""
    height: BlockHeight
    """The block's height."""
    header: HexBytes
    """The canonical encoding of the header; the block's id is H("header", these bytes)."""
    witness: HexBytes | None
    """The canonical encoding of the witness; None for genesis, or if this node no longer keeps it."""


class CommitteeMember(Struct, frozen=True, kw_only=True):
    """A member of a committee."""

    address: AccountAddress
    """The account that registered the voter."""
    key: BlsKey
    """The voter's key."""
    weight: BigInteger
    """The weight of the member's vote."""
    mined: NanoAmount
    """Its mined figure when the committee was chosen."""


class Committee(Struct, frozen=True, kw_only=True):
    """A committee.

    Returned by `finality_committee`.
    """

    epoch: int
    """The epoch at whose checkpoint the committee was chosen."""
    weight: BigInteger
    """The weight of all members."""
    mined: NanoAmount
    """The network's mined figure when the committee was chosen."""
    quorum: BigInteger
    """The least weight that justifies a checkpoint: over two thirds of the weight, and over half of what was mined."""
    members: tuple[CommitteeMember, ...]
    """The members, heaviest first."""


class ConsensusParams(Struct, frozen=True, kw_only=True):
    """Every consensus parameter of the network, as in its genesis file.

    Returned by `chain_getParams`.
    """

    network: str
    """The network's name."""
    chain_id: int
    """The id of the chain, which every transaction and header carries."""
    spacing_ms: int
    """The intended time between blocks, in milliseconds."""
    asert_half_life_ms: int
    """How far behind schedule the chain is when the target has doubled, in milliseconds."""
    genesis_target: Hash
    """The target of block 1."""
    max_target: Hash
    """The easiest target allowed."""
    max_future_ms: int
    """How far ahead of a node's clock a block's time may be, in milliseconds."""
    median_time_blocks: int
    """The number of blocks whose median time a new block's time must exceed."""
    max_block_bytes: int
    """The most bytes of an encoded block, without its witness."""
    subsidy_initial: NanoAmount
    """The subsidy of block 1."""
    subsidy_decay_interval: int
    """Blocks between two reductions of the subsidy by one percent."""
    subsidy_tail: NanoAmount
    """The subsidy never falls below this."""
    burn_per_mille: int
    """The part of a subsidy that a job of as many tickets as the difficulty burns."""
    byte_burn_per_mille: int
    """The part of a subsidy that a checked job of max_checked_block_bytes burns for its bytes."""
    job_fee: NanoAmount
    """What every job burns for its record in the state."""
    account_fee: NanoAmount
    """What a transfer to a new account burns of its amount."""
    max_checked_bytes: int
    """The most bytes of operands and result of a checked job together."""
    max_checked_block_bytes: int
    """The most bytes of the matrices that the checked results of a block name."""
    max_optimistic_bytes: int
    """The most bytes of operands and result of an optimistic job together."""
    max_block_cost_us: int
    """The most that a block may cost, in microseconds of the reference core."""
    min_bond: NanoAmount
    """The smallest bond of a job."""
    min_claim_window: int
    """The smallest claim_window of a job, in blocks."""
    max_claim_window: int
    """The largest claim_window of a job, in blocks."""
    max_job_lifetime: int
    """The most blocks from a job's posting to its deadline."""
    base_open_claims: int
    """The claims that an account without reputation may hold."""
    reputation_per_claim: NanoAmount
    """The reputation that allows one more open claim."""
    max_open_claims: int
    """The most claims that an account may hold."""
    reputation_half_life: int
    """Blocks after which reputation has halved."""
    job_retention: int
    """Blocks for which a closed job stays in the state."""
    result_depth: int
    """Blocks after which a result is taken as checked, and its matrices may go."""
    challenge_window: int
    """Blocks in which an optimistic result can be challenged before it is paid."""
    jury_size: int
    """The seats of a jury."""
    jury_window: int
    """Blocks from a jury's drawing to its count; two thirds of them to commit verdicts."""
    jury_mib_fee: NanoAmount
    """What a seat is paid at least per MiB of the disputed job."""
    epoch_blocks: int
    """Blocks per finality epoch."""
    finality_start: int
    """The height below which no checkpoint is voted on."""
    bond_leverage: int
    """The most that a voter weighs, in multiples of its bond."""
    max_voters: int
    """The most voters there may be."""
    min_voter_bond: NanoAmount
    """The smallest bond of a voter."""
    unbonding_epochs: int
    """Epochs from unbonding until the bond can be withdrawn; evidence still costs it then."""


class EpochVotes(Struct, frozen=True, kw_only=True):
    """The votes that justified a checkpoint."""

    source: int
    """The epoch of the justified checkpoint that the votes start from."""
    committee: int
    """The epoch at whose checkpoint the committee was chosen."""
    members: int
    """The members of the committee."""
    signed: int
    """So many of them signed."""
    weight: BigInteger
    """The weight of the committee, in nano."""
    signed_weight: BigInteger
    """The weight of those that signed."""
    quorum: BigInteger
    """The weight that was needed."""


class Epoch(Struct, frozen=True, kw_only=True):
    """An epoch that has ended, and its checkpoint."""

    epoch: int
    """The epoch."""
    id: Hash
    """The id of its checkpoint, the block at its end."""
    height: BlockHeight
    """The height of the checkpoint."""
    time_ms: UnixMs
    """The time of the checkpoint."""
    finality: BlockFinality
    """Says if the checkpoint is final."""
    votes: EpochVotes | None
    """The votes that justified it; None if none did, or if this node has no record of them."""


class EpochPage(Struct, frozen=True, kw_only=True):
    """A page of epochs.

    Returned by `finality_listEpochs`.
    """

    epochs: tuple[Epoch, ...]
    """The epochs, newest first."""
    next: int | None
    """Pass it as `last` to get the next page; None at the end."""


class FeeEstimate(Struct, frozen=True, kw_only=True):
    """A fee with which a transaction should soon be in a block.

    Returned by `tx_estimateFee`.
    """

    fee: NanoAmount
    """The fee for the whole transaction."""
    fee_per_byte: BigInteger
    """Nano per byte, rounded up."""


class FinalityProofs(Struct, frozen=True, kw_only=True):
    """The proofs that checkpoints are justified. docs/decisions/0068-following-finality.md explains them.

    Returned by `light_finalityProofs`.
    """

    proofs: tuple[HexBytes, ...]
    """Canonical encodings, in the order of the epochs. If there are 16, there are more."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """A checkpoint: the last block of an epoch."""

    epoch: int
    """The epoch that the block ends."""
    id: Hash
    """The block's id."""


class Ballot(Struct, frozen=True, kw_only=True):
    """A checkpoint that is being voted on."""

    source: Checkpoint
    """The justified checkpoint that votes start from."""
    target: Checkpoint
    """The checkpoint that is voted for."""
    committee: int
    """The epoch at whose checkpoint the voting committee was chosen."""
    members: int
    """The number of members of that committee."""
    votes: int
    """The number of votes that this node has received."""
    pot: NanoAmount
    """What members whose votes justify the target are paid, by weight."""


class OwnVoter(Struct, frozen=True, kw_only=True):
    """The voter of a node that was started with --vote."""

    key: BlsKey
    """The voter's key."""
    address: AccountAddress | None
    """The account that registered the key, or that the node would register; None if there is none."""
    is_registered: bool
    """True if the key is registered."""
    bond: NanoAmount
    """The voter's bond."""
    withdrawable_at: BlockHeight | None
    """The height from which the bond can be withdrawn; None unless the voter is unbonding."""
    mined: NanoAmount
    """The account's mined figure: its blocks' subsidies, halved."""
    weight: BigInteger
    """Its weight: the mined figure as far as the bond reaches."""
    votes_sent: int
    """The number of votes sent since the node started."""
    last_voted_epoch: int
    """The epoch of the last checkpoint voted for; 0 before."""
    last_error: str
    """Why the voter could not vote last; empty if it could."""


class FinalityStatus(Struct, frozen=True, kw_only=True):
    """Finality at the tip.

    Returned by `finality_status`.
    """

    epoch: int
    """The tip's epoch; epoch e ends at height e times epoch_blocks."""
    epoch_blocks: int
    """The number of blocks per epoch."""
    final: Checkpoint
    """The last final checkpoint; no reorg undoes it."""
    final_height: BlockHeight
    """Its height."""
    justified: Checkpoint
    """The last justified checkpoint."""
    justified_height: BlockHeight
    """Its height."""
    unfinalized_blocks: int
    """The number of blocks above the last final one."""
    ballots: tuple[Ballot, ...]
    """The checkpoints that are being voted on."""
    voters: int
    """The number of voters with a bond, in a committee or not."""
    mined: NanoAmount
    """The network's mined figure: subsidies, halved up to the tip."""
    slashable_keys: tuple[BlsKey, ...]
    """Keys of voters that signed two votes which exclude each other, as this node saw."""
    voter: OwnVoter | None
    """This node's own voter; None if it does not vote."""


class FoundId(Struct, frozen=True, kw_only=True):
    """An id and what it names."""

    kind: str
    """A job has the id of the transaction that posted it, and is named as a job. One of: block, transaction, job,
    matrix.
    """
    id: Hash
    """The whole id."""


class FoundIds(Struct, frozen=True, kw_only=True):
    """Everything that an id can name and begins with the prefix.

    Returned by `chain_find`.
    """

    matches: tuple[FoundId, ...]
    """The matches, at most 20."""
    is_complete: bool
    """False if there may be more of them."""


class FoundTransaction(Struct, frozen=True, kw_only=True):
    """A transaction and where it is. `block`, `height` and `index` are None while it is in the pool.

    Returned by `chain_getTransaction`.
    """

    tx: Transaction
    """The transaction."""
    hex: HexBytes
    """Its canonical encoding, of which its id is a hash."""
    status: str
    """Values: "included": a block of the best chain holds it. "pending": it is in the pool."""
    finality: BlockFinality
    """Says if the block that holds it is final."""
    block: Hash | None
    """The id of the block that holds it."""
    height: BlockHeight | None
    """The height of that block."""
    index: int | None
    """Its position in that block, from 0."""
    confirmations: int
    """Blocks from that block to the tip, both included; 0 while it is in the pool."""


class Head(Struct, frozen=True, kw_only=True):
    """The tip of the best chain.

    Returned by `chain_head`.
    """

    id: Hash
    """The id of the tip."""
    height: BlockHeight
    """The height of the tip."""
    time_ms: UnixMs
    """The time of the tip."""
    weight: BigInteger
    """The weight of the whole chain, in tickets."""
    target: Hash
    """The tip's target as a 256-bit big-endian number."""
    difficulty: BigInteger
    """The mean number of tickets per block at this target."""
    state_root: Hash
    """The root of the state after the tip."""
    finality: BlockFinality
    """Says if the tip is final."""
    final_height: BlockHeight
    """The height of the last final block."""
    justified_height: BlockHeight
    """The height of the last justified checkpoint."""
    best_header_height: BlockHeight
    """The height of the best known header; above `height` while blocks are fetched."""
    peers: int
    """The number of connected peers."""
    pool: int
    """The number of transactions in the pool."""


class HealthCheck(Struct, frozen=True, kw_only=True):
    """One of the node's checks of itself."""

    name: str
    """The check's name."""
    ok: bool
    """True if it passes."""
    detail: str
    """What the node found."""
    code: str
    """The stable name of the cause if the check fails; otherwise empty."""
    hint: str
    """What to do if the check fails; otherwise empty."""


class SyncTimeShares(Struct, frozen=True, kw_only=True):
    """What syncing blocks spent its time on in the last seconds; the parts add up to 1."""

    network: float
    """Waiting for peers."""
    seals: float
    """Checking seals."""
    signatures: float
    """Checking signatures."""
    state: float
    """Executing transactions."""
    disk: float
    """Writing to disk."""


class SyncStatus(Struct, frozen=True, kw_only=True):
    """The progress of the node's sync."""

    phase: str
    """What the node does now; "following" once it is at the tip of the chain. One of: finding_peers, headers, state,
    blocks, following, stalled.
    """
    stall_reason: str
    """Why the sync makes no progress; empty unless "stalled"."""
    height: BlockHeight
    """The height of the connected tip."""
    header_height: BlockHeight
    """The height of the best known header."""
    target_height: BlockHeight
    """The height that remaining_s refers to."""
    headers_per_s: float
    """Headers synced per second."""
    blocks_per_s: float
    """Blocks synced per second."""
    transactions_per_s: float
    """Transactions synced per second."""
    remaining_s: float | None
    """The estimated seconds left; None if nothing is left or no rate is known."""
    bottleneck: str | None
    """What the sync spends most of its time on; None if no blocks are synced."""
    time_shares: SyncTimeShares | None
    """What the sync spends its time on; None if no blocks are synced."""
    verifier_processes: int
    """The number of processes that check seals now."""
    summary: str
    """All of it in one line."""


class Health(Struct, frozen=True, kw_only=True):
    """The node's checks of itself, and the progress of its sync.

    Returned by `node_health`.
    """

    status: str
    """Values: "degraded" if a check fails. One of: ok, degraded."""
    checks: tuple[HealthCheck, ...]
    """The checks."""
    sync: SyncStatus
    """The progress of the sync."""


class Movement(Struct, frozen=True, kw_only=True):
    """One change of an account's balance or bonds."""

    reason: MovementReason
    """Why it changed."""
    balance: NanoChange
    """The change of the balance."""
    bonded: NanoChange
    """The change of the bonds."""
    counterparty: AccountAddress | None
    """The account at the other end, if there is one."""
    job: Hash | None
    """The id of the job that it is about, if any."""


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """What a transaction, the start of a block or its reward changed on the account.

    A transaction that concerns the account without a change has no movements.
    """

    id: Hash
    """The transaction's id; the block's if there is no transaction."""
    height: BlockHeight
    """The height of the block."""
    block: Hash
    """The id of the block."""
    place: int
    """The place in the block: 0 for its start, then the transactions, 4294967295 for its end. Pages of several accounts
    merge by height and place, and HEIGHT-PLACE serves as `before`.
    """
    time_ms: UnixMs
    """The time of the block."""
    kind: HistoryEntryKind
    """What caused the changes."""
    balance: NanoChange
    """The sum of all changes of the balance, the fee included."""
    bonded: NanoChange
    """The sum of all changes of the bonds."""
    fee: NanoAmount
    """The transaction's fee, if the account paid it; 0 if it did not send it."""
    movements: tuple[Movement, ...]
    """The changes, in the order in which they were made."""


class HistoryPage(Struct, frozen=True, kw_only=True):
    """A page of an account's history.

    If the node executed every block, the sums over all pages are the account's balance and bonds.

    Returned by `state_getHistory`.
    """

    entries: tuple[HistoryEntry, ...]
    """The entries, newest first."""
    next: str | None
    """Pass it as `before` to get the next page; None at the end."""


class Task(Struct, frozen=True, kw_only=True):
    """What a task computes."""

    kind: TaskKind
    """Whether the task runs a program or a function."""
    spec: Hash
    """The mesh id of the program, or of the function's specification."""
    inputs: tuple[Hash, ...]
    """The mesh ids of the inputs, in order."""
    tickets: int
    """The lottery tickets among the units; 0 for a function."""
    units: int
    """What the task is priced by: a unit burns what a ticket burns."""


class Claim(Struct, frozen=True, kw_only=True):
    """A worker's claim on a job."""

    worker: AccountAddress
    """The account that claimed the job."""
    bond: NanoAmount
    """The worker's bond, which it loses if the claim lapses."""
    claimed_at: BlockHeight
    """The height of the block with the claim."""
    expires_at: BlockHeight
    """The last height at which to deliver; for a delivered job, the height at which it is paid."""


class Job(Struct, frozen=True, kw_only=True):
    """A job, which is a product, a program or a function, as it is in the tip's state.

    Returned by `job_get`.
    """

    id: Hash
    """The job's id, which is the id of the transaction that posted it."""
    state: JobState
    """The job's state."""
    poster: AccountAddress
    """The account that posted the job."""
    kind: JobKind
    """What the job asks for."""
    x: MatrixRef | None
    """A product's left operand X, m rows by k columns; None for a task."""
    w: MatrixRef | None
    """A product's right operand W, n rows by k columns; the product is X times W transposed. Null for a task."""
    task: Task | None
    """What a task computes; None for a product."""
    tickets: int
    """The lottery tickets that computing the job draws."""
    units: int
    """What the job is priced by: a product's tickets, or a task's units."""
    reward: NanoAmount
    """What the worker is paid."""
    bond: NanoAmount
    """The bond that a claim requires."""
    burned: NanoAmount
    """What posting the job burned."""
    claim_window: int
    """Blocks that a worker has to deliver after its claim."""
    deadline: BlockHeight
    """The last height at which the job can be delivered."""
    mode: JobMode
    """How the result is verified."""
    posted_at: BlockHeight
    """The height of the block that posted the job."""
    closed_at: BlockHeight | None
    """The height at which the job was settled or cancelled; None before."""
    worker: AccountAddress | None
    """The account that holds the claim or delivered the result, if any."""
    claim: Claim | None
    """The claim in force; None if there is none."""
    y: MatrixRef | None
    """A product's result Y; None until it is delivered, and for a task."""
    outputs: tuple[Hash, ...] | None
    """The mesh ids of a task's outputs; None until it is delivered, and for a product."""
    rows_done: int | None = None
    """Rows of the result that this node's own miner has computed; None if it does not work on the job. Only job_get
    fills it in.
    """


class JobEvent(Struct, frozen=True, kw_only=True):
    """Something that happened to a job."""

    event: JobEventName
    """What happened."""
    height: BlockHeight
    """The height of the block in which it happened."""
    worker: AccountAddress | None
    """The account that claimed, delivered, was paid, let its claim lapse, or was challenged."""
    amount: NanoAmount
    """posted: what was burned. claimed, delivered, lapsed, challenged: the bond. settled, cancelled: the reward."""


class JobHistory(Struct, frozen=True, kw_only=True):
    """The events of a job.

    Returned by `job_history`.
    """

    id: Hash
    """The job's id."""
    events: tuple[JobEvent, ...]
    """The events, oldest first, at most 1000."""


class JobPage(Struct, frozen=True, kw_only=True):
    """A page of jobs.

    Returned by `job_list`.
    """

    jobs: tuple[Job, ...]
    """The jobs, in the order of their posting."""
    next: Hash | None
    """Pass it as `after` to get the next page; None at the end."""


class JobProof(Struct, frozen=True, kw_only=True):
    """A job's record in the tip's state, with everything that is needed to check it without a node.

    Returned by `job_prove`.
    """

    height: BlockHeight
    """The height of the tip."""
    header: HexBytes
    """The canonical encoding of the tip's header, whose state root the proof leads to."""
    witness: HexBytes | None
    """The canonical encoding of the witness of the tip's seal; None if not kept."""
    proof: StateProof
    """The proof of the job's record."""


class LiftedBans(Struct, frozen=True, kw_only=True):
    """The result of lifting bans.

    Returned by `net_unban`.
    """

    lifted: int
    """The number of bans that were lifted."""


class KindMarket(Struct, frozen=True, kw_only=True):
    """One kind of job. Prices are per 10^12 multiply-accumulates: those of its tickets, or a task's units."""

    kind: JobKind
    """The kind of job."""
    open: int
    """Open jobs, of the newest 500."""
    open_units: int
    """Their units: a product's tickets, or a task's units."""
    open_rewards: NanoAmount
    """What they offer in all."""
    offered_per_tera: NanoAmount | None
    """The same per 10^12 multiply-accumulates; None without open jobs."""
    settled: int
    """Settled jobs among those considered."""
    low_per_tera: NanoAmount | None
    """A quarter of the units settled were paid this or less."""
    typical_per_tera: NanoAmount | None
    """Half of them were paid this or less."""
    high_per_tera: NanoAmount | None
    """Three quarters of them were paid this or less."""
    blocks_to_claim: float | None
    """The median of blocks from posting to the claim whose result was paid."""
    blocks_to_settle: float | None
    """The median of blocks from posting to payment."""


class Market(Struct, frozen=True, kw_only=True):
    """The market at the tip.

    Returned by `job_market`.
    """

    height: BlockHeight
    """The height of the tip."""
    spacing_ms: int
    """The network's time from block to block."""
    is_whole: bool
    """False if there are more than 500 open jobs."""
    sample: int
    """The number of settled jobs considered."""
    from_height: BlockHeight | None
    """The height at which the first of them was settled."""
    kinds: tuple[KindMarket, ...]
    """Each kind of job, products first."""


class MatrixChange(Struct, frozen=True, kw_only=True):
    """The result of pinning, unpinning or dropping a matrix.

    Returned by `mesh_drop` and `mesh_pin` and `mesh_unpin`.
    """

    id: Hash
    """The matrix's id."""
    is_changed: bool
    """False if it was already so."""
    is_stored: bool
    """True if the node stores the complete matrix now."""


class MatrixData(Struct, frozen=True, kw_only=True):
    """A matrix with its entries.

    Returned by `mesh_get`.
    """

    id: Hash
    """The matrix's id."""
    dtype: MatrixDtype
    """The data type."""
    rows: int
    """The number of rows."""
    cols: int
    """The number of columns; of a file: the bytes in its last row of 1024."""
    root: Hash
    """The Merkle root over the matrix's strips of 16 rows."""
    size: int
    """The bytes of its entries; of a file: its length."""
    data: str
    """Base64 of the entries, row-major and little-endian; of a file: of its bytes."""


class MatrixInfo(Struct, frozen=True, kw_only=True):
    """What a matrix's id commits to.

    Returned by `mesh_put`.
    """

    id: Hash
    """The matrix's id."""
    dtype: MatrixDtype
    """The data type."""
    rows: int
    """The number of rows."""
    cols: int
    """The number of columns; of a file: the bytes in its last row of 1024."""
    root: Hash
    """The Merkle root over the matrix's strips of 16 rows."""
    size: int
    """The bytes of its entries; of a file: its length."""


class StoredMatrix(Struct, frozen=True, kw_only=True):
    """A matrix of the store."""

    id: Hash
    """The matrix's id."""
    dtype: MatrixDtype
    """The data type."""
    rows: int
    """The number of rows."""
    cols: int
    """The number of columns; of a file: the bytes in its last row of 1024."""
    size: int
    """The bytes of its entries; of a file: its length."""
    bytes: int
    """Bytes of its file."""
    is_complete: bool
    """True if all rows are stored."""
    is_pinned: bool
    """True if it is never evicted."""
    is_needed: bool
    """True if an open job, a challenge window or a held block needs it."""
    is_own: bool
    """True if it was stored by a user or computed here, and not fetched."""
    demand: float
    """Recent requests of other nodes; a request counts half after an hour."""
    last_used_ms: UnixMs | None
    """When it was last used; None if that is not known."""


class MatrixPage(Struct, frozen=True, kw_only=True):
    """A page of the matrices in the store.

    Returned by `mesh_list`.
    """

    matrices: tuple[StoredMatrix, ...]
    """The matrices, in the order of their ids."""
    next: Hash | None
    """Pass it as `after` to get the next page; None at the end."""
    missing_pins: tuple[Hash, ...]
    """Pinned matrices that are not complete yet; the node requests them from others."""


class MatrixRows(Struct, frozen=True, kw_only=True):
    """Some rows of a matrix.

    Returned by `mesh_getRows`.
    """

    id: Hash
    """The matrix's id."""
    dtype: MatrixDtype
    """The data type."""
    rows: int
    """The number of rows of the whole matrix."""
    cols: int
    """The number of columns; of a file: the bytes in its last row of 1024."""
    size: int
    """The bytes of all entries; of a file: its length."""
    first: int
    """The index of the first row returned."""
    data: str
    """Base64 of the rows, row-major and little-endian; those of a file are its bytes."""


class MinerStatus(Struct, frozen=True, kw_only=True):
    """What the miner does, and what it has done since the node started.

    Returned by `miner_start` and `miner_status` and `miner_stop`.
    """

    state: str
    """Values: "job" if it multiplies a paid job, "filler" if it multiplies for the lottery only. One of: stopped, idle,
    job, filler.
    """
    purpose: str
    """What it is set to multiply: any (paid jobs first, else filler), jobs (only) or filler (only)."""
    beneficiary: AccountAddress
    """The account that its blocks pay."""
    worker: AccountAddress | None
    """The account that claims jobs; None if the miner claims none."""
    can_claim: bool
    """False if the miner has no key, and so cannot claim jobs."""
    job: Hash | None
    """The id of the job that it multiplies now; None if none."""
    jobs_in_progress: int
    """Jobs that it has claimed and that are not paid yet."""
    job_tickets: int
    """Lottery tickets drawn from paid jobs."""
    filler_tickets: int
    """Lottery tickets drawn from filler products."""
    tickets_per_second: float
    """The rate over the last half minute, pauses included."""
    blocks_won: int
    """Blocks that it mined and that were connected."""
    blocks_stale: int
    """Blocks that it mined after another block of the same height."""
    jobs_settled: int
    """Jobs that it was paid for."""
    jobs_lost: int
    """Jobs that it claimed and was not paid for."""
    jobs_taken: int
    """Jobs that it took on since it started."""
    jobs_taken_held: int
    """Jobs among these that began without a fetch: everything they work on was here."""
    last_error: str
    """What last went wrong; empty if nothing did."""


class BlockRelay(Struct, frozen=True, kw_only=True):
    """How new blocks arrived since the start; blocks of a sync are not counted."""

    blocks: int
    """Blocks that were rebuilt from compact blocks."""
    bytes: int
    """Bytes of those compact blocks."""
    duplicates: int
    """Compact blocks of blocks that the node had already."""
    duplicate_bytes: int
    """Bytes of those duplicates."""
    requested_transactions: int
    """Transactions of compact blocks that had to be requested from a peer."""
    full_blocks: int
    """Blocks that had to be requested whole."""


class Routing(Struct, frozen=True, kw_only=True):
    """The routing table, and the records of which node provides which matrix."""

    contacts: int
    """Nodes in the routing table."""
    buckets: int
    """Buckets of the routing table that are in use."""
    records: int
    """Records that this node keeps of matrices which other nodes provide."""
    provided: int
    """Matrices that this node announces."""


class NetStatus(Struct, frozen=True, kw_only=True):
    """This node's place in the network.

    Returned by `net_status`.
    """

    node_id: Hash
    """This node's id."""
    peers: int
    """The number of connected peers."""
    listen_port: int
    """The port on which peers are accepted; 0 if none."""
    reachability: str
    """Values: "public" once a peer has dialled this node, "private" if peers that were asked to could not. One of:
    unknown, private, public.
    """
    observed_host: str
    """This node's host as most peers see it; empty before they have said so."""
    announced: str
    """This node's announced endpoint, ID@host:port; empty if none is announced."""
    discovery: bool
    """True if the node looks for peers by itself."""
    connections: dict[str, int]
    """The number of connections by kind."""
    max_outbound: int
    """The most outbound connections."""
    max_inbound: int
    """The most inbound connections."""
    outbound_groups: int
    """Network groups among the outbound connections."""
    known_new: int
    """Addresses in the address book that were never reached."""
    known_tried: int
    """Addresses in the address book that were reached."""
    is_tip_stale: bool
    """True if no block came for so long that the node replaces outbound peers."""
    block_relay: BlockRelay
    """How new blocks arrived since the start."""
    routing: Routing
    """The routing table for matrices."""


class NodeVersion(Struct, frozen=True, kw_only=True):
    """The node's software, network and identity.

    Returned by `node_version`.
    """

    name: str
    """The name of the software."""
    version: str
    """The version of the software."""
    network: str
    """The network's name."""
    chain_id: int
    """The id of the chain, which every transaction carries."""
    genesis: Hash
    """The id of the genesis block. Two nodes are on one network if and only if theirs are equal."""
    protocol_version: int
    """The version of the protocol between nodes."""
    node_id: Hash
    """This node's id."""
    hrp: str
    """The human-readable part of the network's bech32m addresses, which is their prefix."""


class Payout(Struct, frozen=True, kw_only=True):
    """One transaction of the pool that pays members."""

    number: int
    """Payouts are counted from 0."""
    tx: Hash
    """The transaction's id."""
    time_ms: UnixMs
    """When it was made."""
    state: str
    """settled: its block stays; void: it will never be in one. One of: sent, settled, void."""
    fee: NanoAmount
    """Its fee, at most a hundredth, which the receivers pay."""
    charged: NanoAmount
    """What the receivers are charged, with the fee."""
    receivers: int
    """How many addresses it pays."""


class Payouts(Struct, frozen=True, kw_only=True):
    """Payouts, newest first.

    Returned by `pool_payouts`.
    """

    payouts: tuple[Payout, ...]
    """Payouts, newest first."""
    next: int | None
    """Give this as `before` for older ones; None if there are none."""


class Peer(Struct, frozen=True, kw_only=True):
    """A connected peer."""

    id: Hash
    """The peer's node id."""
    address: str
    """Its host and port, as this node sees them."""
    direction: str
    """Values: "outbound" if this node opened the connection. One of: inbound, outbound."""
    kind: str
    """static (configured by the user), outbound (chosen from the address book), inbound, feeler (tests whether an
    address can be reached), or short (for a few requests).
    """
    group: str
    """The network group, which addresses of one operator have in common."""
    height: BlockHeight
    """The height of the peer's tip, as it last said."""
    connected_at_ms: UnixMs
    """When the connection was opened."""
    latency_ms: int | None
    """The round-trip time of the last ping; None before the first."""
    score: int
    """Penalty points for misbehaviour; at 100 the peer is banned."""
    bytes_received: int
    """Bytes received from the peer."""
    bytes_sent: int
    """Bytes sent to the peer."""


class PeerList(Struct, frozen=True, kw_only=True):
    """The connected peers.

    Returned by `net_peers`.
    """

    count: int
    """The number of connected peers."""
    peers: tuple[Peer, ...]
    """The peers."""


class PooledTransaction(Struct, frozen=True, kw_only=True):
    """A transaction in the pool."""

    id: Hash
    """The transaction's id."""
    sender: AccountAddress
    """The account that signed the transaction."""
    nonce: int
    """Its nonce."""
    fee: NanoAmount
    """Its fee."""
    kind: TransactionKind
    """What it does."""
    size: int
    """Bytes of the canonical encoding."""


class Pool(Struct, frozen=True, kw_only=True):
    """Transactions that wait for a block.

    Returned by `tx_pool`.
    """

    count: int
    """The number of all transactions in the pool."""
    bytes: int
    """The bytes of all transactions in the pool."""
    transactions: tuple[PooledTransaction, ...]
    """Transactions, at most `limit`."""


class MemberRate(Struct, frozen=True, kw_only=True):
    """How fast one address is."""

    address: AccountAddress
    """The address."""
    tickets_per_second: float
    """Over ten minutes, by its shares."""


class PoolInfo(Struct, frozen=True, kw_only=True):
    """A pool, as anybody may see it.

    Returned by `pool_info`.
    """

    address: AccountAddress
    """The account that blocks pay and that pays the members."""
    fee_ppm: int
    """The pool keeps so many millionths of what comes in."""
    least_payout: NanoAmount
    """An address is paid when it is owed this much."""
    window_tickets: BigInteger
    """Income is divided by the last so many tickets: twice D."""
    members: int
    """Addresses that ever had a share."""
    connections: int
    """Workers that are connected now."""
    shares: int
    """The shares of all members."""
    tickets: BigInteger
    """The tickets that these shares stand for, and the node's own."""
    tickets_per_second: float
    """Over ten minutes, by the same shares that are paid."""
    own_tickets_per_second: float
    """The part of it that the node's own engine draws."""
    earned: NanoChange
    """Nano that all members have earned; undone income is left out."""
    kept: NanoChange
    """Nano that the pool kept: its fee, and what divisions left over."""
    blocks: int
    """Blocks among the last 10,000 incomes that are on the chain."""
    luck: float | None
    """Tickets that these blocks take on average, as a part of those drawn; above 1 is good luck."""
    round_tickets: BigInteger
    """Tickets since the pool's last block."""
    rates: tuple[MemberRate, ...]
    """The fastest members of the last ten minutes, at most 100."""


class Connection(Struct, frozen=True, kw_only=True):
    """One connected worker of an address."""

    name: str
    """The worker's own name for itself."""
    kind: str
    """What multiplies. One of: page, card, machine."""
    backend: str
    """Its kernel."""
    told: int
    """Tickets per second, as the worker says."""
    tickets_per_second: float
    """Tickets per second since it connected, by its shares."""
    share_tickets: BigInteger
    """One share of its assignment stands for so many tickets."""


class PoolWorker(Struct, frozen=True, kw_only=True):
    """What one address has at the pool. earned = paid + pending + owed.

    Returned by `pool_worker`.
    """

    address: AccountAddress
    """The address."""
    shares: int
    """Its shares."""
    tickets: BigInteger
    """The tickets that they stand for."""
    tickets_per_second: float
    """Over ten minutes, by its shares."""
    earned: NanoChange
    """Nano earned; below zero if more was paid than stayed earned."""
    young: NanoAmount
    """Nano of blocks that may still be undone, not in `earned` yet."""
    pending: NanoAmount
    """Nano in a payout that may still be undone."""
    paid: NanoAmount
    """Nano in settled payouts, its parts of their fees included."""
    owed: NanoChange
    """Nano that the next payout can pay."""
    first_ms: UnixMs | None
    """The time of its first share; None if it has none."""
    last_ms: UnixMs | None
    """The time of its last share."""
    connections: tuple[Connection, ...]
    """Its workers that are connected now."""


class Provider(Struct, frozen=True, kw_only=True):
    """A node that has the matrix."""

    id: Hash
    """The node's id."""
    host: str
    """Its host."""
    port: int
    """Its port."""


class ProviderList(Struct, frozen=True, kw_only=True):
    """Nodes that have the matrix.

    Returned by `net_findProviders`.
    """

    count: int
    """The number of providers found."""
    providers: tuple[Provider, ...]
    """The providers."""


class PriceParts(Struct, frozen=True, kw_only=True):
    """The parts of what posting burns."""

    work: NanoAmount
    """The part for the tickets, at the tip's difficulty."""
    bytes: NanoAmount
    """The part for the bytes that every node fetches; 0 if optimistic."""
    place: NanoAmount
    """The part for the job's record in the state."""


class Rewards(Struct, frozen=True, kw_only=True):
    """Rewards for the product, from what recently settled jobs paid per ticket; each ticket counts the same."""

    low: NanoAmount
    """A quarter of the settled tickets were paid at this rate or less."""
    typical: NanoAmount
    """Half of them were paid at this rate or less."""
    fast: NanoAmount
    """Three quarters of them were paid at this rate or less."""


class Quote(Struct, frozen=True, kw_only=True):
    """What the product X (m x k) times W (n x k) transposed would cost now.

    Returned by `job_quote`.
    """

    tickets: int
    """The lottery tickets that multiplying it draws."""
    burn: NanoAmount
    """What posting it burns in the next block, all parts together."""
    burn_parts: PriceParts
    """The same by its parts."""
    burn_per_tera: NanoAmount
    """The same per 10^12 multiply-accumulates, padding not counted."""
    reward_per_ticket: NanoAmount
    """The median reward per ticket of recently settled jobs, weighted by tickets."""
    suggested_reward: NanoAmount
    """The typical reward for the product."""
    rewards: Rewards
    """The same beside a low and a high reward."""
    sample: int
    """The number of settled jobs that the medians are taken over; 0 if they are defaults."""
    expected_blocks: int
    """The expected blocks from posting to settlement."""
    is_mined: bool
    """False if no block came for 20 spacings, or none at all: nobody seems to mine."""
    expected_s: float | None
    """The expected blocks in seconds, at the network's spacing; None if nobody seems to mine."""
    bytes: int
    """The bytes of the strips of operands and result together."""
    max_bytes: int
    """The most bytes that a checked job may have."""
    mode: JobMode
    """The mode that burns less, of those that are possible."""
    mode_reason: str
    """Why it is this mode, in words."""


class RawHeaders(Struct, frozen=True, kw_only=True):
    """Headers of the best chain in ascending order; the first is at the height that was asked for.

    Returned by `chain_getRawHeaders`.
    """

    headers: tuple[HexBytes, ...]
    """Canonical encodings; a block's id is H("header", its header's bytes). Empty above the tip."""
    height: BlockHeight
    """The height of this node's tip."""


class ReputationPoint(Struct, frozen=True, kw_only=True):
    """Reputation after a block that changed it; until the next point it only halves over time."""

    height: BlockHeight
    """The height of the block."""
    reputation: NanoAmount
    """The reputation after it."""


class ReputationHistory(Struct, frozen=True, kw_only=True):
    """An account's reputation over time.

    Returned by `state_getReputationHistory`.
    """

    points: tuple[ReputationPoint, ...]
    """The points, oldest first; the last is the tip's."""
    is_complete: bool
    """True if the points lead to the values in the state. They may not if the account's history has more than 5000
    entries, or if this node started from a snapshot.
    """


class SentTransaction(Struct, frozen=True, kw_only=True):
    """A transaction that the node accepted into its pool.

    Returned by `finality_unbond` and `finality_withdraw` and `tx_send`.
    """

    id: Hash
    """The transaction's id."""


class SnapshotError(Struct, frozen=True, kw_only=True):
    """Why a snapshot failed."""

    code: str
    """The stable name of the error."""
    message: str
    """What went wrong."""
    hint: str
    """What to do about it."""


class SnapshotStatus(Struct, frozen=True, kw_only=True):
    """The progress of the snapshot that was requested last.

    Returned by `node_snapshot` and `node_snapshotStatus`.
    """

    state: str
    """Values: "none" if none was requested. One of: none, running, done, failed."""
    path: str
    """The folder of the snapshot."""
    step: str
    """What is copied now, ledger or matrices; empty before and after."""
    step_bytes: int
    """The bytes copied in this step so far."""
    step_total_bytes: int
    """The approximate bytes to copy in this step."""
    bytes: int
    """The bytes of the whole snapshot, once it is done."""
    matrices: int
    """The matrices in the snapshot, once it is done."""
    error: SnapshotError | None
    """Why it failed; None if it did not."""


class StatsPoint(Struct, frozen=True, kw_only=True):
    """What a few blocks did together, and how the chain was after the last of them."""

    from_height: BlockHeight
    """The height of the first of the blocks."""
    height: BlockHeight
    """The height of the last of them."""
    time_ms: UnixMs
    """The time of the last of them."""
    blocks: int
    """The number of the blocks."""
    spacing_ms: int
    """The mean time from block to block; 0 for block 1 alone."""
    transactions: int
    """Their transactions."""
    weight: BigInteger
    """Their weight, in tickets."""
    jobs_posted: int
    """Jobs that they posted."""
    jobs_settled: int
    """Jobs that they settled."""
    tickets_posted: int
    """The tickets of the jobs posted."""
    tickets_settled: int
    """The tickets of the jobs settled."""
    paid_share: Ratio
    """tickets_settled / max(weight, tickets_settled)."""
    subsidy: NanoAmount
    """What they minted."""
    fees: NanoAmount
    """The fees of their transactions."""
    burned: NanoAmount
    """What was burned in them."""
    settled_burn: NanoAmount
    """What the jobs that they settled had burned when they were posted."""
    burned_share: Ratio
    """settled_burn / subsidy."""
    difficulty: BigInteger
    """The mean number of tickets per block, at the last of them."""
    price_per_tera: NanoAmount
    """What a job burned after them for 10^12 multiply-accumulates of work."""
    supply: NanoAmount
    """The supply after them."""
    jobs_open: int | None
    """Jobs not settled or closed yet after them; None if this node began with a later state."""
    tickets_open: int | None
    """The tickets of these jobs; None likewise."""


class Stats(Struct, frozen=True, kw_only=True):
    """Stats of a range of blocks.

    Returned by `chain_getStats`.
    """

    from_height: BlockHeight
    """The first height that counts: at least the first this node executed."""
    to_height: BlockHeight
    """The last height that counts."""
    points: tuple[StatsPoint, ...]
    """The parts of the range, oldest first."""


class Stopping(Struct, frozen=True, kw_only=True):
    """The node's answer to node_stop.

    Returned by `node_stop`.
    """

    stopping: bool
    """Always true: the node is stopping."""


class StoreStatus(Struct, frozen=True, kw_only=True):
    """The size and the condition of the matrix store.

    Returned by `mesh_setQuota` and `mesh_status`.
    """

    matrices: int
    """Complete matrices."""
    incomplete: int
    """Matrices that are being stored, or were found damaged."""
    bytes: int
    """Bytes of all matrices on disk."""
    quota: int | None
    """The most bytes that matrices may take; None for no limit."""
    free_bytes: int
    """Free bytes of the disk."""
    pinned: int
    """Pinned matrices, which are never evicted."""
    needed: int
    """Stored matrices that an open job, a challenge window or a held block needs."""
    evicted: int
    """Matrices deleted since the start to make room for others."""
    damaged: int
    """Files found damaged since the start."""
    scrubbed_bytes: int
    """Bytes read and verified since the start, to find damage."""


class StoredRows(Struct, frozen=True, kw_only=True):
    """How much of a matrix is stored.

    Returned by `mesh_putRows`.
    """

    rows_done: int
    """The number of rows stored, from the first one on; the next one to send has this index."""
    is_complete: bool
    """True if the whole matrix is stored."""


class SubmittedBlock(Struct, frozen=True, kw_only=True):
    """A block made from a template and a winning ticket.

    Returned by `miner_submit`.
    """

    block: Hash
    """The block's id."""
    is_connected: bool
    """False if another block of this height came first."""


class Subscribed(Struct, frozen=True, kw_only=True):
    """A new subscription.

    Returned by `subscribe`.
    """

    subscription: SubscriptionId
    """The subscription's id, which its notifications carry."""
    height: BlockHeight
    """The height of the tip."""


class Supply(Struct, frozen=True, kw_only=True):
    """The credits in existence: minted - burned = supply, which is also the sum of all balances, bonds and escrows.

    Returned by `state_supply`.
    """

    minted: NanoAmount
    """What was minted since genesis, genesis included."""
    burned: NanoAmount
    """What was burned since genesis."""
    supply: NanoAmount
    """minted - burned."""
    escrowed: NanoAmount
    """The rewards of jobs that are neither settled nor cancelled."""
    height: BlockHeight
    """The height of the tip."""
    block: Hash
    """The id of the tip."""
    sum_of_records: NanoAmount | None
    """The sum of all balances, bonds and escrows; None without `audit`."""
    is_conserved: bool | None
    """True if that sum is the supply; None without `audit`."""


class TaskQuote(Struct, frozen=True, kw_only=True):
    """What a task of so many units would cost now. A unit is paid and burns as a ticket does.

    Returned by `job_quoteTask`.
    """

    units: int
    """What the task is priced by."""
    burn: NanoAmount
    """What posting it burns in the next block, all parts together."""
    burn_parts: PriceParts
    """The same by its parts."""
    suggested_reward: NanoAmount
    """The typical reward for as many units."""
    rewards: Rewards
    """The same beside a low and a high reward."""
    sample: int
    """The number of settled jobs that the medians are taken over; 0 if they are defaults."""
    bond: NanoAmount
    """The least bond that a claim may require for that reward."""
    jurors: int
    """The members of the voting committee that could be in a jury about it."""
    expected_blocks: int
    """The expected blocks from posting to settlement."""
    is_mined: bool
    """False if no block came for 20 spacings, or none at all: nobody seems to mine."""
    expected_s: float | None
    """The expected blocks in seconds, at the network's spacing; None if nobody seems to mine."""


class TrackRecord(Struct, frozen=True, kw_only=True):
    """What became of the jobs that an account took on and posted.

    Returned by `job_trackRecord`.
    """

    address: AccountAddress
    """The account's address."""
    height: BlockHeight
    """The height of the tip."""
    worker: WorkerRecord
    """The account as a worker."""
    poster: PosterRecord
    """The account as a poster."""


class Unsubscribed(Struct, frozen=True, kw_only=True):
    """A subscription that has ended.

    Returned by `unsubscribe`.
    """

    subscription: SubscriptionId
    """The subscription's id."""


class UsefulWork(Struct, frozen=True, kw_only=True):
    """Work over a window of blocks. The share only says what was paid for; read it beside what was burned.

    Returned by `chain_usefulWork`.
    """

    from_height: BlockHeight
    """The height of the first block of the window."""
    to_height: BlockHeight
    """The height of the last block of the window, the tip."""
    blocks: int
    """The number of blocks in the window."""
    weight_mined: BigInteger
    """The weight of the blocks, in tickets."""
    tickets_settled: int
    """The tickets of the jobs that they settled."""
    tickets_posted: int
    """The tickets of the jobs that they posted."""
    paid_share: Ratio
    """tickets_settled / max(weight_mined, tickets_settled)."""
    burned: NanoAmount
    """What was burned in them."""
    settled_burn: NanoAmount
    """What the jobs that they settled had burned when they were posted."""
    burned_share: Ratio
    """settled_burn / the blocks' subsidies: what faking the paid share would have cost."""
    price_per_tera: NanoAmount
    """What a job burns now for 10^12 multiply-accumulates of work."""


class VoterRegistration(Struct, frozen=True, kw_only=True):
    """The parameters of a voter's registration, and the transaction if the node sent it.

    Returned by `finality_register`.
    """

    key: BlsKey
    """The voter's key."""
    proof: HexBytes
    """The proof that the node has the key's secret, for this address alone."""
    bond: NanoAmount
    """The bond."""
    address: AccountAddress
    """The account that registers."""
    transaction: Hash | None
    """The id of the registration that the node sent; None if it sent none."""


class WatcherStatus(Struct, frozen=True, kw_only=True):
    """What the watcher has done since the node started.

    Returned by `watch_status`.
    """

    address: AccountAddress
    """The account that sends challenges, pays their fees, and is paid for them."""
    balance: NanoAmount
    """The balance of that account."""
    checked: int
    """Results that were checked completely."""
    wrong: int
    """Results that were found to be wrong."""
    challenged: int
    """Challenges sent."""
    unavailable: int
    """Results whose matrices could not be fetched before they were paid."""
    last_error: str
    """What last went wrong; empty if nothing did."""


class Part(Struct, frozen=True, kw_only=True):
    """What one address has in a window."""

    address: AccountAddress
    """The address."""
    tickets: BigInteger
    """Its tickets."""
    credit: NanoAmount
    """Nano that it gets: (amount - fee) x tickets / of, rounded down."""


class Income(Struct, frozen=True, kw_only=True):
    """A block that the pool found, or a job that it was paid for, with the window it is divided by."""

    number: int
    """Incomes are counted from 0."""
    block: Hash
    """The block that paid."""
    height: int
    """Its height."""
    time_ms: UnixMs
    """Its time."""
    job: Hash | None
    """The job; None for the income of a block."""
    state: str
    """young: the block may be undone; undone: it was. One of: young, earned, undone."""
    amount: NanoAmount
    """What came in."""
    fee_ppm: int
    """The pool's fee of it, in millionths."""
    of: BigInteger
    """The tickets that the amount is divided by."""
    kept: NanoAmount
    """What the pool keeps of it."""
    luck: float | None
    """D as a part of the tickets of this round; None for a job."""
    parts: tuple[Part, ...]
    """Tickets by address."""


class Window(Struct, frozen=True, kw_only=True):
    """Incomes, newest first.

    Returned by `pool_window`.
    """

    incomes: tuple[Income, ...]
    """Incomes, newest first."""
    next: int | None
    """Give this as `before` for older ones; None if there are none."""


class Witnesses(Struct, frozen=True, kw_only=True):
    """The witnesses of blocks' seals, about 33 KB each.

    Returned by `light_witnesses`.
    """

    witnesses: tuple[HexBytes | None, ...]
    """Canonical encodings, in the order of the request; None if this node does not keep one."""


class WorkerGroup(Struct, frozen=True, kw_only=True):
    """All that multiplies of one kind."""

    kind: str
    """Values: "own" is the engine in the node's process; the others are workers. One of: own, page, card, machine."""
    workers: int
    """So many of them are connected; 1 for the own engine."""
    threads: int
    """The threads of all of them; 0 for the own engine."""
    tickets_per_second: float
    """Tickets per second; of strangers as their shares prove it, of the own fleet as they say."""
    tickets: int
    """Tickets drawn since they connected."""
    pieces: int
    """Pieces of products whose rows were checked and used."""
    late: int
    """Pieces that they gave back, or that another one finished first."""


class Workers(Struct, frozen=True, kw_only=True):
    """Who multiplies for this node, and what went wrong since it started.

    Returned by `miner_workers`.
    """

    groups: tuple[WorkerGroup, ...]
    """The own engine first, then each kind of which one is here."""
    blocks_won: int
    """Blocks that workers found."""
    errors: dict[str, int]
    """Workers that were disconnected, by the rule they broke."""


class ErrorDetails(Struct, frozen=True, kw_only=True):
    """An error, as in a JSON-RPC response."""

    code: int
    """The error's number; see the list of errors."""
    message: str
    """What went wrong."""
    data: dict[str, Any]
    """`code`, the stable name of the error, and `hint`, what to do about it."""


class SubscriptionNotification(Struct, frozen=True, kw_only=True):
    """The parameters of a notification. Either `data` or `error` is None."""

    subscription: SubscriptionId
    """The subscription."""
    topic: TopicName
    """Its topic."""
    height: BlockHeight
    """The height at which it happened. To resume after a lost connection, subscribe with from_height one above the last
    one.
    """
    data: dict[str, Any] | None = None
    """What happened, by topic; None if the subscription ended."""
    error: ErrorDetails | None = None
    """Why the subscription ended; None before."""
