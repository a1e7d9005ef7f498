"""Trouble with the matrix store."""

from primitives.errors import InosError


class MeshError(InosError):
    """Nobody's fault on the network: "store-full", "too-large", "unknown-matrix", "disk-refuses"."""
