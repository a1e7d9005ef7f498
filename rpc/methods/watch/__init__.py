"""watch_*: the watcher, which checks optimistic results."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.watch import status

METHODS: Final[dict[str, Method]] = collect_methods(status)
