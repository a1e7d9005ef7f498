"""Tasks over a mesh in memory: a small program, small functions, and what is posted for them."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos import functions, programs
from inos.agents.task_check import TaskCheck
from inos.consensus.records import TaskWork
from inos.mesh.errors import MeshError
from inos.primitives.errors import MatrixMissing
from inos.primitives.transactions import TaskKind, Verdict
from inos.primitives.units import JobId, MatrixId
from inos.programs import BuiltProgram, ProgramBuilder
from inos.work import matrix_id
from inos.work.files import compute_file_id
from support.functions import build, make_spec

ECHO: Final = build(
    """
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 1024))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    """
)
"""A command that writes what it reads."""
TRAP: Final = build("unreachable")
EXIT_3: Final = build("(call $proc_exit (i32.const 3))")
JOB: Final = bytes(range(32))
RNG: Final = np.random.default_rng(5)
X: Final = RNG.integers(-64, 64, (5, 40), np.int8)
W: Final = RNG.integers(-64, 64, (20, 40), np.int8)


class Mesh:
    """Holds matrices and files by their mesh ids; `fetch` is an inos.core.computation.Fetch."""

    def __init__(self) -> None:
        self.held: dict[bytes, NDArray[Any]] = {}
        self.asked: list[bytes] = []

    def put(self, content: bytes | NDArray[Any]) -> MatrixId:
        """Hold the bytes of a file, or a matrix; return its id."""
        if isinstance(content, bytes):
            id_ = compute_file_id(content)
            self.held[id_] = np.frombuffer(content, np.uint8)
        else:
            id_ = matrix_id(content)
            self.held[id_] = content
        return MatrixId(id_)

    async def fetch(self, id: MatrixId, most: int) -> NDArray[np.generic]:
        self.asked.append(id)
        found = self.held.get(id)
        if found is None:
            raise MatrixMissing((id,))
        if found.nbytes > most:
            raise MeshError("matrix-too-large", f"{found.nbytes} bytes are more than {most}")
        return found


async def judge_outcome(
    mesh: Mesh, task: TaskWork, is_wanted: Callable[[], bool] = lambda: False, job: bytes = JOB
) -> Verdict:
    """Return a juror's verdict on a delivered task, with the files of `mesh`. It raises as `TaskCheck.judge` does."""

    async def fetch(id: MatrixId, timeout_s: float, max_bytes: int) -> NDArray[np.generic]:
        return await mesh.fetch(id, max_bytes)

    core: Any = SimpleNamespace(matrices=SimpleNamespace(fetch=fetch))
    return await TaskCheck(core, None).judge(JobId(job), task, is_wanted)


def make_network(scale: int = 1) -> BuiltProgram:
    """Return a program of two results: a product with a stored operand, and the same with a stored table applied."""
    builder = ProgramBuilder()
    x = builder.input(*X.shape, -64, 63, name="x")
    y = builder.matmul(x, builder.operand(W))
    small = builder.clamp(builder.mul(y, scale, shift=12), -32, 31)
    squared = builder.table(small, (np.arange(-32, 32) ** 2 * 300)[None], -32)
    return builder.finish([y, squared])


def post_program(mesh: Mesh, built: BuiltProgram, inputs: Sequence[NDArray[Any]] = (X,), **changes: Any) -> TaskWork:
    """Put a program with its matrices and inputs into the mesh, and return the task of it."""
    checked = programs.check_program(built.program)
    for matrix in built.matrices.values():
        mesh.put(matrix)
    given = [mesh.put(programs.encode_value(array, type_)) for array, type_ in zip(inputs, checked.given, strict=False)]
    values: dict[str, Any] = {
        "kind": TaskKind.PROGRAM,
        "spec": mesh.put(programs.encode_program(built.program)),
        "inputs": tuple(given),
        "tickets": checked.cost.tickets,
        "units": checked.cost.units,
    }
    return TaskWork(**(values | changes))


def post_function(mesh: Mesh, module: bytes, stdin: bytes = b"", names: bytes | None = None, **spec: Any) -> TaskWork:
    """Put a function with its input into the mesh, and return the task of it.

    Args:
        names: the id that the spec names in place of the module's.
    """
    made = make_spec(module, **spec if names is None else spec | {"module": names})
    mesh.put(module)
    units = functions.compute_units(made, len(module), len(stdin))
    inputs = (mesh.put(stdin),) if stdin else ()
    return TaskWork(TaskKind.FUNCTION, mesh.put(functions.encode_spec(made)), inputs, 0, units)
