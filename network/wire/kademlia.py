"""Who is near an id, and who provides which matrix."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.network.wire.base import Reply, Request
from inos.primitives.matrices import U32, Hash32

MAX_CONTACTS: Final = 20
MAX_HOST: Final = 45
"""The longest text of an IPv6 address."""
MAX_PROVIDED: Final = 16
"""Matrices in one Provide."""
MAX_PROVIDERS: Final = 20


class Contact(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A node and where it is dialled: an IP address, never a name, so that nobody is made to resolve one."""

    id: Hash32
    host: Annotated[str, Meta(min_length=2, max_length=MAX_HOST)]
    port: Annotated[int, Meta(ge=1, le=65_535)]


class FindNodes(Request, frozen=True, tag=21):
    """Which nodes do you know nearest to this id?"""

    target: Hash32


class Nodes(Reply, frozen=True, tag=22):
    """Nearest first. The answering node has dialled each of them itself."""

    contacts: Annotated[tuple[Contact, ...], Meta(max_length=MAX_CONTACTS)]


class Provide(Request, frozen=True, tag=23):
    """The sender has these matrices; nobody else can say so for it."""

    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_PROVIDED)]


class Provided(Reply, frozen=True, tag=24):
    """For each id how many seconds the record is kept; 0 where it was not taken."""

    kept_s: Annotated[tuple[U32, ...], Meta(min_length=1, max_length=MAX_PROVIDED)]


class FindProviders(Request, frozen=True, tag=25):
    """Who has this matrix?"""

    id: Hash32


class Providers(Reply, frozen=True, tag=26):
    """Records of this matrix, and the nodes nearest to it. A record is to be confirmed at the provider."""

    providers: Annotated[tuple[Contact, ...], Meta(max_length=MAX_PROVIDERS)]
    contacts: Annotated[tuple[Contact, ...], Meta(max_length=MAX_CONTACTS)]
