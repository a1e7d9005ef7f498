"""The single writer on a real ledger: what it refuses, what it holds and for how long, what it tells."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos import work
from inos.chain.events import MatrixAdded, MatrixWanted, TipChanged, TransactionAdded
from inos.chain.mempool import PoolRejected
from inos.core.node_core import NodeCore
from inos.primitives.blocks import compute_block_id
from inos.primitives.errors import ClockAhead, MatrixMissing, NotYet, RuleViolation, VerdictMissing
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
    """The next event of a kind."""
    async with asyncio.timeout(10):
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


async def test_a_wrong_result_is_refused_and_a_right_one_taken(lab: Any) -> None:
    core = lab.open("a")
    job = await lab.post_and_claim(core)
    wrong = lab.y.copy()
    wrong[3, 3] += 1
    for array in (lab.y, wrong):
        await core.matrices.put(array)
    with pytest.raises(RuleViolation) as refused:
        await core.transactions.add(lab.submit(job, wrong))
    assert refused.value.code == "wrong-result"
    await core.transactions.add(lab.submit(job))
    assert len((await lab.extend(core)).transactions) == 1
    with pytest.raises(PoolRejected) as closed:
        await core.transactions.add(lab.submit(job))
    assert closed.value.code == "job-closed"


async def test_a_result_that_cannot_be_checked_is_held_until_its_matrices_come(lab: Any) -> None:
    core = lab.open("a")
    job = await lab.post_and_claim(core, with_operands=False)
    tx = lab.submit(job)
    async with core.events.subscribe() as events:
        with pytest.raises(MatrixMissing):
            await core.transactions.add(tx)
        wanted = await get_event(events, MatrixWanted)
        assert set(wanted.ids) == {work.matrix_id(array) for array in (lab.x, lab.w, lab.y)}
        for array in (lab.x, lab.w):
            await core.matrices.put(array)
            assert len(core.mempool) == 0
        assert (await lab.mine(core))[0].transactions == ()
        await core.matrices.put(lab.y)
        assert (await get_event(events, TransactionAdded)).tx_id == compute_tx_id(tx)


async def test_a_held_result_that_turns_out_wrong_never_gets_into_the_pool(lab: Any) -> None:
    core = lab.open("a")
    job = await lab.post_and_claim(core)
    wrong = lab.y + np.int32(1)
    with pytest.raises(MatrixMissing):
        await core.transactions.add(lab.submit(job, wrong))
    await core.matrices.put(wrong)
    assert len(core.mempool) == 0


async def test_a_result_that_comes_before_its_claim_is_held_until_the_claim_is_on_chain(lab: Any) -> None:
    """A peer hears of the result first when its tip is a block behind the sender's."""
    ahead, behind = lab.open("a"), lab.open("b")
    for array in (lab.x, lab.w, lab.y):
        await behind.matrices.put(array)
    job = await lab.post_and_claim(ahead)
    tx = lab.submit(job)
    async with running(behind), behind.events.subscribe() as events:
        with pytest.raises(NotYet) as early:
            await behind.transactions.add(tx)
        assert early.value.code == "claim-missing"
        for height in (1, 2):
            block_id = ahead.ledger.get_block_id(height)
            await behind.blocks.add(ahead.ledger.get_block(block_id), ahead.ledger.get_witness(block_id))
        assert (await get_event(events, TransactionAdded)).tx_id == compute_tx_id(tx)


async def test_a_block_whose_result_cannot_be_checked_waits_for_its_matrices(lab: Any) -> None:
    one, two = lab.open("a"), lab.open("b")
    job = await lab.post_and_claim(one, two)
    await one.matrices.put(lab.y)
    await one.transactions.add(lab.submit(job))
    block, witness = await lab.mine(one)
    await one.blocks.add(block, witness)
    async with two.events.subscribe() as events:
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


async def test_a_matrix_is_fetched_when_it_comes_and_missing_when_it_does_not(lab: Any) -> None:
    core = lab.open("a")
    matrix = work.matrix_id(lab.x)
    with pytest.raises(VerdictMissing):
        await core.matrices.fetch(matrix, 0.05)
    async with core.events.subscribe() as events, asyncio.TaskGroup() as group:
        fetched = group.create_task(core.matrices.fetch(matrix, 10))
        assert (await get_event(events, MatrixWanted)).ids == (matrix,)
        await core.matrices.put(lab.x)
    np.testing.assert_array_equal(fetched.result(), lab.x)


async def test_runs_add_up_to_a_matrix_and_a_spoiled_one_is_refused(lab: Any) -> None:
    one, two = lab.open("a"), lab.open("b")
    ref = await one.matrices.put(lab.x)
    info = one.matrices.store.info(ref.matrix_id)
    run = await one.matrices.read_run(ref.matrix_id, 0)
    assert not await two.matrices.begin(info)
    with pytest.raises(work.InvalidMatrix):
        await two.matrices.add_run(ref.matrix_id, 0, run.data[::-1], run.path)
    assert await two.matrices.add_run(ref.matrix_id, 0, run.data, run.path)
    assert await two.matrices.begin(info)
    np.testing.assert_array_equal(await two.matrices.read(ref.matrix_id), lab.x)
