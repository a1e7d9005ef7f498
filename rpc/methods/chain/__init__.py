"""chain_*: blocks, headers and transactions of the best chain, and what their work came to."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.chain import blocks, certificate, listing, work

METHODS: Final[dict[str, Method]] = collect_methods(blocks, certificate, listing, work)
