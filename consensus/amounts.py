"""Sums of unsigned 64-bit quantities. Every sum is checked: an overflow breaks a rule and never wraps around."""

from inos.consensus.codes import Code
from inos.primitives.errors import RuleViolation
from inos.primitives.units import U64_MAX


def add(a: int, b: int, what: str) -> int:
    """Return `a + b`; `what` names the sum in error messages.

    Raises:
        RuleViolation: "overflow" above 2^64 - 1.
    """
    total = a + b
    if total > U64_MAX:
        raise RuleViolation(Code.OVERFLOW, f"{what} does not fit 64 bits", expected=f"at most {U64_MAX}", got=total)
    return total


def subtract(a: int, b: int, what: str) -> int:
    """Return `a - b`, which must not be negative.

    Raises:
        RuleViolation: "overflow" below 0, which no valid chain reaches.
    """
    if b > a:
        raise RuleViolation(Code.OVERFLOW, f"{what} would be negative", expected=f"at least {b}", got=a)
    return a - b


def change(a: int, delta: int, what: str) -> int:
    """Return `a + delta` for a delta of either sign; the sum must not be negative.

    Raises:
        RuleViolation: "overflow", as for `add` and `subtract`.
    """
    return add(a, delta, what) if delta >= 0 else subtract(a, -delta, what)
