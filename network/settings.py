"""A user or a test may change these settings of the network; their defaults are given with the reasons."""

from typing import Final

from msgspec import Struct

from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.identity import PeerAddress
from inos.primitives.votes import Checkpoint

PROTOCOL_VERSION: Final = 2
USER_AGENT: Final = "inos/0.1"


class TimeLimits(Struct, frozen=True, kw_only=True):
    """Everything that waits for a peer waits at most this many seconds."""

    dial: float = 10.0
    """TCP connection and WebSocket upgrade take at most this long."""
    handshake: float = 10.0
    """All three Noise messages together take at most this long."""
    write: float = 30.0
    """One frame of at most 64 KB takes at most this long; a peer that accepts none for this long has stopped
    reading."""
    ping_interval: float = 5.0
    ping: float = 15.0
    """A peer that is silent for this long is gone. This node notices that after at most `ping_interval` + `ping`."""
    probe: float = 3.0
    """An old connection has this long to answer before a new one from the same node replaces it."""
    headers: float = 20.0
    block: float = 20.0
    """The next block arrives within this time after the request, or after the block before it."""
    compact: float = 3.0
    """A compact block, or its missing transactions, arrives within this time; after it the block is fetched whole from
    any peer."""
    transactions: float = 10.0
    addresses: float = 10.0
    matrix: float = 30.0
    """A matrix's head, or one run of strips (1 MiB), arrives within this time; it may queue behind other runs in
    flight."""
    matrix_wanted: float = 1800.0
    """A matrix that no node has is requested for this long, unless it is wanted again."""
    close: float = 2.0


class NetworkSettings(Struct, frozen=True, kw_only=True):
    """These settings say how this node connects to other nodes."""

    host: str = "127.0.0.1"
    port: int = 0
    """Port 0 selects a free port; `NetworkService.listen_port` tells which."""
    peers: tuple[PeerAddress, ...] = ()
    """These peers are dialled at the start and again whenever their link ends."""
    seeds: tuple[PeerAddress, ...] = ()
    """A node that knows no other node requests addresses from these."""
    discovery: bool = True
    """This node finds peers by itself. Without discovery it dials only `peers`, and still answers requests."""
    local_addresses: bool = False
    """Loopback and private addresses are stored, dialled and relayed if this is True, as on a private network."""
    announce: tuple[str, int] | None = None
    """Other nodes reach this one at this host and port, if it cannot learn them itself."""
    max_outbound: int = 8
    """This node keeps this many links to peers from the address book, each in another network group, as in Bitcoin
    Core."""
    max_inbound: int = 64
    max_short: int = 32
    """This node opens this many links for a few requests, and accepts as many."""
    short_idle_s: float = 20.0
    """The dialler closes a link for a few requests when it was idle for this long; the other side does after twice the
    time."""
    ban_s: float = 3600.0
    redial_first_s: float = 0.5
    redial_most_s: float = 30.0
    """The wait before the next dial doubles from the first value to this one, each with +-50 % of jitter."""
    slot_interval_s: float = 2.0
    """Free outbound slots are filled this often, +-50 %, and at once when something changes."""
    retry_s: float = 600.0
    """An address dialled this recently is dialled again only if there is hardly another one; as in Bitcoin Core."""
    seed_interval_s: float = 30.0
    feeler_interval_s: float = 120.0
    """Two tests of addresses are this far apart, +-50 %, as in Bitcoin Core."""
    address_interval_s: float = 10.0
    """Two announcements of addresses are this far apart, +-50 %."""
    rotation_interval_s: float = 30.0
    stale_tip_s: float = 600.0
    """If the chain does not grow for this long, the worst outbound peer is replaced, one peer at a time."""
    behind_s: float = 600.0
    """An outbound peer that stays far below this node's tip for this long is disconnected."""
    save_interval_s: float = 120.0
    """The address book is written this often."""
    announce_interval_s: float = 0.1
    """Two batches of announced transactions to a peer are this far apart on average. Each time is drawn anew, so that
    the peer that hears first of a transaction learns little about its origin. Peers that dialled this node wait twice
    as long, because any attacker can dial."""
    window_blocks: int = 512
    """This many blocks are requested ahead of the one that is needed next."""
    window_bytes: int = 64 << 20
    """Downloaded blocks of this size may wait for a block before them."""
    prefetch_bytes: int = 256 << 20
    """Matrices of this size may be fetched ahead of need: operands and results of announced jobs."""
    copy_check_s: float = 600.0
    """This node checks this often whether enough copies of each matrix it holds exist; 0 means never. A node sets 20
    spacings of its network's blocks."""
    limits: TimeLimits = TimeLimits()
    routing: RoutingSettings = RoutingSettings()
    checkpoint: Checkpoint | None = None
    """The user of this node trusts this final block: a node without a chain starts from a state near it."""
    user_agent: str = USER_AGENT
