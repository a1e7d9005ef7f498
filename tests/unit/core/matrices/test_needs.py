"""Matrices that the chain needs are kept even if others need room, and damaged ones are repaired."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos import work
from inos.consensus.records import JobState
from inos.core.matrices import needs
from inos.core.matrices.named import NamedMatrices
from inos.core.matrices.needs import MAX_READ_BYTES, MAX_READS, Needs, list_needs
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
from inos.programs import Program, Stored, encode_program
from inos.work.files import compute_file_id
from support.tasks import ECHO, Mesh, W, make_network, post_function, post_program


def compute_needs(core: NodeCore) -> Needs:
    store = core.matrices.store
    return list_needs(core.ledger, core.mempool, store, NamedMatrices(store, MAX_READS, MAX_READ_BYTES))


def list_kept(core: NodeCore) -> frozenset[Any]:
    needs = compute_needs(core)
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
        assert compute_needs(core).late == {x, w, y}
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
    assert compute_needs(core).late == {spec, first, second, output}


def spoil_declared_size(program: Program) -> Program:
    """Declare the stored operand smaller than it is."""
    weights = next(each for each in program.inputs if isinstance(each.source, Stored))
    small = replace(weights, type=replace(weights.type, rows=1))
    return replace(program, inputs=tuple(small if each is weights else each for each in program.inputs))


@pytest.mark.parametrize("kind", TaskKind)
async def test_what_a_specification_names_is_kept_until_the_task_is_paid(lab: Any, kind: TaskKind) -> None:
    """Without the weights or the module, no juror could judge a disputed outcome."""
    core, mesh, built = lab.open("a"), Mesh(), make_network()
    await lab.seat_jury(core)
    task = post_program(mesh, built) if kind is TaskKind.PROGRAM else post_function(mesh, ECHO, b"hello")
    held = [array for id, array in mesh.held.items() if id not in task.inputs]
    named = mesh.held.keys() - {task.spec, *task.inputs}
    for array in held:
        await (core.matrices.put_bytes(array.tobytes()) if array.dtype == np.uint8 else core.matrices.put(array))
    assert list_kept(core) == frozenset()
    terms = (task.tickets, task.units, 10**9, 10**9, 20, 1000, 10**9)
    post = lab.sign(lab.alice, 0, PostTask(kind, task.spec, task.inputs, *terms))
    await core.transactions.add(post)
    await lab.extend(core)
    job = JobId(compute_tx_id(post))
    assert named
    assert list_kept(core) >= named
    stored = core.matrices.store.count_bytes()
    core.matrices.store.retention.set_quota(2 * stored)
    assert list_kept(core) >= named
    with pytest.raises(MeshError, match="pinned or needed"):
        await core.matrices.put(np.zeros((16, stored // 12), np.int8))
    await core.transactions.add(lab.sign(lab.worker, 0, ClaimJob(job)))
    await lab.extend(core)
    await core.transactions.add(lab.sign(lab.worker, 1, SubmitOutcome(job, (compute_file_id(b"out"),))))
    await lab.extend(core)
    while (record := core.ledger.state.get_job(job)) is not None and record.state is JobState.DELIVERED:
        assert list_kept(core) >= named
        await lab.extend(core)
    assert not list_kept(core) & named


async def test_what_no_run_of_a_program_needs_is_not_kept(lab: Any) -> None:
    """Otherwise a small program could keep other matrices, larger than it says, on every node."""
    core, mesh, built = lab.open("a"), Mesh(), make_network()
    task = post_program(mesh, built)
    spec = await core.matrices.put_bytes(encode_program(spoil_declared_size(built.program)))
    weights = await core.matrices.put(W)
    terms = (task.tickets, task.units, 10**9, 10**9, 20, 1000, 10**9)
    await lab.seat_jury(core)
    await core.transactions.add(lab.sign(lab.alice, 0, PostTask(TaskKind.PROGRAM, spec.id, task.inputs, *terms)))
    await lab.extend(core)
    kept = list_kept(core)
    assert spec.matrix_id in kept
    assert weights.matrix_id not in kept


async def test_what_programs_name_leaves_room_to_others(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task burns nothing for the bytes that its program names, so that cheap tasks could fill every store."""
    core, mesh, built = lab.open("a"), Mesh(), make_network()
    task = post_program(mesh, built)
    spec = await core.matrices.put_bytes(encode_program(built.program))
    weights = await core.matrices.put(W)
    terms = (task.tickets, task.units, 10**9, 10**9, 20, 1000, 10**9)
    await lab.seat_jury(core)
    await core.transactions.add(lab.sign(lab.alice, 0, PostTask(TaskKind.PROGRAM, spec.id, task.inputs, *terms)))
    await lab.extend(core)
    info = core.matrices.store.find_info(weights.matrix_id)
    assert info is not None
    monkeypatch.setattr(needs, "NAMED_PART", 16)
    for quota, is_kept in ((16 * info.size, True), (16 * info.size - 1, False)):
        core.matrices.store.retention.set_quota(quota)
        kept = list_kept(core)
        assert spec.matrix_id in kept
        assert (weights.matrix_id in kept) is is_kept
