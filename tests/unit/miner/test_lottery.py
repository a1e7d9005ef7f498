"""Slices draw under anchors of their own, and a win becomes a block."""

import asyncio
from typing import Any

import numpy as np
from msgspec.structs import replace

from inos import work
from inos.miner import Purpose
from inos.primitives.blocks import compute_anchor
from inos.primitives.transactions import ClaimJob, SubmitResult
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
