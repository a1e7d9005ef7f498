"""Tests the service that removes old blocks as the last final block moves on."""

import asyncio
from pathlib import Path
from unittest.mock import patch

import pytest

from inos.chain.events import TipChanged
from inos.core import pruning
from inos.core.events import EventBus
from inos.core.pruning import PruneService
from support.chain_maker import feed
from support.final_chain import grow_voted, make_voted_branch
from support.inline_threads import InlineThreads


async def test_old_blocks_go_as_the_final_block_moves_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    monkeypatch.setattr(pruning, "PAUSE_S", 0)
    monkeypatch.setattr(pruning, "COMPACTED", 1)
    branch = make_voted_branch(3)
    ledger, events, is_done = branch.open_ledger(tmp_path), EventBus(), asyncio.Event()
    feed(ledger, branch.blocks)
    first, prune = ledger.view.final.header.height, ledger.prune

    def prune_and_tell(keep: int, limit: int) -> int:
        removed = prune(keep, limit)
        if removed < limit:
            is_done.set()
        return removed

    with patch.object(ledger, "prune", prune_and_tell):
        task = asyncio.create_task(PruneService(ledger, events, InlineThreads(), 3).run())
        try:
            async with asyncio.timeout(60):
                await is_done.wait()
                assert ledger.view.first_block == first - 3
                feed(ledger, grow_voted(branch, 2 * branch.params.epoch_blocks))
                is_done.clear()
                events.publish(TipChanged(ledger.view.tip, (ledger.view.tip.id,), ()))
                await is_done.wait()
            assert ledger.view.first_block == ledger.view.final.header.height - 3 > first
            assert ledger.view.get_witness(branch.blocks[first].id) is None
        finally:
            task.cancel()
            await asyncio.wait((task,))
    ledger.close()
