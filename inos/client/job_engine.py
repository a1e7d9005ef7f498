"""An engine for `inos.work.ozaki` whose products are paid jobs."""

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inos.client.blocking import LoopThread
from inos.client.client import Client
from inos.client.operands import Credits, make_ref, read_credits
from inos.consensus.prices import compute_product_bytes
from inos.primitives.matrices import STRIP_ROWS
from inos.primitives.units import Nano
from inos.wallet import build
from inos.work.ozaki import Pair

MAX_JOBS: Final = 8
"""Jobs that are under way at one time."""
SAMPLED_JOBS: Final = 20
"""How many of the last settled jobs say what a ticket costs."""
DEFAULT_TICKET_REWARD: Final = 1_000_000
"""Nano per ticket where no job was settled yet."""


class JobEngine:
    """Multiplies by `Client.multiply`, and cuts into several jobs what one job cannot hold. A context manager.

    Args:
        client: its node and key are used over connections of the engine's own, so it may belong to another event loop.
        reward: credits per job; by default what the last settled jobs paid per ticket.
    """

    def __init__(self, client: Client, reward: Credits | None) -> None:
        self._client = client.copy()
        self._reward = None if reward is None else read_credits("reward", reward, None)

    def __enter__(self) -> Self:
        self._thread = LoopThread("inos jobs")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.run(self._client.close())
        self._thread.close()

    def __call__(self, pairs: Iterable[Pair]) -> list[NDArray[np.int32]]:
        """Return the products of all pairs, in order; errors are those of `Client.multiply`."""
        return self._thread.run(self._multiply(list(pairs)))

    async def _multiply(self, pairs: Sequence[Pair]) -> list[NDArray[np.int32]]:
        limit = (await self._client.get_network()).params.max_checked_bytes
        price = await self._get_price()
        products = [np.empty((len(x), len(w)), np.int32) for x, w in pairs]
        turns = asyncio.Semaphore(MAX_JOBS)

        async def do(x: NDArray[np.int8], w: NDArray[np.int8], product: NDArray[np.int32]) -> None:
            tickets = build.compute_tickets(make_ref(x), make_ref(w))
            nano = self._reward if self._reward is not None else Nano(max(1, round(price * tickets)))
            async with turns:
                product[...] = await self._client.multiply(x, w, reward_nano=nano)

        try:
            async with asyncio.TaskGroup() as group:
                for (x, w), product in zip(pairs, products, strict=True):
                    side = _choose_side(limit, x.shape[1])
                    for top in range(0, len(x), side):
                        for left in range(0, len(w), side):
                            block = product[top : top + side, left : left + side]
                            group.create_task(do(x[top : top + side], w[left : left + side], block))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return products

    async def _get_price(self) -> float:
        """Return nano per ticket, as the median of the last settled jobs."""
        page = await self._client.jobs(state="settled", limit=SAMPLED_JOBS, order="newest")
        prices = [job.reward / job.tickets for job in page.jobs if job.tickets]
        return float(np.median(prices)) if prices else DEFAULT_TICKET_REWARD


def _choose_side(limit: int, depth: int) -> int:
    """Return the largest multiple s of a strip's rows for which a product of s x depth operands has `limit` bytes."""
    side = STRIP_ROWS
    while compute_product_bytes(side + STRIP_ROWS, side + STRIP_ROWS, depth) <= limit:
        side += STRIP_ROWS
    return side
