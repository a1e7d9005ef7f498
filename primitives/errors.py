"""The families of errors. Each error has a code, says what was wrong, and says what to do if that helps.

`RuleViolation` means that something is invalid for ever and on every node: it may be remembered and may cost
a peer points. `NotYet` means that this node cannot tell now: it must do neither.
"""

from collections.abc import Sequence

from inos.primitives.matrices import Product
from inos.primitives.units import BlockId, MatrixId, TimeMs


class InosError(Exception):
    """The base of all errors that a person may read.

    Args:
        code: stable, lower-case, dashed; programs match on it.
        message: what was wrong and where.
        hint: what the reader can do about it, or "".
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.code = str(code)  # an enumeration's member becomes plain text, as errors are logged, stored and sent
        self.message = message
        self.hint = hint


class RuleViolation(InosError):
    """A rule of the protocol is broken.

    Args:
        code: stable name of the rule, e.g. "bad-state-root".
        message: the rule in words, with the place.
        expected, got: the two sides of the comparison, as text, or "".
    """

    def __init__(self, code: str, message: str, *, expected: object = "", got: object = "") -> None:
        detail = f": expected {expected}, got {got}" if expected != "" or got != "" else ""
        super().__init__(code, f"{message}{detail}")
        self.expected = str(expected)
        self.got = str(got)


class CodecError(RuleViolation):
    """The bytes are too long, malformed, or not the canonical encoding of their value."""


class InvalidCertificate(RuleViolation):
    """The seal or witness does not prove a winning ticket."""


class NotYet(InosError):
    """This node cannot check yet. No peer is to blame, and nothing may be remembered."""


class ClockAhead(NotYet):
    """The block's time is further in the future than this node's clock allows; `until` is when to check it again.

    `ahead_ms` is how far its time is ahead of the clock.
    """

    def __init__(self, until: TimeMs, message: str, ahead_ms: int = 0) -> None:
        super().__init__("time-too-new", message, hint="it is held until then")
        self.until = until
        self.ahead_ms = ahead_ms


class ParentMissing(NotYet):
    """This node does not have the block's parent."""

    def __init__(self, parent: BlockId) -> None:
        super().__init__("parent-missing", f"the parent block {parent.hex()} is not known here yet")
        self.parent = parent


class MatrixMissing(NotYet):
    """The check needs matrices that this node does not hold; `ids` are the missing ones."""

    def __init__(self, ids: Sequence[MatrixId]) -> None:
        names = ", ".join(i.hex() for i in ids)
        super().__init__("matrix-missing", f"needs matrices that are not here yet: {names}")
        self.ids = tuple(ids)


class VerdictMissing(NotYet):
    """A block or transaction whose delivered products this node has not checked yet.

    Args:
        products: those without a verdict.
        ids: those of their matrices that are not here; empty if only the checks are outstanding.
    """

    def __init__(self, products: Sequence[Product], ids: Sequence[MatrixId] = ()) -> None:
        jobs = ", ".join(product.job.hex() for product in products)
        lacks = f"; matrices that are not here: {', '.join(i.hex() for i in ids)}" if ids else ""
        super().__init__("verdict-missing", f"the results of these jobs are not checked here yet: {jobs}{lacks}")
        self.products = tuple(products)
        self.ids = tuple(ids)
