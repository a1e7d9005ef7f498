"""The interpreter: what its caller can replace, what it refuses, and how much memory it takes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.primitives.matrices import DType
from inos.programs import (
    Interpreter,
    InvalidInput,
    Repeat,
    Stored,
    Type,
    bind_inputs,
    check_program,
    multiply,
    run_program,
)
from inos.programs.native.library import find_targets
from inos.programs.ops import Add, Concat, Gather, IntDiv, MatmulT, Mul, Random, ReduceMax, ReduceSum, Table, View
from support.program_parts import INT7, make, one, source

ID = bytes(range(32))
ENGINES = ("numpy", "native") if find_targets() else ("numpy",)


def test_products_are_made_by_the_callers_function() -> None:
    made: list[tuple[Any, Any, int]] = []

    def product(x: Any, w: Any, blocks: int) -> Any:
        made.append((x.dtype, w.shape, blocks))
        return multiply(x, w, blocks)

    body = make([INT7, INT7], (MatmulT(2), (0, 1)), outputs=(2,))
    checked = check_program(make([INT7, INT7], (Repeat(3, body, 0, 0), (0, 1)), outputs=(2,)))
    x = np.arange(-8, 8).reshape(4, 4)
    (found,) = run_program(checked, [x, x], product=product)
    assert made == [(np.int8, (4, 4), 2)] * 3
    block = np.concatenate([x[:2] @ x[:2].T, x[2:] @ x[2:].T])
    assert found.tolist() == np.tile(block, (3, 1)).tolist()


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (3, 5, 7, 2), (2, 2, 5000, 3), (1100, 1030, 2100, 1), (40, 50, 300, 64)]
)
def test_the_product_is_exact(shape: tuple[int, int, int, int]) -> None:
    m, n, k, blocks = shape
    rng = np.random.default_rng(1)
    x = rng.choice(np.array([-64, 63], dtype=np.int8), (m * blocks, k))
    w = rng.integers(-64, 64, (n * blocks, k), dtype=np.int8)
    found = multiply(x, w, blocks).reshape(blocks, m, n)
    assert found.dtype == np.int32
    for b in range(blocks):
        left, right = x[b * m : (b + 1) * m].astype(np.float64), w[b * n : (b + 1) * n].astype(np.float64)
        assert (found[b] == left @ right.T).all()


def test_an_interpreter_runs_many_times() -> None:
    checked = check_program(one(Add(), INT7, INT7))
    interpreter = Interpreter(checked)
    for value in (1, 2):
        inputs = bind_inputs(checked, [np.full((4, 4), value)] * 2)
        assert interpreter.run(inputs)[0].tolist() == [[2 * value] * 4] * 4


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([], "input-count"),
        ([np.zeros((4, 4), int)] * 2, "input-count"),
        ([np.zeros((4, 3), int)], "input-shape"),
        ([np.zeros(16, int)], "input-shape"),
        ([5], "input-shape"),
        ([np.zeros((4, 4))], "input-dtype"),
        ([np.zeros((4, 4), bool)], "input-dtype"),
        ([np.zeros((4, 4), object)], "input-dtype"),
        ([np.full((4, 4), 64)], "input-range"),
        ([np.full((4, 4), 2**64 - 1, dtype=np.uint64)], "input-range"),
        ([np.full((4, 4), 192, dtype=np.uint8)], "input-range"),
        ([bytes(15)], "input-length"),
        ([b"\x40" * 16], "input-range"),
    ],
)
def test_inputs_that_are_not_of_their_type_are_refused(given: list[Any], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        run_program(check_program(make([INT7])), given)
    assert caught.value.code == code


def test_stored_matrices_are_loaded_by_their_id() -> None:
    checked = check_program(source(INT7, Stored(ID, DType.INT7)))
    matrix = np.arange(16, dtype=np.int8).reshape(4, 4)
    assert run_program(checked, [], lambda stored: {ID: matrix}[stored.id])[0].tolist() == matrix.tolist()
    with pytest.raises(InvalidInput, match="dtype 1"):
        run_program(checked, [], lambda stored: matrix.tobytes())
    with pytest.raises(InvalidInput, match=ID.hex()):
        run_program(checked, [])
    wide = check_program(source(Type(1, 2, 0, 300), Stored(ID, DType.BYTES)))
    assert run_program(wide, [], lambda stored: b"\x01\x00\x00\x00\x2c\x01\x00\x00")[0].tolist() == [[1, 300]]


MEASURE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from inos.programs import bind_inputs, check_program, prepare_program
from unit.programs.test_interpreter import LARGE
checked = check_program(LARGE[sys.argv[2]]())
inputs = bind_inputs(checked, [np.ones(each.shape, dtype=each.storage) for each in checked.given])
small = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
held = sum(each.nbytes for each in inputs)
results = prepare_program(checked, engine=sys.argv[3]).run(inputs)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - small) * 1024 + held, checked.cost.peak_bytes)
"""


def make_elementwise() -> Any:
    wide = Type(2**12, 2**12, 1, 100)
    return make([wide], (Mul(3), (0, 0)), (IntDiv(), (1, 0)), (Add(), (1, 2)), (Mul(0), (3, 3)), outputs=(4,))


def make_product() -> Any:
    side = Type(2**12, 2**12, -64, 63)
    return make([side, side], (MatmulT(1), (0, 1)), (ReduceSum(0), (2,)), outputs=(3,))


def make_thin_product() -> Any:
    """The product is int32 and its type int8."""
    side = Type(2**13, 1, 0, 11)
    return make([side, side], (MatmulT(1), (0, 1)), outputs=(2,))


def make_loop() -> Any:
    wide, narrow = Type(2**20, 8, -(2**40), 2**40), Type(2**20, 8, 0, 100)
    body = make([wide, narrow], (Concat(0), (0, 1)), (ReduceSum(1), (2,)), outputs=(0, 1, 3))
    return make([narrow, narrow], (Repeat(4, body, 1, 0), (0, 1)), outputs=(2, 3, 4))


def make_lookups() -> Any:
    """Indices of eight bytes an entry would be eight times the results."""
    index, table, column = Type(2**12, 2**12, 0, 99), Type(1, 100, -5, 5), Type(100, 2, 0, 9)
    flat = View(0, ((2**24, 1),), ((1, 0),))
    return make([index, table, column], (Table(0), (0, 1)), (flat, (0,)), (Gather(), (2, 4)), outputs=(3, 5))


def make_draws() -> Any:
    """A stream of one byte an entry, reduced over rows and columns in a wider type."""
    key = Type(1, 1, 0, 2**40)
    draw = Random(2**12, 2**13, 8)
    return make([key], (draw, (0,)), (ReduceSum(0), (1,)), (ReduceMax(1), (1,)), (Concat(1), (1, 1)), outputs=(2, 3, 4))


LARGE = {
    "elementwise": make_elementwise,
    "product": make_product,
    "thin": make_thin_product,
    "loop": make_loop,
    "lookups": make_lookups,
    "draws": make_draws,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", LARGE)
def test_resident_memory_stays_below_what_is_declared(name: str, engine: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(Path(__file__).parents[2]), name, engine],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    used, declared = map(int, done.stdout.split())
    assert used <= declared + 64 * 2**20, f"{used / 2**20:.0f} MiB used, {declared / 2**20:.0f} declared"
