"""state_*: accounts, their history, and the supply, as of the tip."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.state import accounts, history, listing, reputation, supply

METHODS: Final[dict[str, Method]] = collect_methods(accounts, history, listing, reputation, supply)
