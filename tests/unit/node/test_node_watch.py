"""The watcher on a real ledger: wrong results are found and challenged, right ones left alone, missing ones told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from inos.agents.watcher import Watcher
from inos.consensus.records import JobState
from inos.core.service import NodeService
from inos.primitives.transactions import Challenge, JobMode
from inos.primitives.units import JobId
from inos.wallet.keys import Key, make_key

POOR = make_key(bytes(31) + b"\x09")


@asynccontextmanager
async def watching(service: NodeService, key: Key) -> AsyncIterator[Watcher]:
    watcher = Watcher(service, key.secret)
    task = asyncio.ensure_future(watcher.run())
    try:
        yield watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(question: Callable[[], Any], limit_s: float = 15.0) -> None:
    """The watcher's figures raise no events, so they are looked at again and again."""
    async with asyncio.timeout(limit_s):
        while True:
            if question():
                return
            await asyncio.sleep(0.01)


async def deliver(lab: Any, service: NodeService, y: Any, *, with_result: bool = True) -> JobId:
    job: JobId = await lab.post_and_claim(service, mode=JobMode.OPTIMISTIC)
    if with_result:
        await service.add_matrix(y)
    await service.add_transaction(lab.submit(job, y))
    await lab.extend(service)
    return job


def get_state(service: NodeService, job: JobId) -> JobState:
    record = service.ledger.state.get_job(job)
    assert record is not None
    return record.state


@pytest.mark.parametrize("place", [(0, 0), (23, 15), (16, 7)])
async def test_one_wrong_entry_is_found_and_challenged(lab: Any, place: tuple[int, int]) -> None:
    service, wrong = lab.open("a"), lab.y.copy()
    wrong[place] ^= 1
    job = await deliver(lab, service, wrong)
    async with watching(service, lab.alice) as watcher:
        await until(lambda: len(service.mempool))
        (tx_id,) = service.mempool.list_ids()
        payload = service.mempool.get(tx_id).payload  # type: ignore[union-attr]
        assert isinstance(payload, Challenge)
        assert (payload.job, payload.i, payload.j) == (job, place[0] // 16, 0)
        await lab.extend(service)
        status = watcher.get_status()
        assert (status.checked, status.wrong, status.challenged, status.unavailable) == (1, 1, 1, 0)
    assert get_state(service, job) is JobState.OPEN


async def test_a_right_result_is_left_alone(lab: Any) -> None:
    service = lab.open("a")
    job = await deliver(lab, service, lab.y)
    async with watching(service, lab.alice) as watcher:
        await until(lambda: watcher.get_status().checked)
        await lab.extend(service)
        assert (watcher.get_status().wrong, watcher.get_status().challenged) == (0, 0)
    assert get_state(service, job) is JobState.DELIVERED


async def test_a_result_that_comes_late_is_checked_when_it_comes(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.agents.watcher.FETCH_S", 0.1)
    service, wrong = lab.open("a"), lab.y.copy()
    wrong[3, 3] += 7
    await deliver(lab, service, wrong, with_result=False)
    async with watching(service, lab.alice) as watcher:
        await asyncio.sleep(0.3)
        assert watcher.get_status().checked == 0
        await service.add_matrix(wrong)
        await until(lambda: watcher.get_status().challenged == 1)


async def test_a_result_nobody_serves_is_counted_and_told(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.agents.watcher.FETCH_S", 0.05)
    service = lab.open("a")
    job = await deliver(lab, service, lab.y, with_result=False)
    async with watching(service, lab.alice) as watcher:
        for _ in range(service.params.challenge_window):
            await lab.extend(service)
        assert get_state(service, job) is JobState.SETTLED
        await until(lambda: watcher.get_status().unavailable == 1)
        assert "matrix-missing" in watcher.get_status().last_error
        assert watcher.get_status().checked == 0


async def test_a_watcher_without_credits_says_so_and_goes_on(lab: Any) -> None:
    service, wrong = lab.open("a"), lab.y.copy()
    wrong[0, 0] += 1
    await deliver(lab, service, wrong)
    async with watching(service, POOR) as watcher:
        await until(lambda: "insufficient-balance" in watcher.get_status().last_error)
        assert (watcher.get_status().wrong, watcher.get_status().challenged) == (1, 0)
        assert len(service.mempool) == 0


async def test_a_challenge_that_is_lost_is_sent_again(lab: Any) -> None:
    service, wrong = lab.open("a"), lab.y.copy()
    wrong[20, 2] -= 1
    await deliver(lab, service, wrong)
    async with watching(service, lab.alice) as watcher:
        await until(lambda: len(service.mempool))
        service.mempool.remove(service.mempool.list_ids()[0])
        await lab.extend(service)
        await until(lambda: watcher.get_status().challenged == 2)
        assert len(service.mempool) == 1
