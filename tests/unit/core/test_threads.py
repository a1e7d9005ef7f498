"""A work that changes something runs to its end although its caller left, and its failure is told where it belongs."""

import asyncio
import gc
from typing import Any

import pytest
from structlog.testing import capture_logs

from inos.core import threads as threads_module
from inos.core.errors import NodeError
from inos.core.threads import MAX_WAITING, Threads
from inos.mesh.errors import MeshError


@pytest.mark.parametrize("error", [None, MeshError("bad-strip-size", "too short"), OSError("no space left on device")])
async def test_a_work_whose_caller_left_ends_and_its_failure_is_retrieved(error: Exception | None) -> None:
    loop = asyncio.get_running_loop()
    unretrieved: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: unretrieved.append(context))
    threads = Threads()
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await go_on.wait()
            if error is not None:
                raise error
        finally:
            ended.set()

    with capture_logs() as logs:
        caller = asyncio.ensure_future(threads.complete(work()))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert not ended.is_set()
        go_on.set()
        await ended.wait()
        await asyncio.sleep(0)  # the task's callbacks run in the turn after its end
        gc.collect()
    threads.close()
    assert unretrieved == []
    assert [(log["log_level"], log.get("code")) for log in logs] == {
        type(None): [],
        MeshError: [("debug", "bad-strip-size")],
        OSError: [("error", None)],
    }[type(error)]


async def test_a_caller_that_waits_is_told_of_a_refusal_itself() -> None:
    async def work() -> None:
        raise MeshError("bad-strip-size", "too short")

    threads = Threads()
    with capture_logs() as logs, pytest.raises(MeshError):
        await threads.complete(work())
    threads.close()
    assert logs == []


async def test_peers_that_send_and_leave_again_and_again_leave_a_bounded_number_of_works_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads_module, "SLOT_S", 0.01)
    threads = Threads()
    go_on = asyncio.Event()
    begun = ended = 0

    async def work() -> None:
        nonlocal begun, ended
        begun += 1
        await go_on.wait()
        await threads.write(lambda: None)
        ended += 1

    for _ in range(2 * MAX_WAITING):
        caller = asyncio.ensure_future(threads.complete(work()))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert begun == MAX_WAITING
    with pytest.raises(NodeError, match="waiting"):
        await threads.complete(work())
    monkeypatch.undo()
    waiting = asyncio.ensure_future(threads.complete(work()))
    go_on.set()
    await waiting
    assert (begun, ended) == (MAX_WAITING + 1, MAX_WAITING + 1), "none is lost that was begun, and there is room again"
    threads.close()


async def test_works_inside_of_works_do_not_wait_for_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix that is stored has the results taken that waited for it, which is a work too."""
    monkeypatch.setattr(threads_module, "SLOT_S", 10.0)
    threads = Threads()
    all_begun = asyncio.Event()
    begun = 0

    async def inner() -> int:
        return await threads.write(lambda: 1)

    async def outer() -> int:
        nonlocal begun
        begun += 1
        if begun == MAX_WAITING:
            all_begun.set()
        await all_begun.wait()
        return await threads.complete(inner())

    found = await asyncio.gather(*(threads.complete(outer()) for _ in range(MAX_WAITING)))
    assert sum(found) == MAX_WAITING
    threads.close()
