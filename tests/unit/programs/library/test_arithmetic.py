"""Scaling and roots against floats and Python's integers."""

from math import isqrt

import numpy as np
import pytest

from inos.programs.library import divide_rounded, rescale, square_root
from support.built_programs import compute


@pytest.mark.parametrize("reach", [63, 2**20, 2**40, 2**58])
@pytest.mark.parametrize("scale", [1.0, 0.1, 3e-9, -0.37])
def test_rescaling_is_as_exact_as_the_scale_can_be(reach: int, scale: float) -> None:
    x = np.random.default_rng(1).integers(-reach, reach + 1, (8, 8))
    (found,) = compute(lambda v: rescale(v, scale), (x, -reach, reach))
    bits = min(30, 61 - reach.bit_length())
    error = np.abs(found - x * np.float64(scale))
    assert error.max() <= 0.5 + reach * abs(scale) * 2.0 ** (1 - bits) + reach * 2.0**-62


def test_a_scale_for_each_channel_and_bounds() -> None:
    x = np.random.default_rng(2).integers(-(10**6), 10**6, (5, 3))
    scales = np.array([[1e-4, 2e-5, 3e-3]])
    (found,) = compute(lambda v: rescale(v, scales, -63, 63), (x, -(10**6), 10**6))
    assert np.abs(found - np.clip(x * scales, -63, 63)).max() <= 0.51


def test_division_rounds_to_the_nearest() -> None:
    a, b = np.arange(40)[None], np.full((1, 40), 7)
    (found,) = compute(divide_rounded, (a, 0, 100), (b, 1, 9))
    assert found[0].tolist() == [(2 * n + 7) // 14 for n in range(40)]


@pytest.mark.parametrize("top", [1, 3, 100, 2**31, 2**60])
def test_the_square_root_is_exact(top: int) -> None:
    rng = np.random.default_rng(3)
    roots = rng.integers(0, isqrt(top) + 1, 50)
    values = np.concatenate([roots**2, np.maximum(roots**2 - 1, 0), rng.integers(0, top + 1, 50), [0, 1, top]])
    (found,) = compute(square_root, (values[None], 0, top))
    assert found[0].tolist() == [isqrt(int(value)) for value in values]
