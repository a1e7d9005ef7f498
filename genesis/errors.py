"""The errors of genesis files."""

from inos.primitives.errors import InosError


class GenesisError(InosError):
    """The codes are network-unknown, genesis-unreadable, old-protocol, and genesis-invalid (with the field's path)."""
