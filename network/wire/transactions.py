"""Transactions are announced by id and requested."""

from typing import Annotated, Final

from msgspec import Meta

from inos.network.wire.base import Notice, Reply, Request
from inos.primitives.matrices import Hash32
from inos.primitives.transactions import MAX_TX_BYTES, Transaction

MAX_ANNOUNCED: Final = 1024
MAX_TX_IDS: Final = 256
MAX_TRANSACTIONS_BYTES: Final = MAX_TX_BYTES + 64
"""This is the size of one of the largest transactions, or of as many smaller ones as were requested."""


class AnnounceTransactions(Notice, frozen=True, tag=10):
    """Announces the ids of transactions in the sender's pool."""

    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_ANNOUNCED)]


class GetTransactions(Request, frozen=True, tag=11):
    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_TX_IDS)]


class Transactions(Reply, frozen=True, tag=12):
    """Carries the requested transactions that are in the pool, in the order of the request, as far as they fit: at
    least one."""

    transactions: Annotated[tuple[Transaction, ...], Meta(max_length=MAX_TX_IDS)]
