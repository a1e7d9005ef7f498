"""Where other nodes are: asked for, told, and being dialled back."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.network.endpoints import MAX_HOST
from inos.network.wire.base import Notice, Reply, Request
from inos.primitives.matrices import U32, Hash32

MAX_ADDRESSES: Final = 512
"""In one answer."""
MAX_ANNOUNCED: Final = 10
"""In one announcement."""


class KnownAddress(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A node and where it is dialled: an IP address, never a name, so that nobody is made to resolve one."""

    id: Hash32
    host: Annotated[str, Meta(min_length=2, max_length=MAX_HOST)]
    port: Annotated[int, Meta(ge=1, le=65_535)]
    seen_s: U32
    """When somebody was last connected to it, seconds since 1970; a claim."""


class GetAddresses(Request, frozen=True, tag=17):
    """Which nodes do you know? Asked once of each peer one has dialled."""


class Addresses(Reply, frozen=True, tag=18):
    """A part of what the answering node knows, the same for all who ask for a day or so."""

    observed: Annotated[str, Meta(max_length=MAX_HOST)]
    """The IP address the answering node sees the asking one at; empty where that is none."""
    addresses: Annotated[tuple[KnownAddress, ...], Meta(max_length=MAX_ADDRESSES)]


class AnnounceAddresses(Notice, frozen=True, tag=19):
    """The sender's own address, or fresh ones it was told; passed on to two others."""

    addresses: Annotated[tuple[KnownAddress, ...], Meta(min_length=1, max_length=MAX_ANNOUNCED)]


class DialMe(Notice, frozen=True, tag=20):
    """Please dial me where you see me, at the port of my hello: I want to know whether I can be reached."""
