"""The watcher on a real ledger: it challenges wrong results, leaves right ones alone, and reports missing ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from inos import programs
from inos.agents.watcher import Watcher
from inos.consensus.records import JobState
from inos.core.node_core import NodeCore
from inos.primitives.transactions import Challenge, ClaimJob, JobMode, PostTask, SubmitOutcome, TaskKind, compute_tx_id
from inos.primitives.units import JobId
from inos.programs.builder import ProgramBuilder
from inos.wallet.keys import Key, make_key
from support.core_lab import ALICE, MAX_BURN, REWARD, WORKER

POOR = make_key(bytes(31) + b"\x09")


@asynccontextmanager
async def watching(core: NodeCore, key: Key) -> AsyncIterator[Watcher]:
    watcher = Watcher(core, key.secret)
    task = asyncio.ensure_future(watcher.run())
    try:
        yield watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(question: Callable[[], Any], limit_s: float = 60.0) -> None:
    """Wait for a condition. The watcher's figures raise no events, so this asks again and again."""
    async with asyncio.timeout(limit_s):
        while True:
            if question():
                return
            await asyncio.sleep(0.01)


async def deliver(lab: Any, core: NodeCore, y: Any, *, with_result: bool = True) -> JobId:
    job: JobId = await lab.post_and_claim(core, mode=JobMode.OPTIMISTIC)
    if with_result:
        await core.matrices.put(y)
    await core.transactions.add(lab.submit(job, y))
    await lab.extend(core)
    return job


def get_state(core: NodeCore, job: JobId) -> JobState:
    record = core.ledger.state.get_job(job)
    assert record is not None
    return record.state


@pytest.mark.parametrize("place", [(0, 0), (23, 15), (16, 7)])
async def test_one_wrong_entry_is_found_and_challenged(lab: Any, place: tuple[int, int]) -> None:
    core, wrong = lab.open("a"), lab.y.copy()
    wrong[place] ^= 1
    job = await deliver(lab, core, wrong)
    async with watching(core, lab.alice) as watcher:
        await until(lambda: len(core.mempool))
        (tx_id,) = core.mempool.list_ids()
        payload = core.mempool.get(tx_id).payload  # type: ignore[union-attr]
        assert isinstance(payload, Challenge)
        assert (payload.job, payload.i, payload.j) == (job, place[0] // 16, 0)
        await lab.extend(core)
        status = watcher.get_status()
        assert (status.checked, status.wrong, status.challenged, status.unavailable) == (1, 1, 1, 0)
    assert get_state(core, job) is JobState.OPEN


async def test_a_right_result_is_left_alone(lab: Any) -> None:
    core = lab.open("a")
    job = await deliver(lab, core, lab.y)
    async with watching(core, lab.alice) as watcher:
        await until(lambda: watcher.get_status().checked)
        await lab.extend(core)
        assert (watcher.get_status().wrong, watcher.get_status().challenged) == (0, 0)
    assert get_state(core, job) is JobState.DELIVERED


async def test_a_result_that_comes_late_is_checked_when_it_comes(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.agents.result_check.FETCH_S", 0.1)
    core, wrong = lab.open("a"), lab.y.copy()
    wrong[3, 3] += 7
    await deliver(lab, core, wrong, with_result=False)
    async with watching(core, lab.alice) as watcher:
        await asyncio.sleep(0.3)
        assert watcher.get_status().checked == 0
        await core.matrices.put(wrong)
        await until(lambda: watcher.get_status().challenged == 1)


async def test_a_result_nobody_serves_is_counted_and_told(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.agents.result_check.FETCH_S", 0.05)
    core = lab.open("a")
    job = await deliver(lab, core, lab.y, with_result=False)
    async with watching(core, lab.alice) as watcher:
        for _ in range(core.params.challenge_window):
            await lab.extend(core)
        assert get_state(core, job) is JobState.SETTLED
        await until(lambda: watcher.get_status().unavailable == 1)
        assert "matrix-missing" in watcher.get_status().last_error
        assert watcher.get_status().checked == 0


async def test_a_watcher_without_credits_says_so_and_goes_on(lab: Any) -> None:
    core, wrong = lab.open("a"), lab.y.copy()
    wrong[0, 0] += 1
    await deliver(lab, core, wrong)
    async with watching(core, POOR) as watcher:
        await until(lambda: "insufficient-balance" in watcher.get_status().last_error)
        assert (watcher.get_status().wrong, watcher.get_status().challenged) == (1, 0)
        assert len(core.mempool) == 0


async def test_a_challenge_that_is_lost_is_sent_again(lab: Any) -> None:
    core, wrong = lab.open("a"), lab.y.copy()
    wrong[20, 2] -= 1
    await deliver(lab, core, wrong)
    async with watching(core, lab.alice) as watcher:
        await until(lambda: len(core.mempool))
        core.mempool.remove(core.mempool.list_ids()[0])
        await lab.extend(core)
        await until(lambda: watcher.get_status().challenged == 2)
        assert len(core.mempool) == 1


@pytest.mark.parametrize("is_right", [True, False])
async def test_a_wrong_outcome_of_a_task_is_disputed(lab: Any, is_right: bool) -> None:
    core, b = lab.open("a"), ProgramBuilder()
    built = b.finish([b.clamp(b.input(1, 4, -9, 9, name="x"), 0, 3)])
    given, right, wrong = (np.array(each, np.int8).tobytes() for each in ([-1, 2, 9, 0], [0, 2, 3, 0], [0, 2, 3, 1]))
    await lab.seat_jury(core)
    files = (programs.encode_program(built.program), given, right if is_right else wrong)
    spec, x, y = [(await core.matrices.put_bytes(each)).id for each in files]
    post = lab.sign(ALICE, 0, PostTask(TaskKind.PROGRAM, spec, (x,), 0, 1, REWARD, REWARD, 20, 1000, MAX_BURN))
    job = JobId(compute_tx_id(post))
    claim, outcome = lab.sign(WORKER, 0, ClaimJob(job)), lab.sign(WORKER, 1, SubmitOutcome(job, (y,)))
    for tx in (post, claim, outcome):
        await core.transactions.add(tx)
        await lab.extend(core)
    async with watching(core, lab.alice) as watcher:
        await until(lambda: watcher.get_status().checked)
        if not is_right:
            await until(lambda: watcher.get_status().challenged)
        await lab.extend(core)
        assert watcher.get_status().wrong == (not is_right)
    assert get_state(core, job) is (JobState.DELIVERED if is_right else JobState.DISPUTED)
