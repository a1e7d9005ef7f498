"""The family of errors of genesis files."""

from inos.primitives.errors import InosError


class GenesisError(InosError):
    """Codes: network-unknown, genesis-unreadable, genesis-invalid (with the field's path and the reason)."""
