"""Tests the single writer on a real ledger: what it refuses, what it holds and for how long, and which events
it sends.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from inos.chain.events import MatrixAdded, MatrixWanted, TipChanged, TransactionAdded
from inos.chain.mempool import PoolRejected
from inos.core.node_core import NodeCore
from inos.primitives.blocks import compute_block_id
from inos.primitives.errors import ClockAhead, RuleViolation, VerdictMissing
from inos.primitives.transactions import Transfer, compute_tx_id
from inos.primitives.units import TimeMs


@asynccontextmanager
async def running(core: NodeCore) -> AsyncIterator[NodeCore]:
    task = asyncio.ensure_future(core.run())
    try:
        yield core
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def get_event(events: Any, kind: type) -> Any:
    """Return the next event of a kind."""
    async with asyncio.timeout(60):
        while True:
            event = await anext(events)
            if isinstance(event, kind):
                return event


async def test_a_block_moves_the_tip_empties_the_pool_and_is_told(lab: Any) -> None:
    core = lab.open("a")
    tx = lab.sign(lab.alice, 0, Transfer(lab.worker.address, 5))
    async with core.events.subscribe() as events:
        tx_id = await core.transactions.add(tx)
        assert await anext(events) == TransactionAdded(tx_id)
        block = await lab.extend(core)
        event = await anext(events)
    assert block.transactions == (tx,)
    assert isinstance(event, TipChanged)
    assert (event.connected, event.disconnected) == ((compute_block_id(block.header),), ())
    assert (core.ledger.tip.header.height, len(core.mempool)) == (1, 0)


async def leave_while_written(
    adding: Coroutine[Any, Any, Any], owner: Any, name: str, patch: pytest.MonkeyPatch
) -> None:
    """Cancel the caller of a change while its thread runs `owner.name`, as the end of a peer's session does."""
    entered, go_on, change = threading.Event(), threading.Event(), getattr(owner, name)

    def wait_and_change(*args: Any, **kwargs: Any) -> Any:
        entered.set()
        assert go_on.wait(60)
        return change(*args, **kwargs)

    patch.setattr(owner, name, wait_and_change)
    caller = asyncio.ensure_future(adding)
    try:
        assert await asyncio.to_thread(entered.wait, 60)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    finally:
        go_on.set()


async def test_a_change_is_told_although_the_peer_that_brought_it_left(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = lab.open("a")
    ledger, tx = lab.get_ledger(core), lab.sign(lab.alice, 0, Transfer(lab.worker.address, 5))
    async with core.events.subscribe() as events:
        await leave_while_written(core.transactions.add(tx), core.mempool, "add", monkeypatch)
        assert (await get_event(events, TransactionAdded)).tx_id == compute_tx_id(tx)
        block, witness = await lab.mine(core)
        await leave_while_written(core.blocks.add(block, witness), ledger, "add_block", monkeypatch)
        assert (await get_event(events, TipChanged)).connected == (compute_block_id(block.header),)
        checked = await core.verifier.check(*await lab.mine(core))
        await leave_while_written(core.blocks.add_checked([checked]), ledger, "add_checked_blocks", monkeypatch)
        assert (await get_event(events, TipChanged)).connected == (compute_block_id(checked.block.header),)
        await leave_while_written(core.matrices.put(lab.x), core.matrices.store, "put", monkeypatch)
        await get_event(events, MatrixAdded)
    assert core.ledger.tip.header.height == 2


async def test_what_is_refused_is_neither_kept_nor_told(lab: Any) -> None:
    core = lab.open("a")
    tx = lab.sign(lab.alice, 0, Transfer(lab.worker.address, 5))
    block, witness = await lab.mine(core)
    wrong_root = replace(block, header=replace(block.header, state_root=bytes(32)))
    async with core.events.subscribe() as events:
        with pytest.raises(RuleViolation):
            await core.transactions.add(replace(tx, signature=bytes(64)))
        with pytest.raises(PoolRejected):
            await core.transactions.add(lab.sign(lab.miner, 0, Transfer(lab.alice.address, 5)))
        with pytest.raises(RuleViolation):
            await core.blocks.add(wrong_root, witness)
        await core.matrices.put(lab.x)
        assert isinstance(await anext(events), MatrixAdded)
    assert (core.ledger.tip.header.height, len(core.mempool)) == (0, 0)


async def test_blocks_undone_give_their_transactions_back(lab: Any) -> None:
    one, two = lab.open("a"), lab.open("b")
    tx = lab.sign(lab.alice, 0, Transfer(lab.worker.address, 5))
    await one.transactions.add(tx)
    await lab.extend(one)
    branch = [await lab.mine(two)]
    await two.blocks.add(*branch[0])
    branch.append(await lab.mine(two))
    await one.blocks.add(*branch[0])
    assert len(one.mempool) == 0
    outcome = await one.blocks.add(*branch[1])
    assert (len(outcome.connected), len(outcome.disconnected)) == (2, 1)
    assert one.mempool.has(compute_tx_id(tx))
    assert (await lab.extend(one)).transactions == (tx,)


async def test_a_block_ahead_of_the_clock_is_held_until_its_time(lab: Any) -> None:
    core = lab.open("a")
    block, witness = await lab.mine(core)
    late = lab.clock.now
    lab.clock.now = TimeMs(late - lab.network.params.max_future_ms - 1)
    async with running(core), core.events.subscribe() as events:
        with pytest.raises(ClockAhead) as early:
            await core.blocks.add(block, witness)
        assert early.value.until == late - lab.network.params.max_future_ms
        assert core.ledger.get_status(compute_block_id(block.header)) == "unknown"
        lab.clock.now = early.value.until
        event = await get_event(events, TipChanged)
    assert event.tip.id == compute_block_id(block.header)


async def test_a_block_whose_result_cannot_be_checked_waits_for_its_matrices(lab: Any) -> None:
    one, two = lab.open("a"), lab.open("b")
    job = await lab.post_and_claim(one, two)
    await one.matrices.put(lab.y)
    await one.transactions.add(lab.submit(job))
    block, witness = await lab.mine(one)
    await one.blocks.add(block, witness)
    async with running(two), two.events.subscribe() as events:
        with pytest.raises(VerdictMissing):
            await two.blocks.add(block, witness)
        wanted = await get_event(events, MatrixWanted)
        assert len(wanted.ids) == 3
        assert two.ledger.get_status(compute_block_id(block.header)) == "stored"
        for array in (lab.x, lab.w):
            await two.matrices.put(array)
        assert two.ledger.tip.header.height == 2
        await two.matrices.put(lab.y)
        assert (await get_event(events, TipChanged)).tip.id == compute_block_id(block.header)
    assert two.ledger.tip.id == one.ledger.tip.id


async def test_a_block_held_over_a_restart_is_still_waited_for(lab: Any) -> None:
    one, two = lab.open("a"), lab.open("b")
    job = await lab.post_and_claim(one, two)
    await one.matrices.put(lab.y)
    await one.transactions.add(lab.submit(job))
    block, witness = await lab.mine(one)
    with pytest.raises(VerdictMissing):
        await two.blocks.add(block, witness)
    lab.close(two)
    two = lab.open("b")
    async with two.events.subscribe() as events, running(two):
        assert len((await get_event(events, MatrixWanted)).ids) == 3
        for array in (lab.x, lab.w, lab.y):
            await two.matrices.put(array)
        assert (await get_event(events, TipChanged)).tip.id == compute_block_id(block.header)
