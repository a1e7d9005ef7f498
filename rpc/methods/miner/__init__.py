"""miner_*: the node's own miner, its workers, and block templates for external miners."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.miner import control, templates, workers

METHODS: Final[dict[str, Method]] = collect_methods(control, templates, workers)
