"""Shares of one worker that come in a burst do not keep others waiting."""

import asyncio

from inos.workers.messages import LEAST_PREFIX
from inos.workers.ports import make_worker_info
from inos.workers.server.share_counter import SHARES_IN_ROW, ShareCounter
from support.work_lab import STRANGER, WorkLab, make_hello


async def test_a_burst_of_shares_lets_others_run(pool_lab: WorkLab) -> None:
    info = make_worker_info(make_hello(token=None, address=STRANGER), LEAST_PREFIX)
    counter, ran = ShareCounter(pool_lab.service._shared, info), list[int]()
    for turn in range(3):
        asyncio.get_running_loop().call_soon(ran.append, turn)
        for _ in range(SHARES_IN_ROW - 1):
            await counter._wait_for_turn(0.0, 1)
        assert turn not in ran
        await counter._wait_for_turn(0.0, 1)
        assert ran[-1] == turn
    asyncio.get_running_loop().call_soon(ran.append, 9)
    await counter._wait_for_turn(0.001, 1)
    assert ran[-1] == 9, "a worker waits where all together send too many"
