"""Trouble with the database: never anybody's fault on the network."""

from inos.primitives.errors import InosError


class ChainError(InosError):
    """No ledger to work with: "database-in-use", "other-genesis", "schema-version", "database-damaged",
    "database-io" (a full disk, missing rights), "database-closed"."""
