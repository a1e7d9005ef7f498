"""What the chain needs is kept, whatever else wants room; and the steward takes up what is damaged."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos import work
from inos.chain.events import MatrixAdded, MatrixWanted
from inos.consensus.records import JobState
from inos.core.matrices.needs import SETTLED_EPOCHS, list_needs
from inos.core.node_core import NodeCore
from inos.mesh.errors import MeshError
from inos.primitives.transactions import CancelJob, JobMode, PostJob, compute_tx_id


def list_kept(core: NodeCore) -> frozenset[Any]:
    needs = list_needs(core.ledger, core.mempool)
    core.matrices.store.retention.set_needed(needs.now, needs.late)
    return needs.now


@pytest.mark.parametrize("mode", [JobMode.CHECKED, JobMode.OPTIMISTIC])
async def test_needs_follow_a_job_from_the_pool_to_some_epochs_after_its_settlement(lab: Any, mode: JobMode) -> None:
    core = lab.open("a")
    x, w, y = (work.matrix_id(array) for array in (lab.x, lab.w, lab.y))
    assert list_kept(core) == frozenset()
    job = await lab.post_and_claim(core, mode=mode)
    assert list_kept(core) == {x, w}
    await core.matrices.put(lab.y)
    await core.transactions.add(lab.submit(job))
    assert list_kept(core) == {x, w, y}  # the result waits in the pool
    core.matrices.store.retention.set_quota(core.matrices.store.count_bytes())
    other = np.zeros((16, 50), np.int8)
    with pytest.raises(MeshError, match="pinned or needed"):
        await core.matrices.put(other)
    await lab.extend(core)
    while (settled := core.ledger.state.get_job(job)) is not None and settled.state is not JobState.SETTLED:
        assert list_kept(core) == {x, w, y}
        await lab.extend(core)
    assert mode is JobMode.CHECKED or core.ledger.tip.header.height > core.params.challenge_window
    assert settled is not None
    while core.ledger.tip.header.height < settled.closed_at + SETTLED_EPOCHS * core.params.epoch_blocks:
        assert list_kept(core) == frozenset()
        assert list_needs(core.ledger, core.mempool).late == {x, w, y}
        assert all(core.matrices.store.retention.is_promised(matrix) for matrix in (x, w, y))
        await lab.extend(core)
    assert list_kept(core) == frozenset()
    assert not core.matrices.store.retention.is_promised(x)
    await core.matrices.put(other)
    assert core.matrices.store.has(work.matrix_id(other))


async def test_a_cancelled_job_needs_nothing(lab: Any) -> None:
    core = lab.open("a")
    x, w = work.matrix_ref(lab.x), work.matrix_ref(lab.w)
    post = lab.sign(lab.alice, 0, PostJob(x, w, 10**9, core.params.min_bond, 20, 1000, JobMode.CHECKED, 10**12))
    await core.transactions.add(post)
    assert list_kept(core) == {x.matrix_id, w.matrix_id}  # from the pool on
    await lab.extend(core)
    await core.transactions.add(lab.sign(lab.alice, 1, CancelJob(compute_tx_id(post))))
    await lab.extend(core)
    assert list_kept(core) == frozenset()


def spoil(folder: Path, matrix: bytes, how: str) -> None:
    (file,) = folder.rglob(f"{matrix.hex()}.matrix")
    with file.open("r+b") as opened:
        if how == "head":
            opened.write(b"?")
        else:
            opened.truncate(file.stat().st_size - 3)


async def test_a_running_node_mends_by_itself_what_is_whole_and_asks_for_what_is_not(lab: Any, tmp_path: Path) -> None:
    """A head overwritten costs nothing but a look; a file cut off is asked of others; so is a pin that is not here."""
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
        async with asyncio.timeout(20):
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
