"""The choice of the backend: the native one if it is installed, else the reference."""

import sys
from functools import cache

from inos.primitives.bls.base import BlsBackend


@cache
def get_reference() -> BlsBackend:
    """Return the py_ecc backend, which is slow; tests compare the other with it.

    Importing it raises the interpreter's recursion limit to 100,000, under which a few kilobytes of nested JSON from
    a client overflow the stack and end the process; so the limit is set back.
    """
    limit = sys.getrecursionlimit()
    from inos.primitives.bls.reference import ReferenceBls

    sys.setrecursionlimit(limit)
    return ReferenceBls()


@cache
def get_native() -> BlsBackend | None:
    """Return the arkworks backend, or None if its binding is not installed."""
    try:
        from inos.primitives.bls.native import NativeBls
    except ImportError:
        return None
    return NativeBls()


def get_bls() -> BlsBackend:
    """Return the fastest backend that is installed; both give the same answers."""
    return get_native() or get_reference()
