"""An engine for `inos.work.floats` whose products are paid jobs, planned before the first one is posted."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.client import models
from inos.client.blocking import LoopThread
from inos.client.client import Client
from inos.client.costs import Plan, Status, check_cost, choose_reward
from inos.client.errors import ClientError
from inos.consensus.prices import compute_product_bytes
from inos.primitives.errors import InosError
from inos.primitives.matrices import STRIP_ROWS, compute_tickets
from inos.primitives.units import Nano, format_credits
from inos.wallet import build
from inos.work.floats import Pair, Use

MAX_JOBS: Final = 8
"""Jobs that are under way at one time."""
REPORT_S: Final = 10.0
"""The caller is told at least this often how far the jobs are."""
LEAST_WAIT_S: Final = 1.0
"""A job that was begun before the time was over is waited for at least so long."""


class Terms(Struct, frozen=True):
    """What the caller asks for.

    Args:
        reward: nano per job; None pays what the last settled jobs paid per ticket.
        max_cost: most nano for everything together. timeout_s: longest time for everything together.
        on_status: is told the plan, and then how far it is.
    """

    reward: Nano | None
    max_cost: int | None
    timeout_s: float
    on_status: Callable[[Status], None]


class _Shape(NamedTuple):
    m: int
    n: int
    k: int


class JobEngine:
    """Multiplies by `Client.multiply`, and cuts into several jobs what one job cannot hold. A context manager.

    First `record` takes every pair that will come, `start` prices them, and only then the engine is called.

    Args:
        client: its node and key are used over connections of the engine's own, so it may belong to another event loop.
    """

    def __init__(self, client: Client, terms: Terms) -> None:
        self._client = client.copy()
        self._terms = terms
        self._shapes: Counter[_Shape] = Counter()
        self._quotes: dict[_Shape, models.Quote] = {}
        self._plan: Plan | None = None
        self._limit = 0
        self._started = 0.0
        self._done = 0

    def __enter__(self) -> Self:
        self._thread = LoopThread("inos jobs")
        try:
            self._limit = self._thread.run(self._client.get_network()).params.max_checked_bytes
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def record(self, pairs: Iterable[Pair], use: Use | None = None, /) -> list[NDArray[np.int32]]:
        """Count the jobs that these pairs will be, and return zeros in place of their products."""
        zeros = []
        for x, w in pairs:
            self._shapes.update(_Shape(len(left), len(right), x.shape[1]) for left, right, _ in self._cut(x, w))
            zeros.append(np.zeros((len(x), len(w)), np.int32))
        return zeros

    def start(self) -> None:
        """Price what was recorded, tell the caller, and begin to count the time.

        Raises:
            ClientError: "too-expensive", "insufficient-balance", "no-key"; nothing was sent.
        """
        self._client.check_signs_here("inos.matmul")
        self._plan = self.price()
        self._thread.run(self._check_payable(self._plan))
        self._started = time.monotonic()
        self._terms.on_status(Status(self._plan, 0, 0.0))

    def price(self) -> Plan:
        """Price what was recorded; nothing is sent, and it does not matter what the account has."""
        return self._thread.run(self._make_plan())

    def __call__(self, pairs: Iterable[Pair], use: Use | None = None, /) -> list[NDArray[np.int32]]:
        """Return the products of all pairs, in order; errors are those of `Client.multiply`."""
        products = self._thread.run(self._multiply(list(pairs)))
        if use is not None:
            for number, product in enumerate(products):
                use(number, product)
        return products

    async def _make_plan(self) -> Plan:
        client, reward = self._client, self._terms.reward
        poster = await client.get_address()
        for shape in self._shapes:
            self._quotes[shape] = await client.quote(*shape, reward_nano=reward, poster=poster)
            choose_reward(self._quotes[shape], reward, compute_tickets(*shape))
        fee = build.check_advised_fee((await client.estimate_fee()).fee)
        jobs = self._shapes.total()
        quotes = [(count, self._quotes[shape]) for shape, count in self._shapes.items()]
        waits = [quote.expected_s for _, quote in quotes]
        plan = Plan(
            jobs=jobs,
            tickets=sum(count * quote.tickets for count, quote in quotes),
            reward=sum(count * (quote.suggested_reward if reward is None else reward) for count, quote in quotes),
            burn=sum(count * quote.burn for count, quote in quotes),
            fees=jobs * fee,
            expected_s=_compute_wait(waits, jobs),
        )
        if self._terms.max_cost is not None:
            check_cost(plan.cost, self._terms.max_cost)
        return plan

    async def _check_payable(self, plan: Plan) -> None:
        balance = (await self._client.account()).balance
        if plan.cost > balance:
            text = f"it costs {format_credits(plan.cost)} credits, and the account has {format_credits(balance)}"
            raise ClientError("insufficient-balance", text)

    async def _multiply(self, pairs: Sequence[Pair]) -> list[NDArray[np.int32]]:
        products = [np.empty((len(x), len(w)), np.int32) for x, w in pairs]
        turns, failed = asyncio.Semaphore(MAX_JOBS), list[InosError]()

        async def do(x: NDArray[np.int8], w: NDArray[np.int8], block: NDArray[np.int32]) -> None:
            """Make one product, unless another one failed: what was posted before is still waited for."""
            async with turns:
                if failed:
                    return
                try:
                    block[...] = await self._post(x, w)
                except InosError as error:
                    failed.append(error)
                    return
            self._done += 1
            self._report()

        try:
            async with asyncio.TaskGroup() as group:
                ticker = group.create_task(self._report_regularly())
                jobs = [
                    group.create_task(do(left, right, product[place]))
                    for (x, w), product in zip(pairs, products, strict=True)
                    for left, right, place in self._cut(x, w)
                ]
                await asyncio.gather(*jobs)
                ticker.cancel()
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        if failed:
            raise failed[0]
        return products

    async def _post(self, x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int32]:
        plan, terms = self._get_plan(), self._terms
        left_s = terms.timeout_s - (time.monotonic() - self._started)
        if left_s <= 0:
            text = f"{self._done} of {plan.jobs} jobs were done within {terms.timeout_s:g} s"
            raise ClientError("timeout", text, hint="give a longer timeout_s; no more jobs were posted")
        quote = self._quotes[_Shape(len(x), len(w), x.shape[1])]
        return await self._client.multiply(
            x,
            w,
            reward_nano=quote.suggested_reward if terms.reward is None else terms.reward,
            max_burn=_limit_burn(quote.burn, plan, terms.max_cost),
            timeout_s=max(left_s, LEAST_WAIT_S),
        )

    async def _report_regularly(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            self._report()

    def _report(self) -> None:
        self._terms.on_status(Status(self._get_plan(), self._done, time.monotonic() - self._started))

    def _get_plan(self) -> Plan:
        assert self._plan is not None, "start comes before the first product"
        return self._plan

    def _cut(
        self, x: NDArray[np.int8], w: NDArray[np.int8]
    ) -> Iterator[tuple[NDArray[np.int8], NDArray[np.int8], tuple[slice, slice]]]:
        """Yield the operands of each job, and where its product belongs."""
        side = _choose_side(self._limit, x.shape[1])
        for top in range(0, len(x), side):
            for left in range(0, len(w), side):
                rows, cols = slice(top, top + side), slice(left, left + side)
                yield x[rows], w[cols], (rows, cols)

    def _close(self) -> None:
        self._thread.run(self._client.close())
        self._thread.close()


def _compute_wait(waits: Sequence[float | None], jobs: int) -> float | None:
    """Return how long all jobs may take, this many of them at a time; None if nobody mines."""
    known = [wait for wait in waits if wait is not None]
    return None if len(known) < len(waits) else max(known, default=0.0) * -(-jobs // MAX_JOBS)


def _limit_burn(burn: int, plan: Plan, most: int | None) -> int | None:
    """Return what one job may burn, so that all together stay below the caller's limit; None is the usual margin."""
    if most is None or plan.burn == 0:
        return None
    return min(burn * 3 // 2, burn + burn * (most - plan.cost) // plan.burn)


def _choose_side(limit: int, depth: int) -> int:
    """Return the largest multiple s of a strip's rows for which a product of s x depth operands has `limit` bytes."""
    side = STRIP_ROWS
    while compute_product_bytes(side + STRIP_ROWS, side + STRIP_ROWS, depth) <= limit:
        side += STRIP_ROWS
    return side
