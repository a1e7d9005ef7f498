"""Tests the matrix service: callers get a matrix when it arrives, and runs are assembled into one."""

import asyncio
from typing import Any

import numpy as np
import pytest

from inos import work
from inos.chain.events import MatrixWanted
from inos.mesh.errors import MeshError
from inos.mesh.store import MatrixInfo
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import DType


async def get_event(events: Any, kind: type) -> Any:
    """Return the next event of a kind."""
    async with asyncio.timeout(60):
        while True:
            event = await anext(events)
            if isinstance(event, kind):
                return event


async def test_a_matrix_is_fetched_when_it_comes_and_missing_when_it_does_not(lab: Any) -> None:
    core = lab.open("a")
    matrix = work.matrix_id(lab.x)
    with pytest.raises(MatrixMissing):
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


async def test_a_file_is_fetched_by_its_id_alone_within_a_limit(lab: Any) -> None:
    one, two = lab.open("a"), lab.open("b")
    data = b"\xff" * 2000
    ref = await one.matrices.put_bytes(data)
    info = one.matrices.store.info(ref.matrix_id)
    run = await one.matrices.read_run(ref.matrix_id, 0)
    assert await one.matrices.fetch_bytes(ref.matrix_id, 0, len(data)) == data
    async with two.events.subscribe() as events, asyncio.TaskGroup() as group:
        fetched = group.create_task(two.matrices.fetch_bytes(ref.matrix_id, 10, 2000))
        refused = group.create_task(_get_error(two.matrices.fetch_bytes(ref.matrix_id, 10, 1999)))
        wanted = [await get_event(events, MatrixWanted) for _ in range(2)]
        assert [(each.ids, each.max_bytes) for each in wanted] == [((ref.matrix_id,), 2000), ((ref.matrix_id,), 1999)]
        assert not await two.matrices.begin(info, 2000)
        assert (await refused).code == "matrix-too-large"
        assert await two.matrices.add_run(ref.matrix_id, 0, run.data, run.path)
    assert fetched.result() == data
    for core in (one, two):
        assert (await _get_error(core.matrices.fetch(ref.matrix_id, 0, 1999))).code == "matrix-too-large"


async def test_nothing_is_begun_that_is_larger_than_all_take(lab: Any) -> None:
    core = lab.open("a")
    info = MatrixInfo(DType.BYTES, 2**20, 1024, bytes(32))
    async with asyncio.TaskGroup() as group:
        refused = group.create_task(_get_error(core.matrices.fetch(info.id, 10, 1 << 20)))
        await asyncio.sleep(0)
        with pytest.raises(MeshError) as caught:
            await core.matrices.begin(info, 1 << 20)
    assert caught.value.code == refused.result().code == "matrix-too-large"
    assert core.matrices.store.find_info(info.id) is None


async def test_requests_are_repeated_with_their_limits(lab: Any) -> None:
    core = lab.open("a")
    matrix = work.compute_file_id(b"x")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_get_error(core.matrices.fetch_bytes(matrix, 0.5, 7)))
        await asyncio.sleep(0)
        async with core.events.subscribe() as events:
            core.matrices.repeat_requests()
            assert await get_event(events, MatrixWanted) == MatrixWanted((matrix,), 7)
    assert isinstance(waiting.result(), MatrixMissing)


async def test_numbers_are_no_file(lab: Any) -> None:
    core = lab.open("a")
    ref = await core.matrices.put(lab.x)
    assert (await _get_error(core.matrices.fetch_bytes(ref.matrix_id, 0))).code == "not-bytes"


async def _get_error(call: Any) -> Any:
    """Return the error that a call raises."""
    with pytest.raises((MatrixMissing, MeshError, work.InvalidMatrix)) as caught:
        await call
    return caught.value
