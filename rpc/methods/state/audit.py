"""The audit of the supply: the sum of all records of the state, to compare with the market record."""

import asyncio
from collections.abc import Iterable

from inos.chain.ledger import Tip
from inos.consensus.records import CLOSED_STATES, MAX_RECORD_BYTES, Account, Job, Kind, Market, Pot, StateKey
from inos.primitives.codec import decode
from inos.rpc.lookup import make_tip_moving
from inos.rpc.ports import NodePort

TRIES = 3


async def audit(node: NodePort) -> tuple[Tip, Market, int]:
    """Return tip, market and the sum of all balances, bonds, escrowed rewards and pots in nano, of one block.

    A thread adds up the records of one database snapshot, while blocks are connected.

    Raises:
        RpcError: "tip-moving" if a block was connected before the snapshot was taken, on every try.
    """
    for _ in range(TRIES):
        tip, records = node.ledger.tip, node.ledger.reader.iterate_records()
        if node.ledger.tip.id == tip.id:
            market, total = await asyncio.to_thread(add_up, records)
            return tip, market, total
    raise make_tip_moving()


def add_up(records: Iterable[tuple[StateKey, bytes]]) -> tuple[Market, int]:
    """Return the market record and the sum of the nano in all accounts, bonds, escrows and pots.

    Raises:
        LookupError: there is no market record.
    """
    market: Market | None = None
    total = 0
    for key, value in records:
        if key[0] == Kind.ACCOUNT:
            account = decode(Account, value, limit=MAX_RECORD_BYTES)
            total += account.balance + account.bonded
        elif key[0] == Kind.JOB:
            job = decode(Job, value, limit=MAX_RECORD_BYTES)
            total += 0 if job.state in CLOSED_STATES else job.reward
        elif key[0] == Kind.POT:
            total += decode(Pot, value, limit=MAX_RECORD_BYTES).amount
        elif key[0] == Kind.MARKET:
            market = decode(Market, value, limit=MAX_RECORD_BYTES)
    if market is None:
        raise LookupError("this state has no market record")
    return market, total
