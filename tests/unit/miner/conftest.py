"""The node for which the miner works in the tests of this folder."""

from support.miner_node import disk, node

__all__ = ["disk", "node"]
