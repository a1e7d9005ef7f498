"""Two things go wrong between a light client and its nodes: a node lies, or no node can answer."""

from inos.primitives.errors import InosError, NotYet

ASK_ANOTHER = "this node is asked no more; begin again with --node and the address of another one"


class Lie(InosError):
    """A node said something that its own proof, or a signature, contradicts.

    Codes: lied-about-headers, lied-about-seals, lied-about-finality, lied-about-state, lied-malformed.

    Args:
        source: the node's address.
    """

    def __init__(self, code: str, source: str, message: str) -> None:
        super().__init__(code, f"{source} lied: {message}", hint=ASK_ANOTHER)
        self.source = source


class LightError(InosError):
    """The client cannot go on. Codes: source-unreachable, source-refused, conflicting-finality, bad-checkpoint,
    bad-url."""


class Unknown(NotYet):
    """No node can answer, and none is known to have lied. Codes: no-source, not-following, state-unavailable,
    seal-unavailable, too-many-headers, no-headers, branch-left."""
