"""This module decides which hosts may be dialled when a stranger names them, and which likely share an operator."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

MAX_HOST: Final = 45
"""This is the length of the longest text of an IPv6 address."""
CACHED: Final = 16_384
"""This many hosts stay parsed in memory, since every answer to a lookup asks about the same ones again."""


@lru_cache(CACHED)
def parse_ip(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a literal names, unwrapped to IPv4 if IPv6 embeds one; return None for a name."""
    try:
        ip = ip_address(host.partition("%")[0] if "%" in host else host)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip
    return ip


@lru_cache(CACHED)
def is_public(host: str) -> bool:
    """Return True if the host is an IP address that means the same machine everywhere on the Internet."""
    ip = parse_ip(host)
    return ip is not None and ip.is_global and not ip.is_multicast and not ip.is_reserved


@lru_cache(CACHED)
def is_local(host: str) -> bool:
    """Return True if the host is a loopback or private IP address, which means a different machine at every site."""
    ip = parse_ip(host)
    return ip is not None and not ip.is_unspecified and not ip.is_multicast and (ip.is_private or ip.is_loopback)


def is_acceptable(host: str, *, allow_local: bool) -> bool:
    """Return True if an address that a peer announces may be stored, dialled and relayed.

    It must be an IP literal in its canonical spelling. Names are refused because a stranger could make this node
    resolve them. Local addresses are accepted only if the user declares the network local, because a stranger could
    otherwise make this node dial its neighbours.
    """
    ip = parse_ip(host) if len(host) <= MAX_HOST else None
    return ip is not None and str(ip) == host and (is_public(host) or (allow_local and is_local(host)))


def compute_group(host: str, port: int) -> bytes:
    """Return the network group of an endpoint, which addresses of one operator tend to share.

    As in Bitcoin Core the group is the /16 of IPv4 and the /32 of IPv6. A local address with its port is a group of its
    own, so that several nodes of one machine or of one private network count as several. A name is a group of its own.
    """
    ip = parse_ip(host)
    if ip is None:
        return b"name " + host.lower().encode()
    if not is_public(host):
        return b"local " + ip.packed + port.to_bytes(2, "big")
    return b"4" + ip.packed[:2] if isinstance(ip, IPv4Address) else b"6" + ip.packed[:4]


def is_public_group(group: bytes) -> bool:
    """Return True if the group holds public addresses, and not a local address or a name."""
    return group[:1] in (b"4", b"6") and len(group) in (3, 5)


def describe_group(group: bytes) -> str:
    """Return the group as text for people: 20.1.0.0/16, 2a01:4f8::/32, local 127.0.0.1:8646, or a name."""
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
    """Return host and port of "host:port" or "[host]:port"; the port is 0 if the text has none."""
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdigit():
        return place.strip("[]"), 0
    return host.strip("[]"), int(port)
