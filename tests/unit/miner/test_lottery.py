"""Slices draw under anchors of their own, and a win becomes a block."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
from msgspec.structs import replace
from structlog.testing import capture_logs

from inos import work
from inos.miner import Purpose
from inos.miner.lottery import Lottery
from inos.miner.stats import MinerStats
from inos.primitives.blocks import compute_anchor
from inos.primitives.transactions import ClaimJob, SubmitResult
from inos.primitives.units import BlockId
from support.miner_kernel import ME, SETTINGS, Kernel, find, get_result, make_operands, mining, multiply


async def test_a_new_tip_restarts_the_lottery_but_loses_no_row(node: Any) -> None:
    x, w = make_operands()
    job, kernel = node.post(x, w), Kernel()
    kernel.hold_at = (work.matrix_id(x), 2)
    async with mining(node, kernel):
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        assert await asyncio.to_thread(kernel.entered.wait, 10)
        node.make_block()
        await node.until(find(node, SubmitResult, job))
        np.testing.assert_array_equal(get_result(node, job), multiply(x, w))
    assert kernel.interrupted == 1
    assert kernel.get_slices(work.matrix_id(x)) == [(0, 1), (1, 2), (2, 3), (2, 3), (3, 4)]


async def test_no_two_slices_share_an_anchor(node: Any) -> None:
    kernel = Kernel()
    async with mining(node, kernel, replace(SETTINGS, purpose=Purpose.FILLER, filler_rate=0.0)):
        await node.until(lambda: len(kernel.calls) >= 20)
    anchors = [anchor for *_, anchor in kernel.calls]
    assert len(set(anchors)) == len(anchors)


async def test_a_win_becomes_a_block_under_its_own_anchor(node: Any) -> None:
    kernel = Kernel()
    kernel.win = True
    async with mining(node, kernel, replace(SETTINGS, purpose=Purpose.FILLER)) as miner:
        await node.until(lambda: node.won)
        block = node.won[0]
        assert block.header.seal is not None
        assert compute_anchor(block.header) == kernel.calls[0][3]
        assert block.header.beneficiary == ME
        await node.until(lambda: miner.get_status().blocks_won == 1)


def test_many_blocks_in_a_second_are_one_line() -> None:
    now = 100.0
    node: Any = SimpleNamespace(clock=SimpleNamespace(monotonic=lambda: now))
    lottery = Lottery(node, SETTINGS, SimpleNamespace(), MinerStats(), 0, list)  # type: ignore[arg-type]
    with capture_logs() as lines:
        for time_s, height in ((100.0, 1), (100.1, 2), (109.0, 3), (110.5, 4), (130.0, 5)):
            now = time_s
            lottery._log_won(BlockId(bytes(32)), height)
    shown = [(line["height"], line["others"]) for line in lines if line["log_level"] == "info"]
    assert shown == [(1, 0), (4, 2), (5, 0)]
    assert [line["height"] for line in lines if line["log_level"] == "debug"] == [2, 3]
