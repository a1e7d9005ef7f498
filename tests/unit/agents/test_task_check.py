"""A juror computes a task again: its verdict on every kind of outcome, and when it has none."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from inos.consensus.records import TaskWork
from inos.core import computation
from inos.functions import HostFailed
from inos.mesh.errors import MeshError
from inos.primitives.errors import MatrixMissing
from inos.primitives.transactions import Verdict
from inos.primitives.units import MatrixId
from inos.programs import compute_program_id, encode_value
from support.tasks import ECHO, TRAP, Mesh, W, X, judge_outcome, make_network, post_function, post_program

BUILT = make_network()
PRODUCT = X.astype(np.int32) @ W.T.astype(np.int32)


def deliver(mesh: Mesh, task: TaskWork, *outputs: Any) -> TaskWork:
    return replace(task, outputs=tuple(mesh.put(output) for output in outputs))


def deliver_program(mesh: Mesh) -> TaskWork:
    """Return a program with its right outcome."""
    squares = (np.clip((PRODUCT + (1 << 11)) >> 12, -32, 31) ** 2 * 300).astype(np.int32)
    return deliver(mesh, post_program(mesh, BUILT), PRODUCT.tobytes(), squares.tobytes())


def flip(mesh: Mesh, output: bytes) -> bytes:
    """Return the id of an output with its last bit changed."""
    data = mesh.held[output].tobytes()
    return mesh.put(data[:-1] + bytes([data[-1] ^ 1]))


CHANGES: dict[str, tuple[Verdict, Callable[[Mesh, TaskWork], dict[str, Any]]]] = {
    "as it is": (Verdict.RIGHT, lambda mesh, task: {}),
    "more units than it has": (Verdict.RIGHT, lambda mesh, task: {"units": task.units + 1}),
    "a bit changed": (Verdict.WRONG, lambda mesh, task: {"outputs": (task.outputs[0], flip(mesh, task.outputs[1]))}),
    "one more": (Verdict.WRONG, lambda mesh, task: {"outputs": (*task.outputs, task.outputs[0])}),
    "one less": (Verdict.WRONG, lambda mesh, task: {"outputs": task.outputs[:1]}),
    "swapped": (Verdict.WRONG, lambda mesh, task: {"outputs": task.outputs[::-1]}),
    "twice the same": (Verdict.WRONG, lambda mesh, task: {"outputs": task.outputs[:1] * 2}),
    "as a matrix": (Verdict.WRONG, lambda mesh, task: {"outputs": (mesh.put(PRODUCT), task.outputs[1])}),
    "far longer": (Verdict.WRONG, lambda mesh, task: {"outputs": (mesh.put(bytes(10**5)), task.outputs[1])}),
    "too few units": (Verdict.WRONG, lambda mesh, task: {"units": task.units - 1}),
    "too few tickets": (Verdict.WRONG, lambda mesh, task: {"tickets": task.tickets - 1}),
    "an input of another length": (Verdict.WRONG, lambda mesh, task: {"inputs": (mesh.put(X.tobytes()[1:]),)}),
    "no input": (Verdict.WRONG, lambda mesh, task: {"inputs": ()}),
    "a spec that is no program": (Verdict.WRONG, lambda mesh, task: {"spec": mesh.put(b"?")}),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_the_outcome_of_a_program_is_right_in_every_bit_or_wrong(name: str) -> None:
    mesh = Mesh()
    verdict, change = CHANGES[name]
    task = deliver_program(mesh)
    assert await judge_outcome(mesh, replace(task, **change(mesh, task))) is verdict


@pytest.mark.parametrize("stdout", [b"hello", b"", b"hello!"])
async def test_the_outcome_of_a_function_is_judged(stdout: bytes) -> None:
    mesh = Mesh()
    task = deliver(mesh, post_function(mesh, ECHO, b"hello"), stdout)
    assert await judge_outcome(mesh, task) is (Verdict.RIGHT if stdout == b"hello" else Verdict.WRONG)


async def test_an_outcome_of_a_function_that_has_none_is_wrong() -> None:
    mesh = Mesh()
    assert await judge_outcome(mesh, deliver(mesh, post_function(mesh, TRAP, b"hello"), b"")) is Verdict.WRONG


async def test_an_empty_outcome_is_right_if_the_function_writes_nothing() -> None:
    mesh = Mesh()
    assert await judge_outcome(mesh, deliver(mesh, post_function(mesh, ECHO, output_bytes=0), b"")) is Verdict.RIGHT


@pytest.mark.parametrize("which", ["spec", "input", "stored", "output"])
async def test_what_nobody_serves_is_unavailable_even_if_it_is_right(which: str) -> None:
    mesh = Mesh()
    task = deliver_program(mesh)
    assert task.outputs is not None
    stored = next(iter(BUILT.matrices))
    gone = {"spec": task.spec, "input": task.inputs[0], "stored": stored, "output": task.outputs[1]}[which]
    kept = mesh.held.pop(gone)
    with pytest.raises(MatrixMissing) as seen:
        await judge_outcome(mesh, task)
    assert seen.value.ids == (gone,)
    questions = []

    def arrive() -> bool:
        questions.append(1)
        if len(questions) == 3:
            mesh.held[gone] = kept
        return True

    assert await judge_outcome(mesh, task, arrive) is Verdict.RIGHT
    assert len(questions) == 3, "it is asked for as long as it is wanted"


async def test_jurors_fetch_no_more_of_an_output_than_the_task_allows() -> None:
    """A worker that delivers a huge file would otherwise keep jurors from any verdict."""
    mesh, limits = Mesh(), {}
    task = deliver_program(mesh)
    assert task.outputs is not None
    fetch = mesh.fetch

    async def watch(id: MatrixId, most: int) -> NDArray[Any]:
        limits[bytes(id)] = most
        if id == task.outputs[0]:
            raise MeshError("matrix-too-large", "a gigabyte")
        return await fetch(id, most)

    mesh.fetch = watch  # type: ignore[method-assign]
    assert await judge_outcome(mesh, task) is Verdict.WRONG
    assert limits[task.outputs[0]] == 400


@pytest.mark.parametrize("error", [HostFailed("function-time", "too slow"), MemoryError()])
async def test_a_machine_that_cannot_run_the_task_has_no_verdict(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    mesh = Mesh()
    task = deliver(mesh, post_function(mesh, ECHO, b"hello"), b"hello")
    monkeypatch.setattr(computation.functions, "run", fail)
    with pytest.raises(Exception, match=r"too slow|more memory") as seen:
        await judge_outcome(mesh, task)
    assert not isinstance(seen.value, MatrixMissing | computation.InvalidTask)


async def test_a_full_disk_of_the_juror_is_no_verdict() -> None:
    mesh = Mesh()
    task = deliver_program(mesh)

    async def fail(id: MatrixId, most: int) -> NDArray[Any]:
        raise MeshError("disk-full", "no room")

    mesh.fetch = fail  # type: ignore[method-assign]
    with pytest.raises(MeshError, match="no room"):
        await judge_outcome(mesh, task)


def test_the_id_of_the_program_is_the_tasks_spec() -> None:
    mesh = Mesh()
    task = post_program(mesh, BUILT)
    assert task.spec == compute_program_id(BUILT.program)
    assert task.inputs == (mesh.put(encode_value(X, BUILT.program.inputs[0].type)),)
