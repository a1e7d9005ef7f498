"""Limbs and layers against numpy."""

import numpy as np
import pytest

from inos.programs.library import linear, matmul_limbs, split_limbs
from support.built_programs import compute


def test_two_limbs_hold_fourteen_bits() -> None:
    x = np.arange(-8256, 8128)[None]
    low, high = compute(split_limbs, (x, -8256, 8127))
    assert (low + 128 * high == x).all()
    assert (min(low.min(), high.min()), max(low.max(), high.max())) == (-64, 63)


def test_a_product_of_two_limbs_is_exact() -> None:
    rng = np.random.default_rng(1)
    x, w = rng.integers(-8256, 8128, (6, 70)), rng.integers(-64, 64, (5, 70))
    (found,) = compute(matmul_limbs, (x, -8256, 8127), (w, -64, 63))
    assert (found == x @ w.T).all()


@pytest.mark.parametrize(("levels", "error"), [(63, 0.02), (8000, 0.012)])
@pytest.mark.parametrize("zero", [0, 20])
def test_a_layer_is_close_to_the_float_one(levels: int, error: float, zero: int) -> None:
    """The error is that of weights of 63 levels, relative to the result's size."""
    rng = np.random.default_rng(2)
    weight, bias = rng.normal(0, 1, (32, 256)) / 16, rng.normal(0, 1, 32)
    x = rng.integers(-levels // 3, levels // 3, (50, 256))
    scale = 6 / levels
    (found,) = compute(
        lambda v: linear(v, weight, scale=scale, unit=4096, bias=bias, zero=zero), (x + zero, -levels - 1, levels)
    )
    expected = x * scale @ weight.T + bias
    assert np.abs(found / 4096 - expected).max() <= error * np.abs(expected).max() + 0.01
