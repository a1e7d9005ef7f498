"""These messages find the nodes near an id, and the providers of a matrix."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.network.endpoints import MAX_HOST
from inos.network.wire.base import Reply, Request
from inos.primitives.matrices import U32, Hash32

MAX_CONTACTS: Final = 20
MAX_PROVIDED: Final = 16
"""One Provide names at most this many matrices."""
MAX_PROVIDERS: Final = 20


class Contact(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A node is dialled at this IP address; names are not allowed, because a node would then resolve names for
    strangers."""

    id: Hash32
    host: Annotated[str, Meta(min_length=2, max_length=MAX_HOST)]
    port: Annotated[int, Meta(ge=1, le=65_535)]


class FindNodes(Request, frozen=True, tag=21):
    """Requests the nodes nearest to an id that the receiver knows."""

    target: Hash32


class Nodes(Reply, frozen=True, tag=22):
    """Names nodes, nearest first; the sender has dialled each of them itself."""

    contacts: Annotated[tuple[Contact, ...], Meta(max_length=MAX_CONTACTS)]


class Provide(Request, frozen=True, tag=23):
    """Announces that the sender has these matrices; no other node can say so for it."""

    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_PROVIDED)]


class Provided(Reply, frozen=True, tag=24):
    """Tells for each id how many seconds the record is kept; 0 means that it was not taken."""

    kept_s: Annotated[tuple[U32, ...], Meta(min_length=1, max_length=MAX_PROVIDED)]


class FindProviders(Request, frozen=True, tag=25):
    """Requests the providers of a matrix."""

    id: Hash32


class Providers(Reply, frozen=True, tag=26):
    """Names the records of the matrix, and the nodes nearest to it. The receiver confirms a record at the provider."""

    providers: Annotated[tuple[Contact, ...], Meta(max_length=MAX_PROVIDERS)]
    contacts: Annotated[tuple[Contact, ...], Meta(max_length=MAX_CONTACTS)]
