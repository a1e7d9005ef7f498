"""The audit of the supply: the sum of all records of the state, to compare with the market record."""

import asyncio
from collections.abc import Iterable

from inos.chain.ledger import Tip
from inos.consensus.records import MAX_RECORD_BYTES, Account, Job, JobState, Kind, Market, StateKey
from inos.primitives.codec import decode
from inos.rpc.lookup import make_tip_moving
from inos.rpc.ports import NodePort

TRIES = 3
ESCROWED = frozenset({JobState.OPEN, JobState.CLAIMED, JobState.DELIVERED})


async def audit(node: NodePort) -> tuple[Tip, Market, int]:
    """Return tip, market and the sum of all balances, bonds and escrowed rewards in nano, all of one block.

    A thread adds up the records of one database snapshot, while blocks are connected.

    Raises:
        RpcError: "tip-moving" if a block was connected before the snapshot was taken, on every try.
    """
    for _ in range(TRIES):
        tip, records = node.ledger.tip, node.ledger.iterate_records()
        if node.ledger.tip.id == tip.id:
            market, total = await asyncio.to_thread(add_up, records)
            return tip, market, total
    raise make_tip_moving()


def add_up(records: Iterable[tuple[StateKey, bytes]]) -> tuple[Market, int]:
    """Return the market record and the sum of the nano in all accounts, bonds and escrows.

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
            total += job.reward if job.state in ESCROWED else 0
        elif key[0] == Kind.MARKET:
            market = decode(Market, value, limit=MAX_RECORD_BYTES)
    if market is None:
        raise LookupError("this state has no market record")
    return market, total
