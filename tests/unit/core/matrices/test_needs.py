"""Matrices that the chain needs are kept even if others need room, and damaged ones are repaired."""

from typing import Any

import numpy as np
import pytest

from inos import work
from inos.consensus.records import JobState
from inos.core.matrices.needs import list_needs
from inos.core.node_core import NodeCore
from inos.mesh.errors import MeshError
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    JobMode,
    PostJob,
    PostTask,
    SubmitOutcome,
    TaskKind,
    compute_tx_id,
)
from inos.primitives.units import JobId, MatrixId
from inos.work.files import compute_file_id


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
    while core.ledger.tip.header.height < settled.closed_at + core.params.result_depth:
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
    post = lab.sign(lab.alice, 0, PostJob(x, w, 10**9, core.params.min_bond, 20, 1000, JobMode.CHECKED, 10**9))
    await core.transactions.add(post)
    assert list_kept(core) == {x.matrix_id, w.matrix_id}  # from the pool on
    await lab.extend(core)
    await core.transactions.add(lab.sign(lab.alice, 1, CancelJob(compute_tx_id(post))))
    await lab.extend(core)
    assert list_kept(core) == frozenset()


async def test_the_files_of_a_task_are_kept_from_the_pool_to_its_payment(lab: Any) -> None:
    core = lab.open("a")
    await lab.seat_jury(core)
    spec, first, second, output = (MatrixId(compute_file_id(bytes([n]))) for n in range(4))
    terms = (1, 1, 10**9, 10**9, 20, 1000, 10**9)
    post = lab.sign(lab.alice, 0, PostTask(TaskKind.PROGRAM, spec, (first, second), *terms))
    job = JobId(compute_tx_id(post))
    deliver = lab.sign(lab.worker, 1, SubmitOutcome(job, (output,)))
    for tx, needed in (
        (post, {spec, first, second}),
        (lab.sign(lab.worker, 0, ClaimJob(job)), {spec, first, second}),
        (deliver, {spec, first, second, output}),
    ):
        await core.transactions.add(tx)
        assert list_kept(core) == needed  # from the pool on
        await lab.extend(core)
        assert list_kept(core) == needed
    while (record := core.ledger.state.get_job(job)) is not None and record.state is JobState.DELIVERED:
        await lab.extend(core)
    assert record is not None
    assert record.state is JobState.SETTLED
    assert list_kept(core) == frozenset()
    assert list_needs(core.ledger, core.mempool).late == {spec, first, second, output}
