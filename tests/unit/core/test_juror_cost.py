"""A juror computes no more than the worker whose outcome it judges: the same operations, and no tickets."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from inos import programs
from inos.core.computation import LoadedProgram, compute_outputs
from inos.functions import Role
from inos.primitives.units import JobId
from inos.programs import BuiltProgram, ProgramBuilder, Value, interpreter, multiply
from inos.programs.mining import MiningProduct
from inos.programs.native.compiler import CALL, HEADER_WORDS, PRODUCT, compile_program
from inos.programs.native.library import find_targets
from inos.work.backends.native.library import find_best

ANCHOR, NONE = bytes(32), 0
JOB = JobId(bytes(32))
LARGE = (320, 320, 128)
"""A product of more multiplications than the native interpreter makes itself."""


def build() -> BuiltProgram:
    """Return a program with a loop of small products, a large product, and operations between them."""
    b, rng = ProgramBuilder(), np.random.default_rng(1)
    m, n, k = LARGE
    x, w = b.input(m, k, -64, 63), b.operand(rng.integers(-64, 64, (n, k), np.int8))
    small = b.operand(rng.integers(-64, 64, (k, k), np.int8))

    def step(carried: list[Value], slices: list[Value]) -> tuple[list[Value], list[Value]]:
        return [b.clamp(b.shift(b.matmul(slices[0], small), 9) + carried[0], -64, 63)], []

    start = b.view(x, 0, [(16, k)], [(k, 1)])
    (last,), _ = b.repeat(m // 16, [(start, -64, 63)], [x], step)
    return b.finish([b.max(b.shift(b.matmul(x, w), 4)), last])


def load(built: BuiltProgram) -> LoadedProgram:
    checked = programs.check_program(built.program)
    given = np.random.default_rng(2).integers(-64, 64, (LARGE[0], LARGE[2]))
    return LoadedProgram(checked, programs.bind_inputs(checked, [given], built.load))


class Counted:
    """A product that counts its multiplications."""

    def __init__(self, product: Any) -> None:
        self._product = product
        self.macs: list[int] = []

    def __call__(self, x: Any, w: Any, blocks: int) -> Any:
        self.macs.append(x.size * len(w) // blocks)
        return self._product(x, w, blocks)


def compute(loaded: LoadedProgram, role: Role, product: Any) -> tuple[bytes, ...]:
    return compute_outputs(JOB, loaded, role=role, stop=threading.Event(), product=product)


def count_operations(
    monkeypatch: pytest.MonkeyPatch, loaded: LoadedProgram, role: Role, product: Any
) -> tuple[Counter[str], int, list[int]]:
    """Run in the reference, and return the executed operations, the entries they made, and the products."""
    operations: Counter[str] = Counter()
    entries, counted, make = 0, Counted(product), interpreter.make_kernel

    def make_counting(op: Any, operands: Sequence[Any], result: Any, product: Any) -> Callable[[list[Any]], Any]:
        kernel = make(op, operands, result, product)

        def run(args: list[Any]) -> Any:
            nonlocal entries
            operations[type(op).__name__] += 1
            made = kernel(args)
            entries += made.size
            return made

        return run

    with monkeypatch.context() as patch:
        patch.setattr("inos.programs.engines.find_targets", dict)
        patch.setattr(interpreter, "make_kernel", make_counting)
        compute(loaded, role, counted)
    return operations, entries, counted.macs


def test_a_juror_executes_the_operations_of_the_worker_and_draws_no_ticket(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(build())
    mining = MiningProduct(ANCHOR, NONE, loaded.inputs)
    worker = count_operations(monkeypatch, loaded, Role.WORKER, mining)
    juror = count_operations(monkeypatch, loaded, Role.CHECKER, multiply)
    assert juror == worker
    operations, _, macs = juror
    assert operations["MatmulT"] == len(macs) == LARGE[0] // 16 + 1
    assert sum(macs) == loaded.checked.cost.macs
    assert mining.tickets == loaded.checked.cost.tickets > 0


def list_steps(loaded: LoadedProgram, *, is_worker: bool) -> list[tuple[int, ...]]:
    """Return the steps of all plans: kind, and the words that belong to it. Products are of one kind for both."""
    code = compile_program(loaded.checked, is_worker).code
    steps, at = [], 1
    while at < len(code):
        values, _, outputs, count = code[at : at + 4]
        at += 4 + 3 * values + outputs
        for _ in range(count):
            kind, words, _, _, operands, dead = code[at : at + HEADER_WORDS]
            details = tuple(code[at + HEADER_WORDS + operands + dead : at + words])
            steps.append((CALL,) if kind in (CALL, PRODUCT) else (kind, *details))
            at += words
    return steps


def test_the_native_interpreter_compiles_the_same_steps_for_both() -> None:
    loaded = load(build())
    assert list_steps(loaded, is_worker=False) == list_steps(loaded, is_worker=True)


@pytest.mark.skipif(not find_targets() or find_best() is None, reason="nothing was compiled")
def test_products_of_a_juror_are_not_made_by_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    """BLAS turns int8 into floats first: small products took ten times as long as the worker's, large ones four."""
    loaded = load(build())
    mining = MiningProduct(ANCHOR, NONE, loaded.inputs)
    expected = compute(loaded, Role.WORKER, mining)
    kernels: list[str] = []
    bare = programs.native.interpreter.multiply_bare
    monkeypatch.setattr(
        "inos.programs.native.interpreter.multiply_bare", lambda x, w: kernels.append("large") or bare(x, w)
    )
    monkeypatch.setattr("inos.programs.products._multiply_tile", None)
    assert compute(loaded, Role.CHECKER, multiply) == expected
    assert kernels == ["large"]
