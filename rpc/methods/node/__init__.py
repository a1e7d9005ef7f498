"""node_*: version, health, snapshots and shutdown of this node."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.node import health, snapshot, stop, version

METHODS: Final[dict[str, Method]] = collect_methods(health, snapshot, stop, version)
