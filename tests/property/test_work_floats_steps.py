"""The compiled steps of a product by residues against plain numpy, and both against exact integers."""

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from inos.work.backends.native.library import find_kernels
from inos.work.floats.moduli import LARGEST_RESIDUE, MODULI, find_basis, make_basis
from inos.work.floats.native import NativeSteps
from inos.work.floats.reference import NumpySteps, Steps

ALL_STEPS: list[Steps] = [NumpySteps(), *(NativeSteps(kernel) for kernel in find_kernels().values())]
NAMES = ["numpy", *find_kernels()]
every_kernel = pytest.mark.parametrize("steps", ALL_STEPS, ids=NAMES)
some = {"seed": st.integers(0, 2**32), "rows": st.integers(1, 40), "cols": st.integers(1, 600)}


def make(seed: int, rows: int, cols: int) -> Any:
    """Return rows of very different sizes, some of them zero, as float32 or float64 and by rows or by columns."""
    rng = np.random.default_rng(seed)
    array = rng.standard_normal((rows, cols)) * 10.0 ** rng.uniform(-30, 30, (rows, 1)) * (rng.random((rows, 1)) < 0.9)
    array[rng.random(array.shape) < 0.1] = 0
    array = array.astype(np.float32) if seed % 2 else array
    return np.asfortranarray(array) if seed % 3 else array


@pytest.mark.parametrize("count", range(1, len(MODULI) + 1))
def test_a_basis_is_coprime_and_its_sums_are_exact(count: int) -> None:
    basis = make_basis(count)
    assert all(math.gcd(p, q) == 1 for p in basis.moduli for q in basis.moduli if p != q)
    limbs = [[int(limb) for limb in row] for row in (*basis.weights, basis.product_limbs)]
    whole = [sum(limb << 42 * place for place, limb in enumerate(row)) for row in limbs]
    assert whole[-1] == basis.product == math.prod(basis.moduli)
    for modulus, weight in zip(basis.moduli, whole, strict=False):
        assert [weight % other for other in basis.moduli] == [int(other == modulus) for other in basis.moduli]
    assert max(abs(limb) for row in limbs[:-1] for limb in row) * LARGEST_RESIDUE * count < 2**53
    assert find_basis(basis.product / 2 * 0.999) == basis
    assert find_basis(2.0**200) is None


@every_kernel
@given(**some)
@settings(max_examples=30, deadline=None)
def test_rows_are_measured(steps: Steps, seed: int, rows: int, cols: int) -> None:
    array = make(seed, rows, cols)
    found, expected = steps.measure(array), NumpySteps().measure(array)
    assert np.array_equal(found.most, expected.most)
    assert np.array_equal(found.lowest, expected.lowest)
    assert np.array_equal(found.leading, expected.leading)
    assert np.allclose(found.total, expected.total, rtol=1e-12, atol=0)
    assert np.allclose(found.squares, expected.squares, rtol=1e-12, atol=0)
    assert found.leading.max(initial=0) <= 63


@every_kernel
@given(digits=st.integers(1, 4), **some)
@settings(max_examples=30, deadline=None)
def test_residues_are_those_of_the_rounded_numbers(steps: Steps, seed: int, rows: int, cols: int, digits: int) -> None:
    array = make(seed, rows, cols)
    _, exponents = np.frexp(np.abs(array).max(axis=1).astype(np.float64))
    shifts = np.where(exponents == 0, 0, 16 * digits - 2 - exponents).astype(np.int32)
    residues = np.empty((len(MODULI), rows + 1, cols), np.int8)[:, :rows]
    steps.split(array, shifts, digits, MODULI, residues)
    scaled = np.ldexp(array.astype(np.float64), shifts[:, None])
    assert residues.min() >= -64
    assert residues.max() <= 63
    down = np.floor(scaled).astype(np.int64)
    for modulus, residue in zip(MODULI, residues, strict=True):
        above = (residue.astype(np.int64) - down) % modulus  # 0 or 1, whichever is nearer
        assert (np.abs(scaled - down - above) <= 0.5).all()


@every_kernel
@given(count=st.integers(1, len(MODULI)), **some)
@settings(max_examples=30, deadline=None)
def test_numbers_come_back_from_their_residues(steps: Steps, seed: int, rows: int, cols: int, count: int) -> None:
    rng, basis = np.random.default_rng(seed), make_basis(count)
    most = int(basis.product * (0.5 - 2.0**-20))
    numbers = [[rng.integers(0, 2**62).item() ** 3 % (2 * most + 1) - most for _ in range(cols)] for _ in range(rows)]
    numbers[0][0], numbers[-1][-1] = most, -most
    if cols > 2:
        numbers[0][1] = rng.integers(-1, 2).item()
    residues = np.zeros((count, rows + 1, cols), np.int8)[:, :rows]
    for modulus, residue in zip(basis.moduli, residues, strict=True):
        product = np.array([[number % modulus for number in row] for row in numbers], np.int32)
        steps.reduce(
            product + modulus * rng.integers(-1000, 1000, product.shape, np.int32), modulus, residue, adds=False
        )
        steps.reduce(product * 0, modulus, residue, adds=True)
    assert abs(residues.astype(int)).max() <= LARGEST_RESIDUE
    row_scales, col_scales = 2.0 ** rng.integers(-300, 300, rows), 2.0 ** rng.integers(-300, 300, cols)
    found = np.empty((rows, cols + 3))[:, :cols]
    steps.join(residues, basis, row_scales, col_scales, found)
    exact = np.array([[float(number) for number in row] for row in numbers])
    plain = found / row_scales[:, None] / col_scales
    assert (np.abs(plain - exact) <= np.spacing(np.abs(exact)) * 0.501).all()
    single = np.empty((rows, cols), np.float32)
    steps.join(residues, basis, np.ones(rows), np.ones(cols), single)
    with np.errstate(over="ignore"):
        assert np.array_equal(single, plain.astype(np.float32))


@every_kernel
@given(**some)
@settings(max_examples=20, deadline=None)
def test_the_least_of_rows_and_columns(steps: Steps, seed: int, rows: int, cols: int) -> None:
    rng = np.random.default_rng(seed)
    product = rng.integers(0, 2**24, (rows, cols), np.int32)
    sides = [
        (rng.random(n, np.float32), np.where(rng.random(n) < 0.1, np.float32(1e38), np.float32(0)))
        for n in product.shape
    ]
    found, expected = (each.find_least(product, *sides) for each in (steps, NumpySteps()))
    for left, right in zip(found, expected, strict=True):
        assert np.allclose(left, right, rtol=1e-6, atol=0)


@every_kernel
def test_the_deepest_product_is_reduced_within_bounds(steps: Steps) -> None:
    for modulus in MODULI:
        most = (modulus // 2) ** 2 * 65_536
        product = np.linspace(-most, most, 100_001).astype(np.int32)[None, :]
        out = np.empty(product.shape, np.int8)
        steps.reduce(product, modulus, out, adds=False)
        assert (((product - out) % modulus) == 0).all()
        assert abs(out.astype(int)).max() <= LARGEST_RESIDUE
