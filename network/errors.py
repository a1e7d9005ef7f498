"""What goes wrong between nodes, told apart by whose fault it is."""

from inos.primitives.errors import InosError


class NetworkError(InosError):
    """Something this node's user can do something about: a port in use, an address that is none."""


class LinkError(InosError):
    """A link could not be made, or ended. Nobody is to blame: networks do that."""


class HandshakeFailed(LinkError):
    """The other side is not who it should be, or not on this network."""


class Misbehaviour(InosError):
    """A peer broke a rule between nodes; `penalty` points count towards a ban at 100.

    Being slow, behind, or not able to check something yet is never misbehaviour.
    """

    def __init__(self, code: str, message: str, penalty: int = 100) -> None:
        super().__init__(code, message)
        self.penalty = penalty


class RequestFailed(InosError):
    """A peer did not answer in time, went away, or says it has not got what was asked for."""
