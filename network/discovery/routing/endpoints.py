"""Where nodes are dialled, and who may be told of it."""

from enum import IntEnum
from ipaddress import IPv6Address, ip_address

from inos.network.endpoints import compute_group as compute_host_group
from inos.network.endpoints import is_local, is_public, parse_ip, split_endpoint
from inos.network.identity import PeerAddress
from inos.primitives.units import NodeId


class Scope(IntEnum):
    """From how far away an address can be reached."""

    MACHINE = 0
    SITE = 1
    WORLD = 2


def compute_scope(host: str) -> Scope | None:
    """None where `host` is no address that a node can have."""
    ip = parse_ip(host)
    if ip is None:
        return None
    if is_public(host):
        return Scope.WORLD
    if not is_local(host):
        return None
    return Scope.MACHINE if ip.is_loopback else Scope.SITE


def may_share(host: str, other_host: str) -> bool:
    """Whether a node at `other_host` may be told of one at `host`, or may tell of it.

    An address on the own machine or site means nothing further out, and would let strangers have
    nodes dial into their own networks.
    """
    scope, other = compute_scope(host), compute_scope(other_host)
    return scope is not None and other is not None and scope >= other


def compute_group(address: PeerAddress) -> bytes:
    """What one operator is likely to have as a whole."""
    return compute_host_group(address.host, address.port)


def get_canonical_host(host: str) -> str | None:
    """The one way an address is written; None for a name and for what no node can have."""
    if compute_scope(host) is None or "%" in host:
        return None
    ip = ip_address(host)
    return str((ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip)


def make_peer_address(node_id: NodeId, remote_address: str, port: int) -> PeerAddress | None:
    """Where a node connected from `remote_address` (host:port) is dialled at `port`; None where it cannot be."""
    host = get_canonical_host(split_endpoint(remote_address)[0])
    if host is None or not 1 <= port <= 65_535:
        return None
    return PeerAddress(node_id, host, port)
