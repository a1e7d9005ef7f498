"""Errors of the pool."""

from inos.primitives.errors import InosError


class PoolError(InosError):
    """The pool's database cannot be used: "pool-damaged", "pool-of-another-network", "pool-of-another-account"."""
