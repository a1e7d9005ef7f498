"""What a node's user or a test may set of the network, with the defaults and their reasons."""

from typing import Final

from msgspec import Struct

from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.identity import PeerAddress
from inos.primitives.votes import Checkpoint

PROTOCOL_VERSION: Final = 1
USER_AGENT: Final = "inos/0.1"


class TimeLimits(Struct, frozen=True, kw_only=True):
    """Seconds. Everything that waits for a peer waits this long and no longer."""

    dial: float = 10.0
    """TCP and the WebSocket upgrade."""
    handshake: float = 10.0
    """All three Noise messages together."""
    write: float = 30.0
    """One frame of at most 64 KB; a peer that takes none for so long reads no more."""
    ping_interval: float = 5.0
    ping: float = 15.0
    """A peer silent for so long is gone: noticed at the latest after interval + this."""
    probe: float = 3.0
    """How long an old connection has to answer before a new one from the same node replaces it."""
    headers: float = 20.0
    block: float = 20.0
    """From the request, or the last block of it, to the next one."""
    compact: float = 3.0
    """A compact block, or what was missing in one; after it the block is fetched whole from anybody."""
    transactions: float = 10.0
    addresses: float = 10.0
    matrix: float = 30.0
    """One run of strips (1 MiB), behind as many others as are asked for at one time, or a matrix's head."""
    matrix_wanted: float = 1800.0
    """After this a matrix nobody has is no longer asked for, unless it is wanted again."""
    close: float = 2.0


class NetworkSettings(Struct, frozen=True, kw_only=True):
    """How this node meets others."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one; `NetworkService.listen_port` tells which."""
    peers: tuple[PeerAddress, ...] = ()
    """Dialled at the start and again whenever they are gone."""
    seeds: tuple[PeerAddress, ...] = ()
    """Asked for addresses by a node that knows nobody else."""
    discovery: bool = True
    """Whether peers are found by themselves; without it only `peers` are dialled, and others are still answered."""
    local_addresses: bool = False
    """Whether loopback and private addresses are believed, dialled and passed on: on a network of one's own."""
    announce: tuple[str, int] | None = None
    """Host and port at which others reach this node, where it cannot learn that itself."""
    max_outbound: int = 8
    """Links to peers from the address book, each in another network group. As Bitcoin Core."""
    max_inbound: int = 64
    max_short: int = 32
    """Links for a few questions: at most so many dialled, and as many taken from others."""
    short_idle_s: float = 20.0
    """A link for a few questions that carried nothing for so long is closed by its dialler; by the other side
    after twice the time."""
    ban_s: float = 3600.0
    redial_first_s: float = 0.5
    redial_most_s: float = 30.0
    """The wait doubles from first to most, each with +-50 % of jitter."""
    slot_interval_s: float = 2.0
    """How often free outbound slots are looked at, +-50 %; at once where something changed."""
    retry_s: float = 600.0
    """An address dialled so lately is dialled again only where there is hardly another; as Bitcoin Core."""
    seed_interval_s: float = 30.0
    feeler_interval_s: float = 120.0
    """Between two addresses tested, +-50 %; as Bitcoin Core."""
    address_interval_s: float = 10.0
    """Between two announcements of addresses, +-50 %."""
    rotation_interval_s: float = 30.0
    stale_tip_s: float = 600.0
    """A chain that stood still for so long has the worst outbound peer changed, one at a time."""
    behind_s: float = 600.0
    """An outbound peer far below this node's tip for so long is let go."""
    save_interval_s: float = 120.0
    """Between two times that the address book is written."""
    announce_interval_s: float = 0.1
    """Mean time between two batches of announced transactions to a peer, drawn anew each time, so that who hears first
    says little about where one comes from; peers that dialled here wait twice as long, for they are anybody."""
    window_blocks: int = 512
    """Blocks asked for ahead of the one that is needed next."""
    window_bytes: int = 64 << 20
    """Downloaded blocks that wait for one before them."""
    prefetch_bytes: int = 256 << 20
    """Matrices fetched ahead of need at one time: operands and results of announced jobs."""
    copy_check_s: float = 600.0
    """How often it is seen to that there are as many copies of each matrix held as are wanted; 0 is never. A node sets
    20 spacings of its network's blocks."""
    limits: TimeLimits = TimeLimits()
    routing: RoutingSettings = RoutingSettings()
    checkpoint: Checkpoint | None = None
    """A final block that this node's user believes in: a node without a chain begins near it."""
    user_agent: str = USER_AGENT
