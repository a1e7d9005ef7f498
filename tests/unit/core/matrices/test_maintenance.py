"""The maintenance repairs damaged matrices, and asks other nodes for what is missing."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import structlog.testing

from inos import work
from inos.chain.events import MatrixAdded, MatrixWanted


def spoil(folder: Path, matrix: bytes, how: str) -> None:
    (file,) = folder.rglob(f"{matrix.hex()}.matrix")
    with file.open("r+b") as opened:
        if how == "head":
            opened.write(b"?")
        else:
            opened.truncate(file.stat().st_size - 3)


async def test_an_unfinished_download_is_resumed_and_not_called_damaged(lab: Any, tmp_path: Path) -> None:
    core = lab.open("a")
    part, whole = (work.matrix_id(array) for array in (lab.x, lab.w))
    await core.matrices.put(lab.w)
    info = core.matrices.store.info(whole)
    assert info is not None
    spoil(tmp_path, whole, "cut")
    core.matrices.store.retention.pin(part)
    other = lab.open("b")
    await other.matrices.put(lab.x)
    begun = other.matrices.store.info(part)
    assert begun is not None
    await core.matrices.begin(begun)
    while core.matrices.store.has(whole):
        core.matrices.store.scrubber.step()
    with structlog.testing.capture_logs() as logs:
        async with asyncio.TaskGroup() as group, core.events.subscribe() as events:
            running = group.create_task(core.run())
            async with asyncio.timeout(60):
                seen: set[bytes] = set()
                while not {part, whole} <= seen:
                    found = await anext(events)
                    seen |= set(found.ids) if isinstance(found, MatrixWanted) else set()
            running.cancel()
    damaged = [one["id"] for one in logs if one["event"].startswith("matrix damaged")]
    assert damaged == [whole.hex()]


async def test_a_running_node_mends_by_itself_what_is_whole_and_asks_for_what_is_not(lab: Any, tmp_path: Path) -> None:
    """An overwritten head is repaired locally; a truncated file, and a pin whose matrix is missing, are requested from
    others.
    """
    core = lab.open("a")
    for array in (lab.x, lab.w):
        await core.matrices.put(array)
    x, w = (work.matrix_id(array) for array in (lab.x, lab.w))
    absent = work.matrix_id(lab.y)
    for matrix, change in ((x, "head"), (w, "cut")):
        spoil(tmp_path, matrix, change)
        while core.matrices.store.has(matrix):
            core.matrices.store.scrubber.step()
    core.matrices.store.retention.pin(absent)
    async with asyncio.TaskGroup() as group, core.events.subscribe() as events:
        running = group.create_task(core.run())
        seen: set[Any] = set()
        async with asyncio.timeout(60):
            while not {("here", x), ("wanted", w), ("wanted", absent)} <= seen:
                match await anext(events):
                    case MatrixAdded(id):
                        seen.add(("here", id))
                    case MatrixWanted(ids):
                        seen |= {("wanted", id) for id in ids}
        running.cancel()
    assert ("wanted", x) not in seen
    assert not core.matrices.store.has(w)
    await core.matrices.put(lab.w)
    found = await core.matrices.read(x)
    assert found is not None
    assert np.array_equal(found, lab.x)
