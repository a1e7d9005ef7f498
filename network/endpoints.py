"""Hosts: which may be dialled because a stranger named them, and which probably belong to one operator."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

MAX_HOST: Final = 45
"""The longest text of an IPv6 address."""
CACHED: Final = 16_384
"""Hosts whose reading is remembered: every answer to a lookup asks again about the same ones."""


@lru_cache(CACHED)
def parse_ip(host: str) -> IPv4Address | IPv6Address | None:
    """The address behind a literal, an IPv4 one where it is wrapped in IPv6; None for a name."""
    try:
        ip = ip_address(host.partition("%")[0] if "%" in host else host)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip
    return ip


@lru_cache(CACHED)
def is_public(host: str) -> bool:
    """Whether the host is an IP address that is the same for everybody on the Internet."""
    ip = parse_ip(host)
    return ip is not None and ip.is_global and not ip.is_multicast and not ip.is_reserved


@lru_cache(CACHED)
def is_local(host: str) -> bool:
    """Whether the host is a loopback or private IP address, which means another machine to everybody."""
    ip = parse_ip(host)
    return ip is not None and not ip.is_unspecified and not ip.is_multicast and (ip.is_private or ip.is_loopback)


def is_acceptable(host: str, *, allow_local: bool) -> bool:
    """Whether an address that somebody told may be kept, dialled and passed on: a literal in its one spelling.

    Names never are, or a stranger could have this node resolve them; local addresses only where the user
    says that the network is local, or a stranger could have this node dial its neighbours.
    """
    ip = parse_ip(host) if len(host) <= MAX_HOST else None
    return ip is not None and str(ip) == host and (is_public(host) or (allow_local and is_local(host)))


def compute_group(host: str, port: int) -> bytes:
    """What addresses of one operator have in common: the /16 of IPv4, the /32 of IPv6, as in Bitcoin Core.

    A local address is a group of its own with its port, so that several nodes of one machine or of one private
    network count as several; a name is a group of its own.
    """
    ip = parse_ip(host)
    if ip is None:
        return b"name " + host.lower().encode()
    if not is_public(host):
        return b"local " + ip.packed + port.to_bytes(2, "big")
    return b"4" + ip.packed[:2] if isinstance(ip, IPv4Address) else b"6" + ip.packed[:4]


def is_public_group(group: bytes) -> bool:
    """Whether the group is one of public addresses, and no local address or name."""
    return group[:1] in (b"4", b"6") and len(group) in (3, 5)


def describe_group(group: bytes) -> str:
    """The group for people: 20.1.0.0/16, 2a01:4f8::/32, local 127.0.0.1:8646, or a name."""
    kind, rest = group[:1], group[1:]
    if kind == b"4" and len(rest) == 2:
        return f"{rest[0]}.{rest[1]}.0.0/16"
    if kind == b"6" and len(rest) == 4:
        return f"{IPv6Address(rest + bytes(12))}/32"
    if group.startswith(b"local "):
        packed, port = group[6:-2], int.from_bytes(group[-2:], "big")
        return f"local {ip_address(packed)}:{port}"
    return group.removeprefix(b"name ").decode("utf-8", "replace")


def split_endpoint(place: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[host]:port"; port 0 where there is none."""
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdigit():
        return place.strip("[]"), 0
    return host.strip("[]"), int(port)
