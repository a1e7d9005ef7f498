"""What can go wrong between a light client and those it asks: somebody lied, or nobody could tell."""

from inos.primitives.errors import InosError, NotYet

ASK_ANOTHER = "this node is asked no more; begin again with --node and the address of another one"


class Lie(InosError):
    """A node said something that its own proof, or somebody's signature, contradicts.

    Codes: lied-about-headers, lied-about-seals, lied-about-finality, lied-about-state, lied-malformed.

    Args:
        source: the node's address.
    """

    def __init__(self, code: str, source: str, message: str) -> None:
        super().__init__(code, f"{source} lied: {message}", hint=ASK_ANOTHER)
        self.source = source


class LightError(InosError):
    """Codes: source-unreachable, source-refused, conflicting-finality, bad-checkpoint, bad-url."""


class Unknown(NotYet):
    """Nobody asked could tell, and nobody is known to have lied: no-source, not-following, state-unavailable,
    seal-unavailable, too-many-headers, no-headers, branch-left."""
