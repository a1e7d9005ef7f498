"""Which backend a process uses: the native one where it is installed, else the reference."""

import sys
from functools import cache

from inos.primitives.bls.base import BlsBackend


@cache
def get_reference() -> BlsBackend:
    """py_ecc: correct and slow; what the others are measured against.

    Importing it raises the interpreter's recursion limit to 100,000, under which a few kilobytes of nested JSON from
    anybody overflow the stack and end the process; so the limit is put back.
    """
    limit = sys.getrecursionlimit()
    from inos.primitives.bls.reference import ReferenceBls

    sys.setrecursionlimit(limit)
    return ReferenceBls()


@cache
def get_native() -> BlsBackend | None:
    """arkworks, or None where its binding is not installed."""
    try:
        from inos.primitives.bls.native import NativeBls
    except ImportError:
        return None
    return NativeBls()


def get_bls() -> BlsBackend:
    """The fastest backend there is here; both give the same answers."""
    return get_native() or get_reference()
