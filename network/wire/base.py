"""What every message is: a canonical array of a tag and fields, and which way it is handled.

A request carries a number its reply repeats, so that a reply nobody asked for is seen as such. A notice is neither: it
waits in the peer's inbox until somebody has time for it.
"""

from msgspec import Struct

from inos.primitives.matrices import U32


class Message(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of all messages."""


class Request(Message, frozen=True):
    """Asks for one or more replies with the same number."""

    request: U32


class Reply(Message, frozen=True):
    """Answers the request of the same number."""

    request: U32


class Notice(Message, frozen=True):
    """Tells something nobody asked for and nobody answers."""
