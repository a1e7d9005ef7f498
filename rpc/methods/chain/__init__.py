"""chain_*: blocks, headers and transactions of the best chain, and how much of their work was paid for."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.chain import blocks, certificate, headers, listing, params, search, stats, transactions, work

METHODS: Final[dict[str, Method]] = collect_methods(
    blocks, certificate, headers, listing, params, search, stats, transactions, work
)
