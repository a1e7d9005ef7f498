"""net_*: peers, addresses, bans and matrix providers."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.net import peers

METHODS: Final[dict[str, Method]] = collect_methods(peers)
