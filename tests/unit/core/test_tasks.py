"""Background tasks: a failure is noticed, and ends the services that depend on them."""

import asyncio

import pytest

from inos.core.errors import NodeError
from inos.core.tasks import Tasks, cancel_within


async def test_a_failing_task_ends_the_body_with_its_own_error() -> None:
    async def fail() -> None:
        raise NodeError("broken", "on purpose")

    async def rely() -> None:
        async with Tasks() as tasks:
            tasks.start("fails", fail())
            await asyncio.Event().wait()

    with pytest.raises(NodeError) as seen:
        await rely()
    assert seen.value.code == "broken"


async def test_a_failing_body_cancels_the_tasks() -> None:
    ended = asyncio.Event()

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def break_off() -> None:
        async with Tasks() as tasks:
            tasks.start("lingers", linger())
            await asyncio.sleep(0)
            raise NodeError("broken", "in the body")

    with pytest.raises(NodeError):
        await break_off()
    assert ended.is_set()


async def test_a_task_that_does_not_end_is_not_waited_for_too_long() -> None:
    release = asyncio.Event()

    async def insist() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await release.wait()

    async with Tasks() as tasks:
        task = tasks.start("insists", insist())
        await asyncio.sleep(0)
        await cancel_within(task, 0.05)
        assert not task.done()
        release.set()
