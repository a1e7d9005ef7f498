"""Operands keep seven or fourteen bits of whatever magnitude a matrix has, and products come back in fixed point."""

import numpy as np
import pytest

from inos.learn.operands import FOURTEEN, SEVEN, find_top, make_exact, multiply, quantise
from inos.programs import ProgramBuilder, check_program, run_program


def product(x: np.ndarray, w: np.ndarray, levels: int, bits: int, most: int, factor: float = 1.0) -> np.ndarray:
    b = ProgramBuilder()
    left = b.input(*x.shape, -(1 << 24), 1 << 24)
    right = b.input(*w.shape, -(1 << 21), 1 << 21)
    y = multiply(quantise(left, 20, levels), quantise(right, 18, SEVEN), bits, most, factor=factor)
    built = b.finish([y])
    return run_program(check_program(built.program), [x, w], built.load)[0]


@pytest.mark.parametrize("peak", [3.0, 0.1, 1e-3])
@pytest.mark.parametrize(("levels", "error"), [(SEVEN, 0.02), (FOURTEEN, 0.012)])
def test_products_are_right_at_any_magnitude(peak: float, levels: int, error: float) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.uniform(-peak, peak, (40, 128)), rng.uniform(-0.2, 0.2, (24, 128))
    given = [np.round(x * 2.0**20).astype(np.int64), np.round(w * 2.0**18).astype(np.int64)]
    found = product(*given, levels, 20, 1 << 24) / 2.0**20
    wanted = x @ w.T
    assert np.sqrt(np.mean((found - wanted) ** 2)) < error * np.sqrt(np.mean(wanted**2))


def test_a_factor_divides_and_results_are_clamped() -> None:
    x, w = np.full((2, 8), 1 << 20), np.full((3, 8), 1 << 18)
    mean = product(x, w, FOURTEEN, 28, (1 << 30) - 1, factor=1 / 8)
    assert np.abs(mean / 2.0**28 - 1).max() < 1e-3
    assert (product(x, w, FOURTEEN, 28, (1 << 30) - 1) == (1 << 30) - 1).all(), "8.0 does not fit"


def test_a_matrix_of_zeros_is_an_operand() -> None:
    zeros = np.zeros((4, 16), np.int64)
    assert not product(zeros, np.ones((2, 16), np.int64), SEVEN, 20, 1 << 24).any()


def test_integers_are_exact_operands() -> None:
    b = ProgramBuilder()
    chosen, rows = b.input(3, 5, 0, 1), b.input(2, 5, -(1 << 20), 1 << 20)
    built = b.finish([multiply(make_exact(chosen), quantise(rows, 20, FOURTEEN), 20, 1 << 24), find_top(rows)])
    index = np.array([4, 0, 2])
    given = np.arange(10).reshape(2, 5) * 4000 - 20_000
    found, top = run_program(check_program(built.program), [np.eye(5, dtype=int)[index], given], built.load)
    assert np.abs(found - given.T[index]).max() <= 4
    assert top[0, 0] == np.abs(given).max()
