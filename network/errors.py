"""The errors between nodes have one class for each party that may be at fault."""

from inos.primitives.errors import InosError


class NetworkError(InosError):
    """The user of this node can correct this: a port is in use, or an address is malformed."""


class LinkError(InosError):
    """A link could not be made, or it ended. Neither side is at fault, because networks fail."""


class HandshakeFailed(LinkError):
    """The other side proved another identity than expected, or it belongs to another network."""


class Misbehaviour(InosError):
    """A peer broke a rule between nodes; its `penalty` points count towards a ban at 100.

    A peer that is slow, behind, or unable to check something yet does not misbehave.
    """

    def __init__(self, code: str, message: str, penalty: int = 100) -> None:
        super().__init__(code, message)
        self.penalty = penalty


class RequestFailed(InosError):
    """A peer did not answer in time, closed the link, or does not have what was requested."""
