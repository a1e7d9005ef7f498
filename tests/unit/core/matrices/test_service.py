"""Tests the matrix service: callers get a matrix when it arrives, and runs are assembled into one."""

import asyncio
from typing import Any

import numpy as np
import pytest

from inos import work
from inos.chain.events import MatrixWanted
from inos.primitives.errors import MatrixMissing


async def get_event(events: Any, kind: type) -> Any:
    """Return the next event of a kind."""
    async with asyncio.timeout(10):
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
