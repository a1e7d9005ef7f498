"""A message is a canonical array of a tag and fields; its base class says how it is handled.

A request carries a number that its replies repeat, so that a reply without a request is detected. A notice is neither a
request nor a reply: it waits in the peer's inbox until it is processed.
"""

from msgspec import Struct

from inos.primitives.matrices import U32


class Message(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The base class of all messages."""


class Request(Message, frozen=True):
    """Asks for one or more replies with the same number."""

    request: U32


class Reply(Message, frozen=True):
    """Answers the request of the same number."""

    request: U32


class Notice(Message, frozen=True):
    """Informs the receiver, without a request before it or an answer after it."""
