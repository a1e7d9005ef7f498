"""The miner at work on a chain made by hand: jobs taken, kept through tips and reorganisations, delivered."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from inos import work
from inos.consensus.records import Claim, JobState
from inos.miner import Miner, MinerSettings, MinerState, Purpose
from inos.miner.filler import Throttle
from inos.primitives.blocks import compute_anchor
from inos.primitives.matrices import STRIP_BYTES, Seal, Witness
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import ClaimJob, SubmitResult
from inos.primitives.units import Address, Anchor, JobId, MatrixId, Target
from inos.work import Mined, Operand, Win

KEY = bytes([7]) * 32
ME = compute_address(compute_public_key(KEY))
OTHER = Address(bytes([2]) * 20)
SETTINGS = MinerSettings(
    beneficiary=ME, key=KEY, filler_rows=16, filler_depth=64, filler_rate=50.0, slice_ms=0, fetch_timeout_s=1.0
)


class Kernel:
    """Stands in for inos.work.mine_strips: exact products, no noise; holds where told to until it is stopped."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, int, int, Anchor]] = []
        self.hold_at: tuple[bytes, int] | None = None
        self.entered = threading.Event()
        self.interrupted = 0
        self.win = False

    def __call__(
        self,
        x: Operand,
        w: Operand,
        anchor: Anchor,
        target: Target,
        first: int,
        last: int,
        *,
        backend: str,
        threads: int | None,
        stop: threading.Event | None,
    ) -> Mined:
        self.calls.append((x.ref.id, first, last, anchor))
        if self.hold_at == (x.ref.id, first) and stop is not None:
            self.hold_at = None
            self.entered.set()
            if stop.wait(10):
                self.interrupted += 1
                return Mined(product=None, tickets=0, wins=(), is_complete=False)
        rows = x.array[16 * first : 16 * last].astype(np.int32)
        wins: tuple[Win, ...] = ()
        if self.win:
            self.win = False
            seal = Seal(x.ref, w.ref, 0, 0, 0, bytes(32))
            wins = (Win(seal=seal, witness=Witness(bytes(STRIP_BYTES), (), bytes(STRIP_BYTES), ())),)
        return Mined(product=rows @ w.array.T.astype(np.int32), tickets=last - first, wins=wins, is_complete=True)

    def get_slices(self, x: MatrixId) -> list[tuple[int, int]]:
        return [(first, last) for operand, first, last, _ in self.calls if operand == x]


@asynccontextmanager
async def mining(node: Any, kernel: Kernel, settings: MinerSettings = SETTINGS) -> AsyncIterator[Miner]:
    miner = Miner(node, settings, np.random.default_rng(1), kernel)
    miner.start()
    task = asyncio.ensure_future(miner.run())
    try:
        yield miner
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled() and task.exception() is not None:
            raise task.exception() or RuntimeError


def make_operands(seed: int = 1, strips: int = 4) -> tuple[NDArray[Any], NDArray[Any]]:
    """X of `strips` strips; W of 64 strips, so that a first slice of 64 tickets is one strip."""
    random = np.random.default_rng(seed)
    return (
        random.integers(-64, 64, (16 * strips - 3, 40), dtype=np.int8),
        random.integers(-64, 64, (1024, 40), dtype=np.int8),
    )


def multiply(x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    return x.astype(np.int64) @ w.T.astype(np.int64)


def find(node: Any, kind: type, job: JobId) -> Callable[[], bool]:
    return lambda: any(isinstance(tx.payload, kind) and tx.payload.job == job for tx in node.pool.values())


def get_result(node: Any, job: JobId) -> NDArray[Any]:
    payloads = [tx.payload for tx in node.sent if isinstance(tx.payload, SubmitResult) and tx.payload.job == job]
    result: NDArray[Any] = node.matrices[payloads[-1].y.matrix_id]
    return result


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


async def test_a_job_whose_operands_cannot_be_had_is_not_claimed(node: Any) -> None:
    x, w = make_operands()
    job = node.post(x, w)
    del node.matrices[work.matrix_id(w)]
    async with mining(node, Kernel()) as miner:
        await node.until(lambda: miner.get_status().last_error != "")
        assert job.hex()[:16] in miner.get_status().last_error
    assert node.sent == []


async def test_a_lost_claim_gives_its_place_to_the_next_one(node: Any) -> None:
    """The transaction that can never be executed stands at nonce 0; everything after it would wait for ever."""
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
        node.jobs[job] = replace(node.jobs[job], state=JobState.CLAIMED, y=None, closed_at=0)
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


def test_the_throttle_spreads_tickets_over_time() -> None:
    throttle = Throttle(100.0)
    assert throttle.limit(1000) == 25
    assert throttle.get_pause(5.0) == 0
    throttle.spend(25, 5.0)
    assert throttle.get_pause(5.1) == pytest.approx(0.15)
    assert throttle.get_pause(6.0) == 0
    free = Throttle(0.0)
    free.spend(10**6, 1.0)
    assert (free.limit(1000), free.get_pause(1.0)) == (1000, 0)
