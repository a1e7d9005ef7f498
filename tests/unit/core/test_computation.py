"""What a task names is loaded and computed, and every fault of it is told from what this machine cannot do."""

import threading
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos import programs
from inos.consensus.records import TaskWork
from inos.core.computation import InvalidTask, Loaded, LoadedProgram, TaskRefused, compute_outputs, load_task
from inos.functions import Role
from inos.primitives.errors import InosError, MatrixMissing
from inos.primitives.matrices import DType
from inos.primitives.units import JobId, MatrixId
from inos.programs import BuiltProgram, Given, Input, ProgramBuilder, Stored, Type, encode_program
from inos.programs.ops import Add, MatmulT
from inos.work.stopping import Stopped
from support.program_parts import make
from support.tasks import ECHO, EXIT_3, TRAP, Mesh, W, X, make_network, post_function, post_program

JOB = JobId(bytes(32))


def compute(loaded: Loaded, **changes: Any) -> tuple[bytes, ...]:
    return compute_outputs(JOB, loaded, **({"role": Role.WORKER, "stop": threading.Event()} | changes))


async def get_error(mesh: Mesh, task: TaskWork) -> str:
    """Return the code of why no outcome of the task is right."""
    with pytest.raises(InvalidTask) as seen:
        await load_task(task, mesh.fetch)
    return seen.value.code


async def test_a_program_is_computed_to_the_bytes_of_its_results() -> None:
    mesh = Mesh()
    loaded = await load_task(post_program(mesh, make_network()), mesh.fetch)
    first, second = compute(loaded)
    assert np.array_equal(np.frombuffer(first, "<i4").reshape(5, 20), X.astype(np.int32) @ W.T.astype(np.int32))
    assert len(second) == 4 * 5 * 20


@pytest.mark.parametrize(
    ("units", "tickets", "code"),
    [(0, 0, None), (1, 0, None), (-1, 0, "bad-units"), (0, -1, "bad-units"), (0, 1, "bad-units")],
)
async def test_a_program_has_exactly_its_tickets_and_at_least_its_units(
    units: int, tickets: int, code: str | None
) -> None:
    mesh = Mesh()
    task = post_program(mesh, make_network())
    task = replace(task, units=task.units + units, tickets=task.tickets + tickets)
    if code is None:
        await load_task(task, mesh.fetch)
    else:
        assert await get_error(mesh, task) == code


@pytest.mark.parametrize("count", [0, 2])
async def test_a_program_takes_exactly_its_inputs(count: int) -> None:
    mesh = Mesh()
    task = post_program(mesh, make_network())
    assert await get_error(mesh, replace(task, inputs=task.inputs * count)) == "input-count"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (X.tobytes() + b"\0", "file-length"),
        (X.tobytes()[:-1], "input-length"),
        (X.tobytes() + bytes(2000), "file-length"),
        (b"", "input-length"),
        (bytes([64]) + X.tobytes()[1:], "input-range"),
        (bytes([256 - 65]) + X.tobytes()[1:], "input-range"),
        (X, "not-bytes"),
        (X.astype(np.int32), "file-length"),
    ],
    ids=["longer", "shorter", "far longer", "empty", "above", "below", "operand", "int32"],
)
async def test_an_input_is_a_file_of_the_declared_type(data: Any, code: str) -> None:
    mesh = Mesh()
    task = replace(post_program(mesh, make_network()), inputs=(mesh.put(data),))
    assert await get_error(mesh, task) == code


GOOD = encode_program(make_network().program)


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (X, "not-bytes"),
        (b"", "malformed-program"),
        (b"\xc1 no program", "malformed-program"),
        (GOOD[:-1], "malformed-program"),
        (GOOD + b"\0", "malformed-program"),
        (b"\x94\xcc\x01" + GOOD[2:], "not-canonical"),
        (bytes(4 * 1024 * 1024 + 1), "file-length"),
    ],
    ids=["operand", "empty", "garbage", "truncated", "trailing", "one as two bytes", "too large"],
)
async def test_a_spec_that_is_no_program_is_no_task(spec: Any, code: str) -> None:
    mesh = Mesh()
    task = replace(post_program(mesh, make_network()), spec=mesh.put(spec))
    assert await get_error(mesh, task) == code


def make_reading(dtype: DType, id_: bytes) -> BuiltProgram:
    """Return a program that multiplies with a stored matrix, or adds it to itself."""
    type_ = Type(20, 40, -64, 63)
    op = MatmulT(1) if dtype is DType.INT7 else Add()
    given = Input(Type(5, 40, -64, 63) if dtype is DType.INT7 else type_, Given())
    return BuiltProgram(make([given, Input(type_, Stored(id_, dtype))], (op, (0, 1)), outputs=(2,)), (), {})


@pytest.mark.parametrize(
    ("dtype", "data", "code"),
    [
        (DType.INT7, W.tobytes(), "input-dtype"),
        (DType.BYTES, W, "not-bytes"),
        (DType.INT7, W.astype(np.int32), "file-length"),
        (DType.INT7, W[:1].astype(np.int32), "input-dtype"),
        (DType.INT7, W.T.copy(), "input-shape"),
        (DType.INT7, W[:-1], "input-shape"),
        (DType.BYTES, W.tobytes()[:-1], "input-length"),
        (DType.BYTES, bytes([100]) * W.size, "input-range"),
    ],
)
async def test_a_stored_input_is_of_the_declared_type(dtype: DType, data: Any, code: str) -> None:
    mesh = Mesh()
    built = make_reading(dtype, mesh.put(data))
    given = X if dtype is DType.INT7 else W
    assert await get_error(mesh, post_program(mesh, built, [given])) == code


@pytest.mark.parametrize("which", ["spec", "input", "stored"])
async def test_a_program_whose_parts_nobody_serves_is_missing_and_not_wrong(which: str) -> None:
    mesh = Mesh()
    built = make_network()
    task = post_program(mesh, built)
    gone = {"spec": task.spec, "input": task.inputs[0], "stored": next(iter(built.matrices))}[which]
    del mesh.held[gone]
    with pytest.raises(MatrixMissing) as seen:
        await load_task(task, mesh.fetch)
    assert seen.value.ids == (gone,)


async def test_a_program_beyond_the_jury_profile_is_refused_before_its_inputs_are_fetched() -> None:
    mesh, builder = Mesh(), ProgramBuilder()
    x = builder.input(2**15, 2**14, 0, 2**40, name="x")
    task = replace(post_program(mesh, builder.finish([builder.add(x, x)]), []), inputs=(bytes(32),))
    with pytest.raises(TaskRefused) as seen:
        await load_task(task, mesh.fetch)
    assert seen.value.code == "task-too-large"
    assert mesh.asked == [task.spec]
    assert await get_error(mesh, replace(task, units=1)) == "bad-units"


async def test_a_program_ends_at_its_next_product_once_it_is_stopped() -> None:
    mesh, stop, made = Mesh(), threading.Event(), []
    loaded = await load_task(post_program(mesh, make_network()), mesh.fetch)
    stop.set()
    with pytest.raises(Stopped):
        compute(loaded, stop=stop, product=lambda *operands: made.append(operands))
    assert made == []


async def test_a_machine_without_memory_says_nothing_about_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise MemoryError

    mesh = Mesh()
    loaded = await load_task(post_program(mesh, make_network()), mesh.fetch)
    with pytest.raises(InosError) as seen:
        compute(loaded, product=fail)
    assert not isinstance(seen.value, InvalidTask)
    assert seen.value.code == "task-memory"


async def test_a_function_is_run_on_its_input() -> None:
    mesh = Mesh()
    for stdin in (b"hello", b""):
        assert compute(await load_task(post_function(mesh, ECHO, stdin), mesh.fetch)) == (stdin,)


async def test_a_function_has_at_least_its_units_no_tickets_and_one_input() -> None:
    mesh = Mesh()
    task = post_function(mesh, ECHO, b"hello")
    await load_task(replace(task, units=task.units + 1), mesh.fetch)
    for changes in ({"units": task.units - 1}, {"tickets": 1}):
        assert await get_error(mesh, replace(task, **changes)) == "bad-units"
    assert await get_error(mesh, replace(task, inputs=task.inputs * 2)) == "input-count"


@pytest.mark.parametrize(
    ("part", "data", "code"),
    [
        ("spec", X, "not-bytes"),
        ("spec", b"\xc1", "malformed"),
        ("spec", bytes(2**17 + 1), "file-length"),
        ("module", X, "not-bytes"),
        ("module", bytes(2**24 + 1), "file-length"),
        ("input", X, "not-bytes"),
    ],
)
async def test_the_files_of_a_function_are_files_within_their_bounds(part: str, data: Any, code: str) -> None:
    mesh = Mesh()
    wrong = mesh.put(data)
    task = post_function(mesh, ECHO, b"hello", **({"names": wrong} if part == "module" else {}))
    if part != "module":
        task = replace(task, **({"spec": wrong} if part == "spec" else {"inputs": (wrong,)}))
    assert await get_error(mesh, task) == code


async def test_a_function_whose_module_nobody_serves_is_missing() -> None:
    mesh = Mesh()
    task = post_function(mesh, ECHO, names=bytes(32))
    with pytest.raises(MatrixMissing) as seen:
        await load_task(task, mesh.fetch)
    assert seen.value.ids == (MatrixId(bytes(32)),)


@pytest.mark.parametrize(
    ("module", "spec", "code", "words"),
    [
        (TRAP, {}, "no-outcome", "unreachable"),
        (EXIT_3, {}, "no-outcome", "3"),
        (ECHO, {"output_bytes": 4}, "no-outcome", "4 bytes"),
        (ECHO, {"steps": 10}, "no-outcome", "steps"),
        (b"no module", {}, "not-wasm", "WebAssembly"),
    ],
    ids=["trap", "exit code", "output", "steps", "module"],
)
async def test_a_function_without_an_outcome_is_no_task(
    module: bytes, spec: dict[str, Any], code: str, words: str
) -> None:
    mesh = Mesh()
    loaded = await load_task(post_function(mesh, module, b"hello", **spec), mesh.fetch)
    with pytest.raises(InvalidTask) as seen:
        compute(loaded)
    assert seen.value.code == code
    assert words in seen.value.message


async def test_a_function_is_stopped() -> None:
    mesh, stop = Mesh(), threading.Event()
    loaded = await load_task(post_function(mesh, ECHO, b"hello"), mesh.fetch)
    stop.set()
    with pytest.raises(Stopped):
        compute(loaded, stop=stop)


async def test_the_worker_and_the_checker_compute_the_same() -> None:
    """The reference interpreter of programs agrees with what both compute."""
    mesh, built = Mesh(), make_network()
    loaded = await load_task(post_program(mesh, built), mesh.fetch)
    assert isinstance(loaded, LoadedProgram)
    checked = loaded.checked
    results = programs.Interpreter(checked).run(loaded.inputs)
    expected = tuple(map(programs.encode_value, results, checked.results))
    assert compute(loaded) == compute(loaded, role=Role.CHECKER) == expected
