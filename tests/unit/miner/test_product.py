"""Tests optimistic products: made in slices on disk, continued after a restart, with at most one slice lost."""

import asyncio
from typing import Any

import numpy as np
from msgspec.structs import replace

from inos import work
from inos.consensus.records import JobState
from inos.mesh.errors import MeshError
from inos.mesh.growing import GrowingMatrix
from inos.mesh.store import MatrixStore
from inos.primitives.transactions import ClaimJob, JobMode, SubmitResult
from support.miner_kernel import SETTINGS, Kernel, find, get_result, make_operands, mining, multiply

JOBS_ONLY = replace(SETTINGS, filler_rate=1.0)


async def test_a_miner_that_stops_loses_one_slice(disk: Any) -> None:
    x, w = make_operands()
    job, kernel = disk.post(x, w, mode=JobMode.OPTIMISTIC), Kernel()
    kernel.hold_at = (work.matrix_id(x), 2)
    async with mining(disk, kernel, JOBS_ONLY):
        await disk.until(find(disk, ClaimJob, job))
        disk.make_block()
        assert await asyncio.to_thread(kernel.entered.wait, 10)
    assert kernel.get_slices(work.matrix_id(x)) == [(0, 1), (1, 2), (2, 3)]
    assert kernel.with_rows == {work.matrix_id(x)}, "filler needs no rows"
    disk.matrices.disk = MatrixStore(disk.path)  # as another process finds it
    again = Kernel()
    async with mining(disk, again, JOBS_ONLY):
        await disk.until(find(disk, SubmitResult, job))
        np.testing.assert_array_equal(get_result(disk, job), multiply(x, w))
    assert again.get_slices(work.matrix_id(x)) == [(2, 3), (3, 4)]


async def test_a_product_stored_before_the_restart_is_only_submitted(disk: Any) -> None:
    x, w = make_operands()
    job, kernel = disk.post(x, w, mode=JobMode.OPTIMISTIC), Kernel()
    async with mining(disk, kernel, JOBS_ONLY):
        await disk.until(find(disk, ClaimJob, job))
        disk.make_block()
        await disk.until(find(disk, SubmitResult, job))
    disk.pool.clear()
    again = Kernel()
    async with mining(disk, again, JOBS_ONLY):
        await disk.until(find(disk, SubmitResult, job))
    assert again.get_slices(work.matrix_id(x)) == []


async def test_a_new_tip_does_not_cost_a_slice_of_a_large_product(disk: Any) -> None:
    x, w = make_operands()
    job, kernel = disk.post(x, w, mode=JobMode.OPTIMISTIC), Kernel()
    kernel.hold_at = (work.matrix_id(x), 2)
    async with mining(disk, kernel, JOBS_ONLY) as miner:
        await disk.until(find(disk, ClaimJob, job))
        disk.make_block()
        assert await asyncio.to_thread(kernel.entered.wait, 10)
        disk.make_block()
        await asyncio.sleep(0.05)
        assert kernel.interrupted == 0
        miner.stop()
        await disk.until(lambda: kernel.interrupted)


async def test_a_disk_that_refuses_costs_time_but_no_wrong_row(disk: Any, monkeypatch: Any) -> None:
    x, w = make_operands()
    job, kernel, write = disk.post(x, w, mode=JobMode.OPTIMISTIC), Kernel(), GrowingMatrix.write
    refused: list[int] = []

    def refuse_once(self: GrowingMatrix, first: int, rows: Any) -> None:
        if first == 32 and not refused:
            refused.append(first)
            raise MeshError("disk-refuses", "no space")
        write(self, first, rows)

    monkeypatch.setattr(GrowingMatrix, "write", refuse_once)
    async with mining(disk, kernel, JOBS_ONLY):
        await disk.until(find(disk, ClaimJob, job))
        disk.make_block()
        await disk.until(find(disk, SubmitResult, job))
        np.testing.assert_array_equal(get_result(disk, job), multiply(x, w))
    assert kernel.get_slices(work.matrix_id(x)) == [(0, 1), (1, 2), (2, 3), (2, 3), (3, 4)]


async def test_a_job_there_is_no_room_for_does_not_hold_up_the_others(disk: Any, monkeypatch: Any) -> None:
    best = disk.post(*make_operands(), mode=JobMode.OPTIMISTIC, reward=10**10)
    other = disk.post(*make_operands(2), mode=JobMode.OPTIMISTIC, reward=10**8)
    open_product = disk.matrices.open_product

    async def refuse(job: Any, rows: int, cols: int) -> Any:
        if job == best:
            raise MeshError("disk-full", "no space")
        return await open_product(job, rows, cols)

    monkeypatch.setattr(disk.matrices, "open_product", refuse)
    async with mining(disk, Kernel(), JOBS_ONLY) as miner:
        await disk.until(find(disk, ClaimJob, other))
        assert "disk-full" in miner.get_status().last_error
        disk.make_block()
        await disk.until(find(disk, SubmitResult, other))
    assert disk.jobs[best].state is JobState.OPEN


async def test_operands_that_never_come_are_not_claimed(disk: Any) -> None:
    """So a poster that withholds operands costs no bond."""
    x, w = make_operands()
    withheld = disk.post(x, w, mode=JobMode.OPTIMISTIC)
    del disk.matrices[work.matrix_id(w)]
    other = disk.post(*make_operands(2), mode=JobMode.OPTIMISTIC, reward=10**8)
    async with mining(disk, Kernel(), JOBS_ONLY):
        await disk.until(find(disk, ClaimJob, other))
        disk.make_block()
        await disk.until(find(disk, SubmitResult, other))
    assert not any(isinstance(tx.payload, ClaimJob) and tx.payload.job == withheld for tx in disk.sent)
    assert disk.jobs[withheld].state is JobState.OPEN


async def test_what_a_dropped_job_left_on_disk_goes(disk: Any) -> None:
    x, w = make_operands()
    job, kernel = disk.post(x, w, mode=JobMode.OPTIMISTIC), Kernel()
    kernel.hold_at = (work.matrix_id(x), 1)
    async with mining(disk, kernel, JOBS_ONLY) as miner:
        await disk.until(find(disk, ClaimJob, job))
        disk.make_block()
        assert await asyncio.to_thread(kernel.entered.wait, 10)
        folder = disk.path / "growing"
        assert len(list(folder.iterdir())) == 1
        disk.jobs[job] = replace(disk.jobs[job], state=JobState.CANCELLED)
        disk.make_block()
        await disk.until(lambda: miner.get_status().jobs_lost == 1)
        assert list(folder.iterdir()) == []
