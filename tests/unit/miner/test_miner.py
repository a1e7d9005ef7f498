"""Tests the miner on a chain made by hand: it takes jobs, keeps them through reorganisations, and delivers them."""

import asyncio
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos import work
from inos.miner import MinerSettings, MinerState, Purpose
from inos.miner.split import SplitProduct
from inos.primitives.transactions import ClaimJob, SubmitResult
from support.miner_kernel import OTHER, SETTINGS, Kernel, find, make_operands, mining


@pytest.mark.parametrize(
    "settings",
    [replace(SETTINGS, purpose=Purpose.FILLER), MinerSettings(beneficiary=OTHER, filler_rows=16, filler_depth=64)],
)
async def test_a_miner_for_the_lottery_only_claims_nothing(node: Any, settings: MinerSettings) -> None:
    node.post(*make_operands())
    async with mining(node, Kernel(), settings) as miner:
        await node.until(lambda: miner.get_status().filler_tickets >= 3)
        status = miner.get_status()
    assert status.state is MinerState.FILLER
    assert not status.can_claim
    assert (status.job_tickets, node.sent, node.matrices.fetches) == (0, [], [])


async def test_a_miner_for_jobs_only_rests_without_them(node: Any) -> None:
    kernel = Kernel()
    async with mining(node, kernel, replace(SETTINGS, purpose=Purpose.JOBS)) as miner:
        job = node.post(*make_operands())
        await node.until(find(node, ClaimJob, job))
        assert kernel.calls == []
        assert miner.get_status().state is MinerState.IDLE
        node.make_block()
        await node.until(find(node, SubmitResult, job))


async def test_stop_and_start_keep_the_rows(node: Any) -> None:
    x, w = make_operands()
    job, kernel = node.post(x, w), Kernel()
    kernel.hold_at = (work.matrix_id(x), 2)
    async with mining(node, kernel) as miner:
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        assert await asyncio.to_thread(kernel.entered.wait, 10)
        miner.stop()
        await node.until(lambda: miner.get_status().state is MinerState.STOPPED)
        miner.start()
        await node.until(find(node, SubmitResult, job))
    assert kernel.get_slices(work.matrix_id(x)) == [(0, 1), (1, 2), (2, 3), (2, 3), (3, 4)]


class OneWorker:
    """Multiplies all that the miner offers, as soon as the test lets it."""

    speed = 100.0

    def __init__(self) -> None:
        self.offered: list[SplitProduct | None] = []
        self.active: list[bool] = []

    def offer(self, source: SplitProduct | None) -> None:
        if self.offered[-1:] != [source]:
            self.offered.append(source)

    def set_active(self, is_active: bool) -> None:
        self.active.append(is_active)

    async def multiply(self) -> None:
        """Make one part of the product that is offered."""
        split = self.offered[-1]
        assert split is not None
        part = split.take(1, 10**6, 100.0, 100.0)
        assert part is not None
        rows = split.x.array[16 * part[0] : 16 * part[1]].astype(np.int32) @ split.w.array.T.astype(np.int32)
        split.count_tickets(5)
        assert await split.finish(1, *part, rows)


async def test_workers_alone_make_a_product(node: Any) -> None:
    x, w = make_operands()
    job, kernel, worker = node.post(x, w), Kernel(), OneWorker()
    async with mining(node, kernel, replace(SETTINGS, threads=0), worker) as miner:
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        await node.until(lambda: worker.offered and worker.offered[-1] is not None)
        await worker.multiply()
        await node.until(find(node, SubmitResult, job))
        status = miner.get_status()
    assert kernel.calls == []
    assert (status.job_tickets, status.worker_tickets, status.filler_tickets) == (5, 5, 0)
    assert worker.offered[-1] is None


async def test_the_own_engine_and_a_worker_share_a_product(node: Any) -> None:
    x, w = make_operands()
    job, kernel, worker = node.post(x, w), Kernel(), OneWorker()
    kernel.hold_at = (work.matrix_id(x), 1)
    async with mining(node, kernel, SETTINGS, worker) as miner:
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        assert await asyncio.to_thread(kernel.entered.wait, 10)
        await worker.multiply()  # It takes all that is left, beside the strip that the engine holds.
        miner.stop()
        await node.until(lambda: miner.get_status().state is MinerState.STOPPED)
        miner.start()
        await node.until(find(node, SubmitResult, job))
    assert kernel.get_slices(work.matrix_id(x))[:2] == [(0, 1), (1, 2)]
    assert worker.active == [True, False, True]
