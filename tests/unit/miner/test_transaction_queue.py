"""A transaction that can never be executed gives its nonce to the next one."""

import contextlib
from typing import Any

import pytest
from msgspec.structs import replace

from inos import work
from inos.chain.mempool import PoolRejected
from inos.consensus.records import Claim, JobState
from inos.miner.transaction_queue import TransactionQueue
from inos.primitives.errors import InosError, NotYet
from inos.primitives.transactions import ClaimJob, SubmitResult
from inos.primitives.units import JobId
from support.miner_kernel import OTHER, Kernel, find, make_operands, mining


async def test_a_lost_claim_gives_its_place_to_the_next_one(node: Any) -> None:
    """A transaction that can never be executed has nonce 0, and all later ones would wait for ever."""
    x, w = make_operands(1)
    first, kernel = node.post(x, w), Kernel()
    async with mining(node, kernel) as miner:
        await node.until(find(node, ClaimJob, first))
        node.jobs[first] = replace(node.jobs[first], state=JobState.CLAIMED, worker=OTHER)
        node.claims[first] = Claim(OTHER, 1000, node.height, node.height + 50)
        node.make_block()
        await node.until(lambda: miner.get_status().jobs_lost == 1)
        second = node.post(*make_operands(2))
        await node.until(find(node, ClaimJob, second))
        claim = node.sent[-1]
        assert claim.nonce == 0
        assert claim.fee >= node.sent[0].fee * 110 // 100
        node.make_block()
        await node.until(find(node, SubmitResult, second))
    assert kernel.get_slices(work.matrix_id(x)) == []


async def test_a_claim_lost_beside_a_live_one_does_not_block_it(node: Any) -> None:
    first, second = node.post(*make_operands(1)), node.post(*make_operands(2))
    async with mining(node, Kernel()):
        await node.until(lambda: find(node, ClaimJob, first)() and find(node, ClaimJob, second)())
        lost, kept = (JobId(node.sent[i].payload.job) for i in (0, 1))
        node.jobs[lost] = replace(node.jobs[lost], state=JobState.CLAIMED, worker=OTHER)
        node.claims[lost] = Claim(OTHER, 1000, node.height, node.height + 50)
        node.make_block()
        await node.until(lambda: len(node.sent) >= 3)
        assert (node.sent[2].nonce, node.sent[2].payload.job) == (0, kept)
        node.make_block()
        await node.until(find(node, SubmitResult, kept))
        node.make_block()
        assert node.jobs[kept].state is JobState.SETTLED


@pytest.mark.parametrize(
    ("refusal", "tries"), [(PoolRejected("job-closed", "settled"), 1), (NotYet("claim-missing", "none"), 2)]
)
async def test_a_refused_move_into_a_gap_is_not_repeated_for_ever(node: Any, refusal: InosError, tries: int) -> None:
    """What is refused is given up; what cannot be checked yet is tried again."""
    queue = TransactionQueue(node, bytes([7]) * 32)
    await queue.send("first", ClaimJob(bytes(32)))
    await queue.send("second", ClaimJob(bytes([1]) * 32))
    queue.forget("first")
    taken, failures = node.transactions.add, []

    async def refuse(tx: Any) -> None:
        failures.append(tx)
        raise refusal

    node.transactions.add = refuse
    for _ in range(2):
        with contextlib.suppress(type(refusal)):
            await queue.advance()
    assert len(failures) == tries
    assert queue.is_pending("second") == (tries == 2)
    node.transactions.add = taken
    await queue.send("third", ClaimJob(bytes([2]) * 32))
    assert node.sent[-1].nonce == 0, "the gap is filled"
