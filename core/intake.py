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

MAX_GROUP: Final = 64
"""So many transactions are checked in one call; the writer is busy with them for a few milliseconds."""
MAX_GROUPS: Final = 2
"""While one group is checked, another one is stored; the others wait outside the threads."""

Outcome: TypeAlias = TxId | InosError
Process: TypeAlias = Callable[[Sequence[Transaction]], Awaitable[Sequence[Outcome]]]


class Intake:
    """Collects transactions that arrive while others are processed. It belongs to the event loop's thread.

    Args:
        process: returns the outcome of each transaction, in order.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: deque[tuple[Transaction, asyncio.Future[Outcome]]] = deque()
        self._workers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        """References that keep the workers' tasks alive."""

    async def take(self, tx: Transaction) -> TxId:
        """Process a transaction with those that wait beside it, and return its id; raise what refused it.

        If the caller is cancelled meanwhile, the transaction may be taken all the same.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((tx, future))
        if self._workers < MAX_GROUPS:
            self._workers += 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        outcome = await future
        if isinstance(outcome, InosError):
            raise outcome
        return outcome

    async def _work(self) -> None:
        """Process groups while transactions wait. The callers that are ready now join the first group."""
        try:
            await asyncio.sleep(0)
            while group := self._choose_group():
                await self._run(group)
        finally:
            self._workers -= 1

    def _choose_group(self) -> list[tuple[Transaction, asyncio.Future[Outcome]]]:
        """Remove the first transactions whose callers still wait."""
        group: list[tuple[Transaction, asyncio.Future[Outcome]]] = []
        while self._waiting and len(group) < MAX_GROUP:
            tx, future = self._waiting.popleft()
            if not future.done():
                group.append((tx, future))
        return group

    async def _run(self, group: list[tuple[Transaction, asyncio.Future[Outcome]]]) -> None:
        outcomes: Sequence[Outcome] = ()
        try:
            outcomes = await self._process([tx for tx, _ in group])
        except InosError as error:
            outcomes = [error] * len(group)
        finally:
            for (_, future), outcome in zip(group, outcomes, strict=False):
                if not future.done():
                    future.set_result(outcome)
            for _, future in group[len(outcomes) :]:
                future.cancel()
