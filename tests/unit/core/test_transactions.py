"""A node accepts optimistic results without a check, and checks challenges before it relays them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos import work
from inos.chain.events import MatrixWanted, TransactionAdded
from inos.chain.mempool import PoolRejected
from inos.consensus.records import JobState
from inos.core.node_core import NodeCore
from inos.primitives.errors import MatrixMissing, NotYet, RuleViolation
from inos.primitives.transactions import (
    Challenge,
    ClaimJob,
    JobMode,
    SubmitResult,
    Transfer,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
    sign_transaction,
)
from inos.primitives.units import JobId
from inos.work.fraud import open_tile
from support.tiles import open_array_row


def make_challenge(lab: Any, job: JobId, wrong: Any, i: int = 1) -> Any:
    arrays = {work.matrix_id(array): array for array in (lab.x, lab.w, wrong)}
    refs = [work.matrix_ref(array) for array in (lab.x, lab.w, wrong)]
    tile = open_tile(*refs, i, 0, lambda ref, *at: open_array_row(arrays[ref.matrix_id], *at))
    return lab.sign(lab.alice, 1, Challenge(job, i, 0, tile.x, tile.w, tile.y))


@pytest.fixture
def wrong(lab: Any) -> Any:
    wrong = lab.y.copy()
    wrong[20, 3] += 1
    return wrong


async def deliver(lab: Any, core: NodeCore, wrong: Any) -> JobId:
    """Deliver a wrong result on chain."""
    job: JobId = await lab.post_and_claim(core, mode=JobMode.OPTIMISTIC)
    await core.transactions.add(lab.submit(job, wrong))
    await lab.extend(core)
    assert core.ledger.state.get_job(job).state is JobState.DELIVERED  # type: ignore[union-attr]
    return job


async def test_a_wrong_optimistic_result_is_taken_and_a_challenge_opens_the_job(lab: Any, wrong: Any) -> None:
    core = lab.open("a")
    job = await deliver(lab, core, wrong)
    before = core.ledger.state.get_account(lab.alice.address).balance
    challenge = make_challenge(lab, job, wrong)
    await core.transactions.add(challenge)
    block = await lab.extend(core)
    assert block.transactions == (challenge,)
    assert core.ledger.state.get_job(job).state is JobState.OPEN  # type: ignore[union-attr]
    bond = core.ledger.state.get_job(job).bond  # type: ignore[union-attr]
    assert core.ledger.state.get_account(lab.alice.address).balance == before + bond // 2 - challenge.fee


async def test_a_challenge_of_a_right_tile_never_reaches_the_pool(lab: Any, wrong: Any) -> None:
    core = lab.open("a")
    job = await deliver(lab, core, wrong)
    with pytest.raises(RuleViolation, match="tile") as caught:
        await core.transactions.add(make_challenge(lab, job, wrong, i=0))
    assert caught.value.code == "tile-is-right"
    assert len(core.mempool) == 0


async def test_a_challenge_of_nothing_is_turned_away_without_blame(lab: Any, wrong: Any) -> None:
    core = lab.open("a")
    with pytest.raises(PoolRejected) as caught:
        await core.transactions.add(make_challenge(lab, JobId(bytes(32)), wrong))
    assert caught.value.code == "job-not-delivered"


async def test_a_challenge_that_comes_before_its_result_waits_for_it(lab: Any, wrong: Any) -> None:
    """A node that is a block behind must not lose the challenge, since the window is short and nobody sends it
    twice.
    """
    core = lab.open("a")
    job: JobId = await lab.post_and_claim(core, mode=JobMode.OPTIMISTIC)
    challenge = make_challenge(lab, job, wrong)
    with pytest.raises(NotYet) as caught:
        await core.transactions.add(challenge)
    assert caught.value.code == "delivery-missing"
    task = asyncio.ensure_future(core.run())
    try:
        async with core.events.subscribe() as events, asyncio.timeout(60):
            await core.transactions.add(lab.submit(job, wrong))
            await lab.extend(core)
            while not core.mempool.has(compute_tx_id(challenge)):
                await anext(events)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_the_next_block_cannot_take_is_refused_when_a_user_sends_it(lab: Any) -> None:
    core = lab.open("a")
    for payload, code in (
        (UnbondVoter(), "not-a-voter"),
        (WithdrawBond(), "not-a-voter"),
        (ClaimJob(JobId(bytes(32))), "unknown-job"),
    ):
        with pytest.raises(RuleViolation) as caught:
            await core.transactions.send(lab.sign(lab.alice, 0, payload))
        assert (caught.value.code, len(core.mempool)) == (code, 0)


async def test_only_a_challenge_may_be_large(lab: Any) -> None:
    core = lab.open("a")
    tx = lab.sign(lab.alice, 0, SubmitResult(bytes(32), work.matrix_ref(np.ones((1, 1), np.int32))))
    job = bytes(5000)
    large = sign_transaction(lab.alice.secret, tx.chain_id, 0, 1, replace(tx.payload, job=job))
    with pytest.raises(RuleViolation) as caught:
        await core.transactions.add(large)
    assert caught.value.code == "transaction-too-large"


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
    """A peer hears of the result first if its tip is a block behind the sender's."""
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


async def test_transactions_sent_together_have_an_outcome_each_and_results_are_left_to_send(lab: Any) -> None:
    core = lab.open("a")
    job = await lab.post_and_claim(core)
    first, second = (lab.sign(lab.miner, nonce, Transfer(lab.alice.address, 10**7)) for nonce in (0, 1))
    poor = lab.sign(lab.miner, 2, Transfer(lab.alice.address, 10**15))
    result = lab.submit(job)
    sent = await core.transactions.send_many([first, result, second, poor])
    assert sent[:3] == [compute_tx_id(first), None, compute_tx_id(second)]
    assert isinstance(sent[3], RuleViolation)
    assert await core.transactions.send_many([result]) == [None]
    assert core.mempool.list_ids() == [compute_tx_id(first), compute_tx_id(second)]
