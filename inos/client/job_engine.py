"""An engine for `inos.work.ozaki` whose products are paid jobs, posted from a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from inos.client.client import Client
from inos.client.operands import Credits, make_ref, read_credits
from inos.primitives.units import Nano
from inos.wallet import build
from inos.work.ozaki import Pair

MAX_JOBS: Final = 8
"""Jobs waited for at one time."""
SETTLED_SEEN: Final = 20
"""How many of the last settled jobs say what a ticket costs."""
DEFAULT_TICKET_REWARD: Final = 1_000_000
"""Nano per ticket where no job was settled yet."""

T = TypeVar("T")


class JobEngine:
    """Multiplies by `Client.multiply`, cutting what one job cannot hold. A context, since it runs an event loop.

    Args:
        client: whose node and key are used; connections are made anew, so it may belong to another event loop.
        reward: credits per job; without it what the last settled jobs paid per ticket.
    """

    def __init__(self, client: Client, reward: Credits | None) -> None:
        self._client = client.copy()
        self._reward = None if reward is None else read_credits("reward", reward, None)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="inos jobs", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __call__(self, pairs: Iterable[Pair]) -> list[NDArray[np.int32]]:
        return self._run(self._multiply(list(pairs)))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _multiply(self, pairs: Sequence[Pair]) -> list[NDArray[np.int32]]:
        limit = (await self._client.get_network()).params.max_checked_bytes
        price = await self._get_price()
        products = [np.empty((len(x), len(w)), np.int32) for x, w in pairs]
        turns = asyncio.Semaphore(MAX_JOBS)

        async def do(x: NDArray[np.int8], w: NDArray[np.int8], place: NDArray[np.int32]) -> None:
            tickets = build.compute_tickets(make_ref(x), make_ref(w))
            nano = self._reward if self._reward is not None else Nano(max(1, round(price * tickets)))
            async with turns:
                place[...] = await self._client.multiply(x, w, reward_nano=nano)

        try:
            async with asyncio.TaskGroup() as group:
                for (x, w), product in zip(pairs, products, strict=True):
                    side = _choose_side(limit, x.shape[1])
                    for top in range(0, len(x), side):
                        for left in range(0, len(w), side):
                            place = product[top : top + side, left : left + side]
                            group.create_task(do(x[top : top + side], w[left : left + side], place))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return products

    async def _get_price(self) -> float:
        """Nano per ticket: the median of the last settled jobs."""
        page = await self._client.jobs(state="settled", limit=SETTLED_SEEN, order="newest")
        prices = [job.reward / job.tickets for job in page.jobs if job.tickets]
        return float(np.median(prices)) if prices else DEFAULT_TICKET_REWARD


def _choose_side(limit: int, depth: int) -> int:
    """The largest s for which two s x depth operands and their int32 product fit `limit` bytes."""
    return max(1, int((-2 * depth + (4 * depth * depth + 16 * limit) ** 0.5) / 8))
