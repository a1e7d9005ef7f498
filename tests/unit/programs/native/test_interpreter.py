"""The native interpreter: products that fail or lie, what is held while a program runs, and which engine is chosen."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.programs import (
    Given,
    Input,
    Interpreter,
    Node,
    Program,
    Repeat,
    Type,
    check_program,
    engines,
    prepare_program,
    run_program,
)
from inos.programs.native.interpreter import NativeInterpreter
from inos.programs.native.library import find_targets
from inos.programs.ops import Add, Clamp, MatmulT, Mul, Table

pytestmark = pytest.mark.skipif(not find_targets(), reason="the native interpreter was not compiled here")

LOOK_UP = Program(
    (Input(Type(2, 1, 0, 1), Given()), Input(Type(2, 1, 0, 1), Given()), Input(Type(1, 2, -9, 9), Given())),
    (Node(MatmulT(1), (0, 1)), Node(Table(0), (3, 2))),
    (4,),
)
ONES = np.ones((2, 1), dtype=np.int8)


def test_operands_that_are_inputs_stay_the_same_objects() -> None:
    x, w = np.ones((2, 3), dtype=np.int8), np.ones((4, 3), dtype=np.int8)
    body = Program(
        (Input(Type(2, 4, -(2**20), 2**20), Given()), *[Input(Type(n, 3, 0, 1), Given()) for n in (2, 4)]),
        (Node(MatmulT(1), (1, 2)), Node(Add(), (0, 3)), Node(Clamp(-(2**20), 2**20), (4,))),
        (5,),
    )
    inputs = (Input(Type(2, 4, 0, 0), Given()), *[Input(Type(n, 3, 0, 1), Given()) for n in (2, 4)])
    checked = check_program(Program(inputs, (Node(Repeat(5, body, 1, 0), (0, 1, 2)),), (3,)))
    seen = []

    def product(a: Any, b: Any, blocks: int) -> Any:
        seen.append((a, b, blocks))
        return a.astype(np.int32) @ b.T

    (found,) = NativeInterpreter(checked, product).run([np.zeros((2, 4), dtype=np.int8), x, w])
    assert found.tolist() == [[15] * 4] * 2
    assert len(seen) == 5
    assert all(a is x and b is w and blocks == 1 for a, b, blocks in seen)


def test_an_error_of_the_product_ends_the_run() -> None:
    def fail(x: Any, w: Any, blocks: int) -> Any:
        raise KeyboardInterrupt("stopped")

    with pytest.raises(KeyboardInterrupt, match="stopped"):
        run_program(check_program(LOOK_UP), [ONES, ONES, np.array([[1, 2]])], product=fail, engine="native")


@pytest.mark.parametrize("entry", [2, -1, 127, -128])
def test_a_product_outside_its_type_reads_nothing_outside_the_table(entry: int) -> None:
    with pytest.raises(IndexError, match="outside their type"):
        run_program(
            check_program(LOOK_UP),
            [ONES, ONES, np.array([[1, 2]])],
            product=lambda x, w, blocks: np.full((2, 2), entry, dtype=np.int32),
            engine="native",
        )


def test_a_product_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        run_program(
            check_program(LOOK_UP),
            [ONES, ONES, np.array([[1, 2]])],
            product=lambda x, w, blocks: np.ones((1, 2), dtype=np.int32),
            engine="native",
        )


def test_it_is_chosen_where_it_was_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check_program(LOOK_UP)
    assert isinstance(prepare_program(checked), NativeInterpreter)
    assert isinstance(prepare_program(checked, engine="numpy"), Interpreter)
    monkeypatch.setattr(engines, "find_targets", dict)
    assert isinstance(prepare_program(checked), Interpreter)


class Interrupted(Exception):
    pass


def test_a_handler_of_a_signal_ends_a_long_run() -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    one = Input(Type(1, 1, -9, 9), Given())
    body = Program((one,), (Node(Mul(0), (0, 0)), Node(Clamp(-9, 9), (1,))), (2,))
    outer = Program((one,), (Node(Repeat(2**18, body, 1, 0), (0,)),), (1,))
    checked = check_program(Program((one,), (Node(Repeat(2**18, outer, 1, 0), (0,)),), (1,)))
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(Interrupted):  # it would run for hours
            run_program(checked, [np.ones((1, 1), dtype=np.int8)], engine="native")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


MEASURE = r"""
import re
from pathlib import Path
import numpy as np
from inos.programs import *
from inos.programs.ops import *
from inos.programs.native.interpreter import NativeInterpreter

def measure():
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

def wide(lo, hi):
    return Type(1024, 4096, lo, hi)

one, long = Input(Type(1, 1, 1, 3), Given()), wide(-(2**40), 2**40)
body = Program((Input(long, Given()), one), (Node(Mul(0), (0, 1)), Node(Clamp(-(2**40), 2**40), (2,))), (3,))
program = Program(
    (one, Input(long, Given())),
    (
        Node(Mul(1), (1, 0)),
        Node(Clamp(-(2**40), 2**40), (2,)),
        Node(Mul(0), (3, 0)),
        Node(Clamp(-100, 100), (4,)),  # computed with its reader, its operand would wait for the loop
        Node(Repeat(5, body, 1, 0), (3, 0)),
        Node(Add(), (6, 5)),
        Node(ReduceSum(1), (7,)),
    ),
    (8,),
)
given = [np.ones((1, 1), dtype=np.int8), np.ones((1024, 4096), dtype=np.int64)]
if BLOCKS:
    x, w = Type(8192, 256, -64, 63), Type(8192 * BLOCKS, 256, -64, 63)
    program = Program((Input(x, Given()), Input(w, Given())), (Node(MatmulT(BLOCKS), (0, 1)),), (2,))
    given = [np.ones(each.shape, dtype=np.int8) for each in (x, w)]
checked = check_program(program)
inputs = bind_inputs(checked, given)
interpreter = NativeInterpreter(checked)
before = measure()
interpreter.run(inputs)
print(measure() - before + sum(each.nbytes for each in inputs), checked.cost.peak_bytes)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("blocks", [0, 1, 4], ids=["loop", "product", "blocks"])
def test_memory_stays_below_the_declared_peak_and_64_mib(blocks: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"BLOCKS = {blocks}\n{MEASURE}"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    used, declared = map(int, done.stdout.split())
    assert declared > 4 * 32 * 2**20
    assert declared - 64 * 2**20 < used <= declared + 64 * 2**20
