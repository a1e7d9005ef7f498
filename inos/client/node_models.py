"""What a node answers of itself: health, peers, matrices, miner, finality, snapshots; as inos.client.models.

Bytes are bytes, `*_ms` milliseconds (times since 1970 UTC), amounts nano, weights and reputation tickets.
"""

from msgspec import Struct


class HealthCheck(Struct, frozen=True):
    """One question of a node about itself; `code` and `hint` say more where it fails."""

    name: str
    ok: bool
    detail: str
    code: str = ""
    hint: str = ""


class SyncState(Struct, frozen=True):
    """`phase` is finding_peers, headers, state, blocks, following or stalled, and then `stall_reason` says why."""

    phase: str
    stall_reason: str
    height: int
    header_height: int
    target_height: int
    headers_per_s: float
    blocks_per_s: float
    transactions_per_s: float
    remaining_s: float | None
    bottleneck: str | None
    summary: str


class Health(Struct, frozen=True):
    """`status` is ok, or degraded where a check fails."""

    status: str
    checks: tuple[HealthCheck, ...]
    sync: SyncState


class Peer(Struct, frozen=True):
    """One connected peer; `kind` is static, outbound, inbound or short."""

    id: str
    address: str
    direction: str
    kind: str
    group: str
    height: int
    connected_at_ms: int
    latency_ms: int | None
    score: int
    bytes_received: int
    bytes_sent: int


class PeerList(Struct, frozen=True):
    count: int
    peers: tuple[Peer, ...]


class NetStatus(Struct, frozen=True):
    """Where a node stands among others; `reachability` is public, private or unknown."""

    node_id: str
    peers: int
    listen_port: int
    reachability: str
    observed_host: str
    announced: str
    discovery: bool
    connections: dict[str, int]
    max_outbound: int
    max_inbound: int
    outbound_groups: int
    known_new: int
    known_tried: int
    is_tip_stale: bool


class KnownAddress(Struct, frozen=True):
    """An address of the book; None for never."""

    id: str
    host: str
    port: int
    group: str
    is_tried: bool
    is_connected: bool
    last_seen_ms: int
    last_attempt_ms: int | None
    last_success_ms: int | None
    failed_attempts: int


class AddressBook(Struct, frozen=True):
    """Those seen last come first; `count` is of the whole book."""

    count: int
    addresses: tuple[KnownAddress, ...]


class Ban(Struct, frozen=True):
    """A node or a network group that is refused for a time."""

    kind: str
    subject: str
    until_ms: int
    since_ms: int
    reason: str


class BanList(Struct, frozen=True):
    count: int
    bans: tuple[Ban, ...]


class MatrixProvider(Struct, frozen=True):
    """A node that has just proven to have a matrix."""

    id: str
    host: str
    port: int


class ProviderList(Struct, frozen=True):
    count: int
    providers: tuple[MatrixProvider, ...]


class StoreState(Struct, frozen=True):
    """A node's matrices in figures; `quota` is None for no limit but the disk's."""

    matrices: int
    incomplete: int
    bytes: int
    quota: int | None
    free_bytes: int
    pinned: int
    needed: int
    evicted: int
    damaged: int
    scrubbed_bytes: int


class HeldMatrix(Struct, frozen=True):
    """One matrix of a node's store."""

    id: str
    dtype: str
    rows: int
    cols: int
    bytes: int
    is_complete: bool
    is_pinned: bool
    is_needed: bool
    is_own: bool
    demand: float
    last_used_ms: int | None


class HeldPage(Struct, frozen=True):
    """By id; `next` is `after` of the next page."""

    matrices: tuple[HeldMatrix, ...]
    next: str | None
    missing_pins: tuple[str, ...]


class MatrixChange(Struct, frozen=True):
    """`is_changed` is False where it was so before."""

    id: str
    is_changed: bool
    is_stored: bool


class MinerState(Struct, frozen=True):
    """`state` is stopped, idle, job or filler."""

    state: str
    purpose: str
    beneficiary: str
    worker: str | None
    can_claim: bool
    job: str | None
    jobs_in_progress: int
    job_tickets: int
    filler_tickets: int
    tickets_per_second: float
    blocks_with_merit: int
    blocks_without_merit: int
    blocks_stale: int
    jobs_settled: int
    jobs_lost: int
    last_error: str


class WatcherState(Struct, frozen=True):
    """What a node's watcher of optimistic results has done since the start."""

    address: str
    balance: int
    checked: int
    wrong: int
    challenged: int
    unavailable: int
    last_error: str


class Checkpoint(Struct, frozen=True):
    """The last block of an epoch."""

    epoch: int
    id: str


class Ballot(Struct, frozen=True):
    """A checkpoint that is voted on, with the votes this node has heard."""

    source: Checkpoint
    target: Checkpoint
    committee: int
    members: int
    votes: int


class OwnVoter(Struct, frozen=True):
    """The voter of a node started with --vote."""

    key: str
    address: str | None
    is_registered: bool
    bond: int
    withdrawable_at: int | None
    reputation: int
    votes_sent: int
    last_voted_epoch: int
    last_error: str


class Finality(Struct, frozen=True):
    """Where finality stands at the tip; no reorganisation passes `final`."""

    epoch: int
    epoch_blocks: int
    final: Checkpoint
    final_height: int
    justified: Checkpoint
    justified_height: int
    unfinalized_blocks: int
    ballots: tuple[Ballot, ...]
    voters: int
    slashable_keys: tuple[str, ...]
    voter: OwnVoter | None


class CommitteeMember(Struct, frozen=True):
    address: str
    key: str
    weight: int


class Committee(Struct, frozen=True):
    """The heaviest member first; more than two thirds of `weight` justify."""

    epoch: int
    weight: int
    members: tuple[CommitteeMember, ...]


class SnapshotError(Struct, frozen=True):
    code: str
    message: str
    hint: str


class SnapshotState(Struct, frozen=True):
    """The copy that was asked for last; `state` is none, running, done or failed."""

    state: str
    path: str
    step: str
    step_bytes: int
    step_total_bytes: int
    bytes: int
    matrices: int
    error: SnapshotError | None
