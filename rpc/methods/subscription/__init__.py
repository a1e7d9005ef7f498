"""subscribe and unsubscribe: notifications over a WebSocket."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.subscription import subscribe

METHODS: Final[dict[str, Method]] = collect_methods(subscribe)
