"""net_*: peers, addresses, bans and matrix providers."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.net import addresses, bans, peers, providers, status

METHODS: Final[dict[str, Method]] = collect_methods(addresses, bans, peers, providers, status)
