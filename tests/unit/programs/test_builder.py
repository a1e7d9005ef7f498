"""The builder: what it writes, where it places nodes, and what it refuses at once."""

import numpy as np
import pytest

from inos.programs import (
    Inline,
    InvalidProgram,
    ProgramBuilder,
    Repeat,
    Stored,
    Value,
    check_program,
    decode_program,
    encode_program,
    run_program,
)
from inos.programs.ops import Add, Mul
from support.built_programs import compute


def test_a_small_network_is_what_numpy_computes() -> None:
    rng = np.random.default_rng(1)
    w, x = rng.integers(-64, 64, (5, 40)), rng.integers(-64, 64, (3, 40))
    b = ProgramBuilder()
    y = b.clamp(b.shift(b.matmul(b.input(3, 40, -64, 63, name="pixels"), b.operand(w)), 7), 0, 63)
    built = b.finish([y, b.max(y), b.sum(y, axis=0)])
    assert built.names == ("pixels",)
    assert decode_program(encode_program(built.program)) == built.program
    expected = np.clip((x @ w.T + 64) >> 7, 0, 63)
    found = run_program(check_program(built.program), [x], built.load)
    assert [each.tolist() for each in found] == [
        expected.tolist(),
        expected.max(axis=1, keepdims=True).tolist(),
        expected.sum(axis=0, keepdims=True).tolist(),
    ]


def test_values_take_integers_and_arrays_on_both_sides() -> None:
    row = np.array([[10, 20]])
    (found,) = compute(lambda x: 3 - (2 * x + row - 1) * x, ([[1, 2]], 0, 9))
    assert found.tolist() == [[3 - (2 + 10 - 1) * 1, 3 - (4 + 20 - 1) * 2]]
    (found,) = compute(lambda x: row + -x, ([[1, 2]], 0, 9))
    assert found.tolist() == [[9, 18]]


def test_small_constants_are_inline_and_large_ones_in_the_mesh() -> None:
    b = ProgramBuilder()
    values = [b.constant(np.arange(64)), b.constant(np.arange(65)), b.operand(np.eye(4, dtype=int)), b.constant(7)]
    assert b.constant(np.arange(64)) is values[0]
    built = b.finish(values)
    kinds = [type(each.source) for each in built.program.inputs]
    assert kinds == [Inline, Stored, Stored, Inline]
    assert [bytes, np.ndarray] == [type(each) for each in built.matrices.values()]
    found = run_program(check_program(built.program), [], built.load)
    assert found[1].tolist() == [list(range(65))]
    assert found[2].tolist() == np.eye(4).tolist()


def test_a_loop_takes_values_from_outside_and_runs_once_what_does_not_depend_on_it() -> None:
    def write(x: Value, w: Value) -> list[Value]:
        b = x.builder

        def step(carried: list[Value], slices: list[Value]) -> tuple[list[Value], list[Value]]:
            squared = w * w  # depends on nothing inside
            after = b.clamp(carried[0] + slices[0] * squared + 5, -1000, 1000)
            return [after], [b.max(after)]

        (last,), (tops,) = b.repeat(3, [(x, -1000, 1000)], [b.constant(np.arange(6).reshape(6, 1))], step)
        return [last, tops]

    x, w = np.array([[1, -2], [3, 4]]), np.array([[2, 3]])
    found = compute(write, (x, -9, 9), (w, -9, 9))
    state, tops = x, []
    for i in range(3):
        state = np.clip(state + np.array([[2 * i], [2 * i + 1]]) * (w * w) + 5, -1000, 1000)
        tops += state.max(axis=1).tolist()
    assert [each.tolist() for each in found] == [state.tolist(), [[top] for top in tops]]

    b = ProgramBuilder()
    built = b.finish(write(b.input(2, 2, -9, 9), b.input(1, 2, -9, 9)))
    assert isinstance(built.program.nodes[0].op, Mul)
    loop = built.program.nodes[1].op
    assert isinstance(loop, Repeat)
    assert [type(node.op) for node in loop.body.nodes].count(Mul) == 1
    assert [type(node.op) for node in loop.body.nodes].count(Add) == 2


def test_loops_inside_loops_reach_all_values_around() -> None:
    def write(x: Value) -> Value:
        b = x.builder

        def outer(carried: list[Value], slices: list[Value]) -> tuple[list[Value], list[Value]]:
            def inner(state: list[Value], parts: list[Value]) -> tuple[list[Value], list[Value]]:
                return [b.clamp(state[0] + x + carried[0] + parts[0] * slices[0] + 1000, -5000, 5000)], []

            (total,), _ = b.repeat(2, [(carried[0], -5000, 5000)], [b.constant([[1], [2]])], inner)
            return [total], []

        (total,), _ = b.repeat(3, [(x, -5000, 5000)], [b.constant([[4], [5], [6]])], outer)
        return total

    state = 7
    for i in (4, 5, 6):
        before, again = state, state
        for j in (1, 2):
            again = max(-5000, min(5000, again + 7 + before + j * i + 1000))
        state = again
    assert compute(write, ([[7]], 0, 9))[0].tolist() == [[state]]


def test_mistakes_are_refused_where_they_are_made() -> None:
    b = ProgramBuilder()
    x = b.input(4, 4, -64, 63)
    kept: list[Value] = []

    def keep(carried: list[Value], _: list[Value]) -> tuple[list[Value], list[Value]]:
        kept.append(carried[0])
        return carried, []

    b.repeat(2, [(x, -64, 63)], [], keep)
    for code, write in (
        ("not-int7", lambda: b.matmul(x * 2, x)),
        ("not-int7", lambda: b.operand([[200]])),
        ("bad-divisor", lambda: b.intdiv(x, x)),
        ("input-dtype", lambda: x * 0.5),
        ("input-dtype", lambda: b.constant([[1.5]])),
        ("out-of-range", lambda: b.constant(np.array([2**64 - 1], dtype=np.uint64))),
        ("bad-attribute", lambda: b.sum(x, axis=2)),
        ("bad-loop", lambda: b.repeat(2, [(x, -64, 63)], [], lambda carried, _: ([carried[0] + 1], []))),
        ("shape-conflict", lambda: b.repeat(3, [], [x], lambda _, slices: ([], slices))),
        ("bad-reference", lambda: b.clamp(kept[0], 0, 1)),
        ("bad-outputs", lambda: b.finish([])),
    ):
        with pytest.raises(InvalidProgram) as caught:
            write()
        assert caught.value.code == code, caught.value
