"""tx_*: sending transactions, fees, and the pool."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.tx import transactions

METHODS: Final[dict[str, Method]] = collect_methods(transactions)
