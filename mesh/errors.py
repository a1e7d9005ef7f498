"""Trouble with the matrix store."""

from primitives.errors import InosError


class MeshError(InosError):
    """ "store-full", "too-large", "unknown-matrix": this node's limits, nobody's fault on the network."""
