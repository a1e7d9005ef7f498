"""Adding up everything the state holds, record by record, to compare it with what the market says."""

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
    """Tip, market and the sum of all balances, bonds and escrowed rewards in nano, of one and the same block.

    The records are those of one snapshot, however long the adding takes in its thread.

    Raises:
        RpcError: "tip-moving" where that happened every time.
    """
    for _ in range(TRIES):
        tip, records = node.ledger.tip, node.ledger.iterate_records()
        if node.ledger.tip.id == tip.id:
            market, total = await asyncio.to_thread(add_up, records)
            return tip, market, total
    raise make_tip_moving()


def add_up(records: Iterable[tuple[StateKey, bytes]]) -> tuple[Market, int]:
    """The market's record, and the nano in all accounts, bonds and escrows.

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
