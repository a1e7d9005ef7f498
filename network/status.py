"""The status that the network reports to people, as structs that are filled on demand."""

from msgspec import Struct

from inos.network.peers.kinds import LinkKind
from inos.primitives.units import NodeId, TimeMs


class PeerInfo(Struct, frozen=True, kw_only=True):
    """One connected peer."""

    id: NodeId
    address: str
    is_outbound: bool
    kind: LinkKind
    is_brief: bool
    """Whether the link serves a few requests only."""
    group: str
    """The network group of the peer, such as 20.1.0.0/16."""
    score: int
    """The penalty points now; at 100 the peer is banned."""
    user_agent: str
    height: int
    latency_ms: float | None
    bytes_in: int
    bytes_out: int
    bytes_waiting: int
    """The bytes that are queued for the peer and not sent yet."""
    since_ms: TimeMs


class NetworkStatus(Struct, frozen=True, kw_only=True):
    """How this node is connected to other nodes."""

    listen_port: int
    reachability: str
    """"unknown", "private" or "public"."""
    observed_host: str
    """The host at which most peers see this node; "" before a peer has reported one."""
    announced: str
    """The address that this node announces of itself, as ID@host:port; "" if it announces none."""
    discovery: bool
    links: dict[str, int]
    """The number of links of each kind."""
    max_outbound: int
    max_inbound: int
    outbound_groups: int
    """The number of network groups among the outbound links."""
    known_new: int
    """The number of addresses in the book that were never reached; `known_tried` counts those that were."""
    known_tried: int
    is_stale: bool
    """Whether the chain has not grown for so long that outbound peers are replaced."""
    block_relay: dict[str, int]
    """Counters of the relay of new blocks since the start, named as in
    `inos.network.sync.relay.blocks.BlockRelayStats`."""


class AddressInfo(Struct, frozen=True, kw_only=True):
    """One address of the book. Times are ms since 1970; 0 means never."""

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
    """A node or a network group that is banned. Times are ms since 1970."""

    is_group: bool
    subject: str
    """The id of a node in hex, or a group such as 20.1.0.0/16."""
    until_ms: int
    since_ms: int
    reason: str
