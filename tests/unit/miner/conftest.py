"""The node that the miner works for, for every test here."""

from support.miner_node import disk, node

__all__ = ["disk", "node"]
