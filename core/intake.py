"""Takes transactions of this node's users in groups.

Handing each to the threads by itself takes longer than checking it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from inos.primitives.errors import InosError
from inos.primitives.transactions import Transaction
from inos.primitives.units import TxId

MAX_GROUP: Final = 100
"""So many transactions are checked in one call; the writer is busy with them for a few milliseconds."""
MAX_GROUPS: Final = 2
"""While one group is checked, another one is stored; the others wait outside the threads."""

Outcome: TypeAlias = TxId | InosError
Part: TypeAlias = tuple[Sequence[Transaction], asyncio.Future[Sequence[Outcome]]]
"""The transactions of one caller, who waits for their outcomes."""
Process: TypeAlias = Callable[[Sequence[Transaction]], Awaitable[Sequence[Outcome]]]


class Intake:
    """Collects transactions that arrive while others are processed. It belongs to the event loop's thread.

    Args:
        process: returns the outcome of each transaction, in order.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: deque[Part] = deque()
        self._workers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        """References that keep the workers' tasks alive."""

    async def take(self, tx: Transaction) -> TxId:
        """Process a transaction with those that wait beside it, and return its id; raise what refused it.

        If the caller is cancelled meanwhile, the transaction may be taken all the same.
        """
        (outcome,) = await self.take_all((tx,))
        if isinstance(outcome, InosError):
            raise outcome
        return outcome

    async def take_all(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        """Process at least one transaction, and at most MAX_GROUP, in one group; return the outcome of each."""
        future: asyncio.Future[Sequence[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.append((transactions, future))
        if self._workers < MAX_GROUPS:
            self._workers += 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _work(self) -> None:
        """Process groups while transactions wait. The callers that are ready now join the first group."""
        try:
            await asyncio.sleep(0)
            while group := self._choose_group():
                await self._run(group)
        finally:
            self._workers -= 1

    def _choose_group(self) -> list[Part]:
        """Remove the first transactions whose callers still wait. Those of one caller stay together."""
        group: list[Part] = []
        size = 0
        while self._waiting and (not group or size + len(self._waiting[0][0]) <= MAX_GROUP):
            transactions, future = self._waiting.popleft()
            if not future.done():
                group.append((transactions, future))
                size += len(transactions)
        return group

    async def _run(self, group: list[Part]) -> None:
        transactions = [tx for part, _ in group for tx in part]
        outcomes: Sequence[Outcome] | None = None
        try:
            outcomes = await self._process(transactions)
        except InosError as error:
            outcomes = [error] * len(transactions)
        finally:
            begin = 0
            for part, future in group:
                end = begin + len(part)
                if outcomes is None:
                    future.cancel()
                elif not future.done():
                    future.set_result(outcomes[begin:end])
                begin = end
