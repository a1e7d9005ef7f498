"""Keeps the mempool over a restart, in a file of transactions that are checked again when they are read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from inos.chain.mempool import Mempool
from inos.primitives.atomic_files import replace_file
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.transactions import Transaction, get_sender

log: Final = structlog.get_logger("node")

MAX_POOL_BYTES: Final = 64 << 20


def save_pool(path: Path, mempool: Mempool) -> None:
    """Write the pool's transactions, in an order in which they can be executed."""
    found = [mempool.get(tx_id) for tx_id in mempool.list_ids()]
    transactions = sorted((tx for tx in found if tx is not None), key=lambda tx: (get_sender(tx), tx.nonce))
    replace_file(path, encode(transactions))


def load_pool(path: Path) -> Sequence[Transaction]:
    """Read the transactions of a pool file; if it is missing or damaged, return none, which loses nothing of the
    chain."""
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_POOL_BYTES else b""
    except OSError:
        return ()
    try:
        return decode(tuple[Transaction, ...], data, limit=MAX_POOL_BYTES) if data else ()
    except CodecError as error:
        log.warning("pool file ignored", path=str(path), error=error.message)
        return ()
