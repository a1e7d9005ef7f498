"""Where nodes are: addresses worth telling others, and the network group an address belongs to."""

from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from network.identity import PeerAddress
from primitives.units import NodeId

IPAddress = IPv4Address | IPv6Address
CACHED: Final = 16_384
"""Hosts whose reading is remembered: every answer to a lookup asks again about the same ones."""


class Scope(IntEnum):
    """From how far away an address can be reached."""

    MACHINE = 0
    SITE = 1
    WORLD = 2


@lru_cache(CACHED)
def parse_host(host: str) -> IPAddress | None:
    """The address written in `host`, an embedded IPv4 one as such; None for a name and for what no node can have."""
    try:
        ip = ip_address(host)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_multicast or ip.is_unspecified or (isinstance(ip, IPv6Address) and ip.scope_id):
        return None
    return ip


@lru_cache(CACHED)
def compute_scope(host: str) -> Scope | None:
    """None where `host` is no address."""
    ip = parse_host(host)
    if ip is None:
        return None
    if ip.is_loopback:
        return Scope.MACHINE
    return Scope.WORLD if ip.is_global else Scope.SITE


def is_tellable(host: str, other_host: str) -> bool:
    """Whether a node at `other_host` may be told of one at `host`, or may tell of it.

    An address on the own machine or site means nothing further out, and would let strangers have
    nodes dial into their own networks.
    """
    scope, other = compute_scope(host), compute_scope(other_host)
    return scope is not None and other is not None and scope >= other


def compute_group(address: PeerAddress) -> str:
    """What one operator is likely to have as a whole: an IPv4 /16, an IPv6 /32.

    Addresses on this machine or site are a group each: who is there is the operator himself.
    """
    ip = parse_host(address.host)
    if ip is None or not ip.is_global:
        return f"{address.host}:{address.port}"
    if isinstance(ip, IPv6Address):
        inner = ip.sixtofour or (ip.teredo[1] if ip.teredo is not None else None)
        if inner is None:
            return f"6:{ip.packed[:4].hex()}"
        ip = inner
    return f"4:{ip.packed[:2].hex()}"


def make_place(node_id: NodeId, remote_address: str, port: int) -> PeerAddress | None:
    """Where a node connected from `remote_address` (host:port) is dialled at `port`; None where it cannot be."""
    ip = parse_host(remote_address.rpartition(":")[0].strip("[]"))
    if ip is None or not 1 <= port <= 65_535:
        return None
    return PeerAddress(node_id, str(ip), port)
