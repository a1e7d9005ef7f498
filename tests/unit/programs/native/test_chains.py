"""Entries at the ends of machine types and of the language, on every instruction set, against Python's own integers."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from inos.programs import Given, Input, InvalidProgram, Node, Program, Type, check_program
from inos.programs.native.interpreter import NativeInterpreter
from inos.programs.native.library import find_targets
from inos.programs.ops import Add, Clamp, IntDiv, Mul

ENDS = (7, 8, 15, 16, 21, 22, 23, 31, 32, 51, 52, 53, 61, 62)
TARGETS = list(find_targets())

pytestmark = pytest.mark.skipif(not TARGETS, reason="the native interpreter was not compiled here")


def near(end: int, least: int) -> list[int]:
    """Return entries around 2^end, its half and 0, not below `least`, and nowhere outside -2^end .. 2^end."""
    found = {sign * (2**at + more) for at in (0, 1, end - 1, end) for more in (-1, 0, 1) for sign in (-1, 1)}
    return sorted(entry for entry in found | {0} if max(least, -(2**end)) <= entry <= 2**end)


def run(op: Any, a: list[int], b: list[int], expect: Callable[[int, int], int]) -> bool:
    """Compare all pairs of entries; return False if the rules refuse their types."""
    pairs = list(product(a, b)) * 3
    types = [Type(1, len(pairs), min(each), max(each)) for each in (a, b)]
    program = Program(tuple(Input(each, Given()) for each in types), (Node(op, (0, 1)),), (2,))
    try:
        checked = check_program(program)
    except InvalidProgram:
        return False
    entries = [np.array([[pair[n] for pair in pairs]], dtype=types[n].storage) for n in (0, 1)]
    expected = [expect(*pair) for pair in pairs]
    for target in TARGETS:
        (found,) = NativeInterpreter(checked, target=target).run(entries)
        assert found[0].tolist() == expected, (op, target)
    return True


def divide(a: int, b: int) -> int:
    return a // b if a >= 0 else -(-a // b)


@pytest.mark.parametrize("shift", [0, 1, 14, 15, 16, 30, 31, 32, 61, 62])
def test_products_and_shifts(shift: int) -> None:
    half = 1 << shift >> 1
    found = [
        run(Mul(shift), near(first, -(2**62)), near(second, -(2**62)), lambda a, b: (a * b + half) >> shift)
        for first, second in product(ENDS, ENDS)
    ]
    assert any(found)


def test_divisions() -> None:
    for first, second in product(ENDS, ENDS):
        assert run(IntDiv(), near(first, -(2**62)), near(second, 1), divide)


def test_sums() -> None:
    found = [run(Add(), near(a, -(2**62)), near(b, -(2**62)), int.__add__) for a, b in product(ENDS, ENDS)]
    assert sum(found) == sum(2**a + 2**b <= 2**62 for a, b in product(ENDS, ENDS))


@pytest.mark.parametrize("end", ENDS)
def test_bounds(end: int) -> None:
    for lo, hi in ((-(2**62), 2**62), (-(2**15), 2**15 - 1), (2**31, 2**31), (-1, 0), (-(2**62), -(2**62))):
        type_ = Type(1, len(near(end, -(2**62))), -(2**end), 2**end)
        checked = check_program(Program((Input(type_, Given()),), (Node(Clamp(lo, hi), (0,)),), (1,)))
        entries = near(end, -(2**62))
        for target in TARGETS:
            (found,) = NativeInterpreter(checked, target=target).run([np.array([entries], dtype=type_.storage)])
            assert found[0].tolist() == [min(max(entry, lo), hi) for entry in entries]


@pytest.mark.parametrize("other", [(1, 1), (1, 1300), (3, 1), (3, 1300)])
@pytest.mark.parametrize("turned", [False, True])
def test_broadcasts(other: tuple[int, int], turned: bool) -> None:
    rng = np.random.default_rng(1)
    shapes = [shape[::-1] if turned else shape for shape in ((3, 1300), other)]
    types = [Type(*shape, -(2**20), 2**20) for shape in shapes]
    checked = check_program(Program(tuple(Input(t, Given()) for t in types), (Node(Add(), (0, 1)),), (2,)))
    a, b = (rng.integers(t.lo, t.hi, t.shape, dtype=np.int32) for t in types)
    for target in TARGETS:
        assert (NativeInterpreter(checked, target=target).run([a, b])[0] == a + b).all()
