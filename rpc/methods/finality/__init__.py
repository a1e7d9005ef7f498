"""finality_*: final and justified checkpoints, committees, and this node's own voter."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.finality import status

METHODS: Final[dict[str, Method]] = collect_methods(status)
