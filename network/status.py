"""The network reports its status to people in these structs, which are filled on demand."""

from msgspec import Struct

from inos.network.peers.kinds import LinkKind
from inos.primitives.units import NodeId, TimeMs


class PeerInfo(Struct, frozen=True, kw_only=True):
    """Describes one connected peer."""

    id: NodeId
    address: str
    is_outbound: bool
    kind: LinkKind
    is_brief: bool
    """The link serves a few requests only if this is True."""
    group: str
    """The peer belongs to this network group, such as 20.1.0.0/16."""
    score: int
    """The peer has these penalty points now; at 100 it is banned."""
    user_agent: str
    height: int
    latency_ms: float | None
    bytes_in: int
    bytes_out: int
    bytes_waiting: int
    """This many bytes are queued for the peer and not sent yet."""
    since_ms: TimeMs


class NetworkStatus(Struct, frozen=True, kw_only=True):
    """Tells how this node is connected to other nodes."""

    listen_port: int
    reachability: str
    """This is "unknown", "private" or "public"."""
    observed_host: str
    """Most peers see this node at this host; it is "" before a peer has reported one."""
    announced: str
    """This node announces this address of itself, as ID@host:port; it is "" if it announces none."""
    discovery: bool
    links: dict[str, int]
    """There are this many links of each kind."""
    max_outbound: int
    max_inbound: int
    outbound_groups: int
    """The outbound links belong to this many network groups."""
    known_new: int
    """This many addresses in the book were never reached; `known_tried` counts those that were."""
    known_tried: int
    is_stale: bool
    """The chain has not grown for so long that outbound peers are replaced if this is True."""
    block_relay: dict[str, int]
    """These counters of the relay of new blocks since the start are named as in
    `inos.network.sync.relay.blocks.BlockRelayStats`."""


class AddressInfo(Struct, frozen=True, kw_only=True):
    """Describes one address of the book. Times are ms since 1970; 0 means never."""

    id: NodeId
    host: str
    port: int
    group: str
    is_tried: bool
    seen_ms: int
    attempt_ms: int
    reached_ms: int
    attempts: int


class BanInfo(Struct, frozen=True):
    """A node or a network group is banned. Times are ms since 1970."""

    is_group: bool
    subject: str
    """The ban applies to this id of a node in hex, or this group, such as 20.1.0.0/16."""
    until_ms: int
    since_ms: int
    reason: str
