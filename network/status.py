"""What the network tells about itself: structs for people, filled on demand."""

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
    """There for a few questions only."""
    group: str
    """Its network group: 20.1.0.0/16."""
    score: int
    """Penalty points now; at 100 it is banned."""
    user_agent: str
    height: int
    latency_ms: float | None
    bytes_in: int
    bytes_out: int
    bytes_waiting: int
    """Queued for it and not sent yet."""
    since_ms: TimeMs


class NetworkStatus(Struct, frozen=True, kw_only=True):
    """Where this node stands among others."""

    listen_port: int
    reachability: str
    """unknown, private or public."""
    observed_host: str
    """Where most peers see this node; "" before they said."""
    announced: str
    """What is announced of this node, ID@host:port; "" where nothing is."""
    discovery: bool
    links: dict[str, int]
    """Links by kind."""
    max_outbound: int
    max_inbound: int
    outbound_groups: int
    """Network groups among the outbound links."""
    known_new: int
    """Addresses in the book never reached, and reached ones."""
    known_tried: int
    is_stale: bool
    """Whether the chain has stood still for so long that outbound peers are changed."""
    spread: dict[str, int]
    """What came of new blocks since the start, as `inos.network.sync.relay.blocks.SpreadStats` names it."""


class AddressInfo(Struct, frozen=True, kw_only=True):
    """One address of the book. Times are ms since 1970, 0 for never."""

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
    """A node or a network group that is refused. Times are ms since 1970."""

    is_group: bool
    subject: str
    """A node's id in hex, or a group such as 20.1.0.0/16."""
    until_ms: int
    since_ms: int
    reason: str
