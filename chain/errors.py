"""Errors of the database. They are never the fault of a peer."""

from inos.primitives.errors import InosError


class ChainError(InosError):
    """The ledger cannot be used: "database-in-use", "other-genesis", "old-protocol", "schema-version",
    "database-damaged", "database-io" (a full disk, missing rights), "database-closed".
    """
