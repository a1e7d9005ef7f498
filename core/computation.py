"""Loads what a task names, and computes its outputs. A miner does so to deliver them, a juror to compare them.

Pipeline: task -> specification and inputs, fetched by their mesh ids -> `Loaded`, checked against what the task
declares -> outputs as bytes, whose mesh ids are the outcome. What is wrong with a task for everybody is `InvalidTask`;
everything else that is raised says that this machine could not compute it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias, assert_never

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos import functions, programs
from inos.consensus.records import TaskWork
from inos.functions import Delivered, FunctionSpec, InvalidFunction, ModuleCache, NoOutcome, Role
from inos.functions.limits import MAX_DATA_BYTES, MAX_MODULE_BYTES, MAX_SPEC_BYTES
from inos.mesh.errors import MeshError
from inos.primitives.errors import InosError
from inos.primitives.matrices import DType
from inos.primitives.transactions import TaskKind
from inos.primitives.units import JobId, MatrixId
from inos.programs import CheckedProgram, InvalidInput, InvalidProgram, Multiply, Stored
from inos.programs.limits import MAX_PROGRAM_BYTES, PROFILE_PEAK_BYTES, PROFILE_UNITS
from inos.programs.types import Array

Fetch: TypeAlias = Callable[[MatrixId, int], Awaitable[NDArray[np.generic]]]
"""Fetches by mesh id, at most so many bytes: an operand (int8), or a file as one row of uint8.

It raises MatrixMissing if no node serves it, and MeshError "matrix-too-large" if it is larger.
"""


class InvalidTask(InosError):
    """No outcome of this task is right: its specification, price or inputs are not what they must be."""


class TaskRefused(InosError):
    """The task is beyond what every juror can compute (the jury profile), so nobody should take it."""


class TaskFailed(InosError):
    """This machine could not compute the task, which says nothing about the task: another machine may."""


class LoadedProgram(Struct, frozen=True, eq=False):
    """A checked program with the matrices of all its inputs."""

    checked: CheckedProgram
    inputs: list[Array]


class LoadedFunction(Struct, frozen=True):
    """A function's specification with its module and its input."""

    spec: FunctionSpec
    module: bytes
    stdin: bytes


Loaded: TypeAlias = LoadedProgram | LoadedFunction


async def load_task(task: TaskWork, fetch: Fetch) -> Loaded:
    """Fetch and check everything that a task names.

    Raises:
        InvalidTask, TaskRefused, MatrixMissing. MeshError: this node cannot store it.
    """
    match task.kind:
        case TaskKind.PROGRAM:
            return await _load_program(task, fetch)
        case TaskKind.FUNCTION:
            return await _load_function(task, fetch)
        case _:
            assert_never(task.kind)


async def fetch_outputs(loaded: Loaded, outputs: Sequence[bytes], fetch: Fetch) -> None:
    """Fetch the outputs that were delivered, none larger than the task allows, so that a lie costs jurors no more.

    Raises:
        InvalidTask: there are more or fewer outputs than the task has, or one is too long or no file.
        MatrixMissing, MeshError: as `load_task` raises them.
    """
    match loaded:
        case LoadedProgram():
            lengths = [each.nbytes for each in loaded.checked.results]
        case LoadedFunction():
            lengths = [loaded.spec.output_bytes]
        case _:
            assert_never(loaded)
    if len(outputs) != len(lengths):
        raise InvalidTask("output-count", f"{len(outputs)} outputs are delivered; the task has {len(lengths)}")
    for number, (id_, most) in enumerate(zip(outputs, lengths, strict=True)):
        await _fetch_file(fetch, MatrixId(id_), most, f"output {number}")


def compute_outputs(
    job: JobId,
    loaded: Loaded,
    *,
    role: Role,
    stop: threading.Event,
    product: Multiply = programs.multiply,
    cache: ModuleCache | None = None,
) -> tuple[bytes, ...]:
    """Compute a task's outputs; it blocks until they are there.

    Args:
        role: a checker gives a function more steps and stack than a worker does.
        stop: ends the call; a program ends at its next product at the latest.
        product: makes the products of a program; a miner's draws tickets from them.
        cache: keeps compiled modules.

    Raises:
        InvalidTask: a function ends without an outcome.
        Stopped: `stop` was set.
        InosError: this machine could not compute it, and another one may.
    """
    try:
        match loaded:
            case LoadedProgram():
                results = programs.prepare_program(loaded.checked, product, stop=stop).run(loaded.inputs)
                return tuple(map(programs.encode_value, results, loaded.checked.results))
            case LoadedFunction():
                return (_run_function(job, loaded, role, cache, stop),)
            case _:
                assert_never(loaded)
    except MemoryError as error:
        raise TaskFailed(
            "task-memory",
            f"task {job.hex()} needs more memory than this machine has",
            hint=f"free memory: a task may need {PROFILE_PEAK_BYTES >> 20} MiB",
        ) from error


async def _load_program(task: TaskWork, fetch: Fetch) -> LoadedProgram:
    data = await _fetch_file(fetch, MatrixId(task.spec), MAX_PROGRAM_BYTES, "the program")
    try:
        checked = await asyncio.to_thread(lambda: programs.check_program(programs.decode_program(data)))
    except InvalidProgram as error:
        raise InvalidTask(error.code, f"the program: {error.message}") from error
    cost = checked.cost
    _check_price(task, cost.units, cost.tickets)
    if cost.units > PROFILE_UNITS or cost.peak_bytes > PROFILE_PEAK_BYTES:
        raise TaskRefused(
            "task-too-large",
            f"the program has {cost.units} units and needs {cost.peak_bytes} bytes at once; jurors compute up to "
            f"{PROFILE_UNITS} units with {PROFILE_PEAK_BYTES} bytes",
        )
    if len(task.inputs) != len(checked.given):
        raise InvalidTask("input-count", f"{len(task.inputs)} inputs are given; the program takes {len(checked.given)}")
    given = [
        await _fetch_file(fetch, MatrixId(id), type_.nbytes, f"input {number}")
        for number, (id, type_) in enumerate(zip(task.inputs, checked.given, strict=True))
    ]
    stored = {
        each.source: await _fetch_stored(fetch, each.source, each.type.nbytes)
        for each in checked.program.inputs
        if isinstance(each.source, Stored)
    }
    try:
        inputs = await asyncio.to_thread(partial(programs.bind_inputs, checked, given, stored.__getitem__))
    except InvalidInput as error:
        raise InvalidTask(error.code, error.message) from error
    return LoadedProgram(checked, inputs)


async def _load_function(task: TaskWork, fetch: Fetch) -> LoadedFunction:
    if len(task.inputs) > 1:
        raise InvalidTask("input-count", f"{len(task.inputs)} inputs are given; a function reads one, its stdin")
    try:
        spec = functions.decode_spec(
            await _fetch_file(fetch, MatrixId(task.spec), MAX_SPEC_BYTES, "the function's specification")
        )
        module = await _fetch_file(fetch, spec.module_id, MAX_MODULE_BYTES, "the module")
        stdin = b""
        if task.inputs:
            stdin = await _fetch_file(fetch, MatrixId(task.inputs[0]), MAX_DATA_BYTES, "the input")
    except InvalidFunction as error:
        raise InvalidTask(error.code, error.message) from error
    _check_price(task, functions.compute_units(spec, len(module), len(stdin)), 0)
    return LoadedFunction(spec, module, stdin)


def _check_price(task: TaskWork, units: int, tickets: int) -> None:
    """Check that a task is not priced too low, and that its tickets are those of its products."""
    if task.units < units or task.tickets != tickets:
        raise InvalidTask(
            "bad-units",
            f"the task declares {task.units} units and {task.tickets} tickets; it has {units} units and {tickets} "
            "tickets",
        )


def _run_function(
    job: JobId, loaded: LoadedFunction, role: Role, cache: ModuleCache | None, stop: threading.Event
) -> bytes:
    try:
        outcome = functions.run(loaded.spec, loaded.module, loaded.stdin, role=role, seed=job, cache=cache, stop=stop)
    except InvalidFunction as error:
        raise InvalidTask(error.code, error.message) from error
    match outcome:
        case Delivered():
            return outcome.stdout
        case NoOutcome():
            raise InvalidTask("no-outcome", f"the function ends without an outcome: {outcome.detail}")
        case _:
            assert_never(outcome)


async def _fetch_file(fetch: Fetch, id: MatrixId, most: int, name: str) -> bytes:
    found = await _fetch(fetch, id, most, name)
    if found.dtype != np.uint8:
        raise InvalidTask("not-bytes", f"{name} is a matrix of {found.dtype} in the mesh, not a file")
    if found.size > most:
        raise InvalidTask("file-length", f"{name} has {found.size} bytes, and at most {most} are possible")
    return found.tobytes()


async def _fetch_stored(fetch: Fetch, source: Stored, most: int) -> Array | bytes:
    """Return a matrix that the program names: an operand, or the bytes of a file."""
    name = f"matrix {source.id.hex()}"
    if source.dtype is not DType.INT7:
        return await _fetch_file(fetch, MatrixId(source.id), most, name)
    found = await _fetch(fetch, MatrixId(source.id), most, name)
    if found.dtype != np.int8:
        raise InvalidTask("input-dtype", f"{name} is of {found.dtype} in the mesh; the program declares an operand")
    return np.asarray(found, np.int8)


async def _fetch(fetch: Fetch, id: MatrixId, most: int, name: str) -> NDArray[np.generic]:
    try:
        return await fetch(id, most)
    except MeshError as error:
        if error.code == "matrix-too-large":
            raise InvalidTask("file-length", f"{name} is larger than the {most} bytes that are possible") from error
        raise
