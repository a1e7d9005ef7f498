"""Jobs are fetched, claimed, multiplied and delivered, and kept through reorganisations."""

from typing import Any

import numpy as np
from msgspec.structs import replace

from inos import work
from inos.consensus.records import Claim, JobState
from inos.primitives.transactions import ClaimJob, SubmitResult
from support.miner_kernel import ME, SETTINGS, Kernel, find, get_result, make_operands, mining, multiply


async def test_a_job_is_fetched_claimed_multiplied_and_delivered(node: Any) -> None:
    x, w = make_operands()
    job, kernel = node.post(x, w), Kernel()
    async with mining(node, kernel) as miner:
        await node.until(find(node, ClaimJob, job))
        assert kernel.get_slices(work.matrix_id(x)) == []
        assert len(node.matrices.fetches) == 2
        node.make_block()
        await node.until(find(node, SubmitResult, job))
        np.testing.assert_array_equal(get_result(node, job), multiply(x, w))
        node.make_block()
        await node.until(lambda: miner.get_status().jobs_settled == 1)
        status = miner.get_status()
    assert kernel.get_slices(work.matrix_id(x)) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert status.job_tickets == 4
    assert status.filler_tickets > 0
    assert (status.jobs_lost, status.last_error) == (0, "")


async def test_a_job_is_claimed_before_a_block_has_it(node: Any) -> None:
    x, w = make_operands()
    job, kernel = node.announce(x, w), Kernel()
    async with mining(node, kernel) as miner:
        await node.until(find(node, ClaimJob, job))
        assert kernel.get_slices(work.matrix_id(x)) == []
        node.make_block()
        await node.until(find(node, SubmitResult, job))
        node.make_block()
        await node.until(lambda: miner.get_status().jobs_settled == 1)
    assert node.jobs[job].closed_at == 102


async def test_a_posting_that_is_replaced_costs_one_claim_and_then_only_blocks_are_believed(node: Any) -> None:
    jobs = [node.announce(*make_operands(seed)) for seed in (1, 2)]
    async with mining(node, Kernel()) as miner:
        await node.until(lambda: len(node.sent) == 1)
        early = node.sent[0].payload.job
        assert miner.get_status().jobs_in_progress == 1  # The other posting has to wait.
        del node.pool[early]
        await node.until(lambda: miner.get_status().jobs_lost == 1)
        made = node.made
        await node.until(lambda: node.made > made + 1)
        assert len(node.sent) == 1
        other = next(job for job in jobs if job != early)
        node.make_block()
        await node.until(find(node, ClaimJob, other))
    assert node.sent[1].nonce == node.sent[0].nonce


async def test_postings_without_data_keep_no_miner_from_the_jobs_of_blocks(node: Any) -> None:
    """An attacker may replace a posting for nothing, so only one is waited for, and not for long."""
    bait = [node.announce(*make_operands(seed)) for seed in (1, 2, 3)]
    node.matrices.clear()
    async with mining(node, Kernel(), replace(SETTINGS, fetch_timeout_s=20.0)) as miner:
        await node.until(lambda: node.matrices.fetches)
        honest = node.post(*make_operands(4), reward=10**6)
        await node.until(find(node, ClaimJob, honest))
        assert len(node.matrices.fetches) == 3, "one bait, and both operands of the honest job"
        assert node.matrices.timeouts[0] < node.params.spacing_ms / 1000 + 1
        assert miner.get_status().last_error != ""
        node.matrices.update({work.matrix_id(a): a for a in make_operands(1)})
        node.make_block()
        await node.until(find(node, ClaimJob, bait[0]))


async def test_a_job_whose_operands_cannot_be_had_is_not_claimed(node: Any) -> None:
    x, w = make_operands()
    job = node.post(x, w)
    del node.matrices[work.matrix_id(w)]
    async with mining(node, Kernel()) as miner:
        await node.until(lambda: miner.get_status().last_error != "")
        assert job.hex()[:16] in miner.get_status().last_error
    assert node.sent == []


async def test_a_reorganised_claim_is_sent_again_and_the_product_is_kept(node: Any) -> None:
    x, w = make_operands()
    job, kernel = node.post(x, w), Kernel()
    async with mining(node, kernel):
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        await node.until(find(node, SubmitResult, job))
        node.pool.clear()
        node.jobs[job] = replace(node.jobs[job], state=JobState.OPEN, worker=None)
        del node.claims[job]
        node.tell_tip()
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        await node.until(find(node, SubmitResult, job))
        node.make_block()
        assert node.jobs[job].state is JobState.SETTLED
    assert kernel.get_slices(work.matrix_id(x)) == [(0, 1), (1, 2), (2, 3), (3, 4)]


async def test_a_reorganised_result_is_sent_again(node: Any) -> None:
    job = node.post(*make_operands())
    async with mining(node, Kernel()) as miner:
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        await node.until(find(node, SubmitResult, job))
        node.make_block()
        await node.until(lambda: miner.get_status().jobs_settled == 1)
        again = node.jobs[job].work.without_result()
        node.jobs[job] = replace(node.jobs[job], state=JobState.CLAIMED, work=again, closed_at=0)
        node.claims[job] = Claim(ME, 1000, node.height, node.height + 50)
        node.tell_tip()
        await node.until(find(node, SubmitResult, job))
        assert miner.get_status().jobs_settled == 0
        node.make_block()
        await node.until(lambda: miner.get_status().jobs_settled == 1)


async def test_a_job_claimed_before_a_restart_is_taken_up_without_a_second_claim(node: Any) -> None:
    x, w = make_operands()
    job = node.post(x, w)
    node.jobs[job] = replace(node.jobs[job], state=JobState.CLAIMED, worker=ME)
    node.claims[job] = Claim(ME, 1000, node.height, node.height + 50)
    async with mining(node, Kernel()):
        await node.until(find(node, SubmitResult, job))
    assert [type(tx.payload) for tx in node.sent] == [SubmitResult]
