"""Nodes request addresses, announce them, and ask to be dialled back."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.network.endpoints import MAX_HOST
from inos.network.wire.base import Notice, Reply, Request
from inos.primitives.matrices import U32, Hash32

MAX_ADDRESSES: Final = 512
"""One answer holds at most this many addresses."""
MAX_ANNOUNCED: Final = 10
"""One announcement holds at most this many addresses."""


class KnownAddress(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A node is dialled at this IP address; names are not allowed, because a node would then resolve names for
    strangers."""

    id: Hash32
    host: Annotated[str, Meta(min_length=2, max_length=MAX_HOST)]
    port: Annotated[int, Meta(ge=1, le=65_535)]
    seen_s: U32
    """Some node was last connected to it at this time, in seconds since 1970. It is a claim."""


class GetAddresses(Request, frozen=True, tag=17):
    """Requests known nodes; a node asks each peer that it has dialled once."""


class Addresses(Reply, frozen=True, tag=18):
    """Carries a part of what the answering node knows; it is the same for all peers for about a day."""

    observed: Annotated[str, Meta(max_length=MAX_HOST)]
    """The answering node sees the requesting one at this IP address; it is empty if it is none."""
    addresses: Annotated[tuple[KnownAddress, ...], Meta(max_length=MAX_ADDRESSES)]


class AnnounceAddresses(Notice, frozen=True, tag=19):
    """Announces the sender's own address, or fresh ones that the sender received and that the receiver relays."""

    addresses: Annotated[tuple[KnownAddress, ...], Meta(min_length=1, max_length=MAX_ANNOUNCED)]


class DialMe(Notice, frozen=True, tag=20):
    """Asks the receiver to dial the sender where it sees it, at the port of its hello, to learn whether it can be
    reached."""
