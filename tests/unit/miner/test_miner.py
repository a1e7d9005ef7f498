"""Tests the miner on a chain made by hand: it takes jobs, keeps them through reorganisations, and delivers them."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from inos import work
from inos.miner import MinerSettings, MinerState, Purpose
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
