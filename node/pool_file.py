"""Keeps the mempool over a restart, in a file of transactions that are checked again when they are read.

The file is written at the end, and every half minute while the pool changes, so a node that is killed loses little of
what it said it had.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from inos.chain.mempool import Mempool
from inos.primitives.atomic_files import replace_file
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.transactions import Transaction, get_sender
from inos.primitives.units import TxId

log: Final = structlog.get_logger("node")

MAX_POOL_BYTES: Final = 64 << 20
SAVE_S: Final = 30.0


def save_pool(path: Path, mempool: Mempool) -> None:
    """Write the pool's transactions, in an order in which they can be executed."""
    _write(path, _list_transactions(mempool))


async def keep_pool(path: Path, mempool: Mempool, every_s: float = SAVE_S) -> None:
    """Write the pool's transactions whenever they have changed, until cancelled; a failure is only logged."""
    written: list[TxId] = []
    while True:
        await asyncio.sleep(every_s)
        ids = mempool.list_ids()
        if ids == written:
            continue
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(None, _write, path, _list_transactions(mempool))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])  # otherwise it could replace what the node writes at its end
            raise
        except OSError as error:
            log.warning("pool file not written", path=str(path), error=str(error))
        else:
            written = ids


def _list_transactions(mempool: Mempool) -> list[Transaction]:
    return [tx for tx_id in mempool.list_ids() if (tx := mempool.get(tx_id)) is not None]


def _write(path: Path, transactions: list[Transaction]) -> None:
    replace_file(path, encode(sorted(transactions, key=lambda tx: (get_sender(tx), tx.nonce))))


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
