"""Transactions by announcement."""

from typing import Annotated, Final

from msgspec import Meta

from network.wire.base import Notice, Reply, Request
from primitives.matrices import Hash32
from primitives.transactions import Transaction

MAX_ANNOUNCED: Final = 1024
MAX_TX_IDS: Final = 256


class AnnounceTransactions(Notice, frozen=True, tag=10):
    """Transactions in this node's pool."""

    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_ANNOUNCED)]


class GetTransactions(Request, frozen=True, tag=11):
    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_TX_IDS)]


class Transactions(Reply, frozen=True, tag=12):
    """Those of the asked ones that are still in the pool, in the order asked."""

    transactions: Annotated[tuple[Transaction, ...], Meta(max_length=MAX_TX_IDS)]
