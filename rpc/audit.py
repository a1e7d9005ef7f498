"""Adding up everything the state holds, record by record, to compare it with what the market says."""

import asyncio
from collections.abc import Iterable

from chain.ledger import Tip
from consensus.records import MAX_RECORD_BYTES, Account, Job, JobState, Kind, Market, StateKey
from primitives.codec import decode
from rpc.errors import BUSY, RpcError
from rpc.ports import NodePort

TRIES = 3


async def audit(node: NodePort) -> tuple[Tip, Market, int]:
    """Tip, market and the sum of all balances, bonds and escrowed rewards in nano, of one and the same block.

    Runs in a thread, and again where a block was connected meanwhile.

    Raises:
        RpcError: "tip-moving" where that happened every time.
    """
    for _ in range(TRIES):
        tip, market = node.ledger.tip, node.ledger.state.get_market()
        total = await asyncio.to_thread(lambda: compute_sum(node.ledger.iterate_records()))
        if node.ledger.tip.id == tip.id:
            return tip, market, total
    raise RpcError(BUSY, "tip-moving", "blocks are being connected faster than the state can be read", hint="try again")


def compute_sum(records: Iterable[tuple[StateKey, bytes]]) -> int:
    """Nano in all accounts, bonds and escrows."""
    total = 0
    for key, value in records:
        if key[0] == Kind.ACCOUNT:
            account = decode(Account, value, limit=MAX_RECORD_BYTES)
            total += account.balance + account.bonded
        elif key[0] == Kind.JOB:
            job = decode(Job, value, limit=MAX_RECORD_BYTES)
            total += job.reward if job.state in (JobState.OPEN, JobState.CLAIMED) else 0
    return total
