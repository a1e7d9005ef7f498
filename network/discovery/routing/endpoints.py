"""This module makes addresses of nodes for routing, and decides which nodes may be told of them."""

from enum import IntEnum
from ipaddress import IPv6Address, ip_address

from inos.network.endpoints import compute_group, is_local, is_public, parse_ip, split_endpoint
from inos.network.identity import PeerAddress
from inos.primitives.units import NodeId


class Scope(IntEnum):
    """An address can be reached from this far away."""

    MACHINE = 0
    SITE = 1
    WORLD = 2


def compute_scope(host: str) -> Scope | None:
    """Return the scope of a host; return None if a node cannot have it as its address."""
    ip = parse_ip(host)
    if ip is None:
        return None
    if is_public(host):
        return Scope.WORLD
    if not is_local(host):
        return None
    return Scope.MACHINE if ip.is_loopback else Scope.SITE


def may_share(host: str, other_host: str) -> bool:
    """Return True if a node at `other_host` may be told of a node at `host`, or may name it.

    An address on the same machine or site means nothing outside it, and would let strangers make nodes dial into their
    own networks.
    """
    scope, other = compute_scope(host), compute_scope(other_host)
    return scope is not None and other is not None and scope >= other


def compute_address_group(address: PeerAddress) -> bytes:
    """Return the network group of an address, which one operator tends to own as a whole."""
    return compute_group(address.host, address.port)


def get_canonical_host(host: str) -> str | None:
    """Return the canonical spelling of an address; return None for a name and for what a node cannot have."""
    if compute_scope(host) is None or "%" in host:
        return None
    ip = ip_address(host)
    return str((ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip)


def make_peer_address(node_id: NodeId, remote_address: str, port: int) -> PeerAddress | None:
    """Return the address at which a node connected from `remote_address` (host:port) is dialled at `port`, if there is
    one."""
    host = get_canonical_host(split_endpoint(remote_address)[0])
    if host is None or not 1 <= port <= 65_535:
        return None
    return PeerAddress(node_id, host, port)
