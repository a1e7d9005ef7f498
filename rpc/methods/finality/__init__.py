"""finality_*: final and justified checkpoints, committees, and this node's own voter."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.finality import committee, epochs, status, voter

METHODS: Final[dict[str, Method]] = collect_methods(committee, epochs, status, voter)
