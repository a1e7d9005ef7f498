"""pool_*: what the workers of a node with --pool earn, and how they check it."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.pool import methods

METHODS: Final[dict[str, Method]] = collect_methods(methods)
