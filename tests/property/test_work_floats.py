"""Products of wider numbers compared with exact rational arithmetic and with numpy's own product."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from inos.work.floats import Pair, Use, multiply_floats, multiply_integers
from inos.work.floats.residues import multiply_residues
from inos.work.floats.slices import Split
from inos.work.limbs import multiply_int7

U32, U64 = 2.0**-24, 2.0**-53


def engine(pairs: Iterable[Pair], use: Use | None = None, /) -> Iterator[NDArray[np.int32]]:
    """Return a multiplication that accepts only what the certified engine accepts."""
    for number, (x, w) in enumerate(pairs):
        assert x.dtype == w.dtype == np.int8
        assert x.shape[1] == w.shape[1] <= 65_536
        assert min(x.min(), w.min()) >= -64
        assert max(x.max(), w.max()) <= 63
        product = multiply_int7(x, w)
        if use is not None:
            use(number, product)
        yield product


def multiply_exact(a: NDArray[Any], b: NDArray[Any]) -> list[list[Fraction]]:
    rows = [[Fraction(float(v)) for v in row] for row in a]
    cols = [[Fraction(float(v)) for v in row] for row in b]
    return [[sum((x * y for x, y in zip(r, c, strict=True)), Fraction(0)) for c in cols] for r in rows]


def measure(found: NDArray[Any], a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the largest error relative to |A| |B|^T, above the smallest float; an entry that must be zero has to be
    zero.
    """
    exact, scale, worst = multiply_exact(a, b), multiply_exact(np.abs(a), np.abs(b)), 0.0
    for i, row in enumerate(exact):
        for j, value in enumerate(row):
            if scale[i][j] == 0:
                assert found[i, j] == 0
            else:
                error = abs(Fraction(float(found[i, j])) - value) - Fraction(2) ** -1074
                worst = max(worst, float(max(error, Fraction(0)) / scale[i][j]))
    return worst


def multiply(a: NDArray[Any], b: NDArray[Any], accuracy: float) -> NDArray[np.float64]:
    return multiply_floats(a, b, engine, accuracy=accuracy)


KINDS = ("plain", "wide", "rows", "columns", "positive", "sparse", "cancelling", "few bits", "denormal")


def make(kind: str, rng: np.random.Generator, rows: int, depth: int) -> NDArray[np.float64]:
    array = rng.standard_normal((rows, depth))
    match kind:
        case "wide":
            array *= 10.0 ** rng.uniform(-30, 30, array.shape)
        case "rows":
            array *= 10.0 ** rng.uniform(-30, 30, (rows, 1))
        case "columns":
            array *= 10.0 ** rng.uniform(-30, 30, (1, depth))
        case "positive":
            array = np.abs(array)
        case "sparse":
            array *= rng.random(array.shape) < 0.1
        case "cancelling":
            array[:, depth // 2 :] = -array[:, : depth - depth // 2]
        case "few bits":
            array = np.rint(array * 8)
        case "denormal":
            array *= np.where(rng.random(array.shape) < 0.5, 2.0**-1060, 1.0)
    return array


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 4), cols=st.integers(1, 4), depth=st.integers(1, 70))
@settings(max_examples=15, deadline=None)
def test_small_products_are_exact_but_for_the_last_rounding(
    kind: str, seed: int, rows: int, cols: int, depth: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = make(kind, rng, rows, depth), make(kind, rng, cols, depth)
    if seed % 2:  # if the entries are denormal, the product should be a normal number
        b *= 2.0**800 if kind == "denormal" else 1.0
    is_narrow = kind in ("plain", "rows", "positive", "sparse", "cancelling", "few bits")  # twelve slices are enough
    assert measure(multiply(a, b, U64 / 2), a, b) <= U64 * (1 + 1e-9 if is_narrow else 1.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("accuracy", [U64 / 2, U32 / 2, 1e-3])
def test_what_is_left_out_keeps_the_bound(kind: str, accuracy: float, rng: np.random.Generator) -> None:
    a, b = make(kind, rng, 130, 200), make(kind, rng, 120, 200)
    found = multiply(a, b, accuracy)
    some = slice(0, 5)
    assert measure(found[some, some], a[some], b[some]) <= accuracy + U64


@pytest.mark.parametrize("is_native", [True, False])
@pytest.mark.parametrize("kind", ["plain", "rows", "positive", "cancelling", "few bits"])
def test_residues_take_few_products_and_keep_the_bound(
    kind: str, is_native: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_native:
        monkeypatch.setattr("inos.work.floats.residues.find_native_steps", lambda: None)
    made: list[Pair] = []

    def count(pairs: Iterable[Pair], use: Use | None = None, /) -> Iterator[NDArray[np.int32]]:
        made.extend(given := list(pairs))
        return engine(given, use)

    a, b = np.asfortranarray(make(kind, rng, 70, 1000)), make(kind, rng, 80, 1000)
    for accuracy, most in ((U64 / 2, 19), (U32 / 2, 10)):
        made.clear()
        out = np.empty((70, 80))
        assert multiply_residues(a, b, count, accuracy, out)
        assert len(made) <= most
        assert measure(out[:9, :9], a[:9], b[:9]) <= accuracy + U64
    out32 = np.empty((70, 90), np.float32)[:, 10:]
    a32, b32 = (np.float32(v / np.abs(v).max(axis=1, keepdims=True)) for v in (a, b))  # rows may be beyond float32
    assert multiply_residues(a32, b32, count, U32 / 2, out32)
    assert measure(out32[:9, :9], a32[:9], b32[:9]) <= 1.5 * U32


@pytest.mark.parametrize("kind", ["wide", "sparse", "columns", "denormal"])
def test_rows_that_residues_do_not_serve_are_left_alone_or_kept_in_bounds(kind: str, rng: np.random.Generator) -> None:
    for accuracy in (U64 / 2, 2.0**-100, 1.0):
        a, b = make(kind, rng, 30, 300), make(kind, rng, 40, 300)
        a[3] = b[5] = 0
        out = np.full((30, 40), np.nan)
        if multiply_residues(a, b, engine, accuracy, out):
            assert measure(out[:9, :9], a[:9], b[:9]) <= accuracy + U64
            assert not out[3].any()
        else:
            assert np.isnan(out).all()


def test_residues_of_deeper_rows_than_one_product_has(rng: np.random.Generator) -> None:
    a, b = make("plain", rng, 3, 70_000), make("plain", rng, 4, 70_000)
    out = np.empty((3, 4))
    assert multiply_residues(a, b, engine, U64 / 2, out)
    assert measure(out, a, b) <= 1.5 * U64


@pytest.mark.parametrize("kind", ["plain", "wide", "positive", "columns"])
def test_it_is_as_good_as_numpy_s_product(kind: str, rng: np.random.Generator) -> None:
    a, b = make(kind, rng, 128, 700), make(kind, rng, 120, 700)
    some = slice(0, 12)
    ours = measure(multiply(a, b, U64 / 2)[some, some], a[some], b[some])
    assert ours <= measure((a @ b.T)[some, some], a[some], b[some])
    a32, b32 = (np.float32(np.clip(v, -1e18, 1e18)) for v in (a, b))
    found = multiply(a32, b32, U32 / 2).astype(np.float32)
    assert measure(found[some, some], a32[some], b32[some]) <= measure((a32 @ b32.T)[some, some], a32[some], b32[some])


def test_a_row_may_hold_the_whole_range_of_float64() -> None:
    a = np.array([[1e300, 1e-300, 5e-324, 3.0]])
    b = np.array([[1e-300, 1e300, 2.0**1000, -7.0]])
    assert measure(multiply(a, b, U64 / 2), a, b) <= U64
    deep = np.tile(a, (2, 5)), np.tile(b, (3, 5))
    assert measure(multiply(*deep, U64 / 2), *deep) <= U64


def test_results_beyond_the_range_are_infinite_and_below_it_zero() -> None:
    with np.errstate(all="raise"):
        assert multiply(np.array([[1e200]]), np.array([[-1e200]]), U64)[0, 0] == -np.inf
        assert multiply(np.array([[1e-200]]), np.array([[1e-200]]), U64)[0, 0] == 0.0


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6), st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_digits_add_up_to_the_number(values: list[float], count: int) -> None:
    split = Split(np.array([values]))
    split.extend(count)
    slices = split.make_slices()
    weight = Fraction(2) ** int(split.exponents[0])
    for place, value in enumerate(values):
        sum_ = sum(int(digits[0, place]) * weight / 128**p for p, digits in enumerate(slices))
        left = abs(Fraction(value) - sum_)
        assert left == 0 if split.is_exact else left <= Fraction(51, 100) * weight / 128 ** (len(slices) - 1)
        assert all(-64 <= int(digits[0, place]) <= 63 for digits in slices)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32])
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 5), cols=st.integers(1, 5), depth=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_integers_are_exact(dtype: Any, seed: int, rows: int, cols: int, depth: int) -> None:
    rng, info = np.random.default_rng(seed), np.iinfo(dtype)
    a, b = (rng.integers(info.min, info.max, (n, depth), dtype, endpoint=True) for n in (rows, cols))
    a[0, 0], b[-1, -1] = info.min, info.max
    if depth > 1:  # twice 31 bits leave little room for terms
        a = a if info.bits < 32 else a // 64
    exact = a.astype(object) @ b.T.astype(object)
    assert (multiply_integers(a, b, engine) == exact).all()


def test_integers_deeper_than_one_product(rng: np.random.Generator) -> None:
    a, b = rng.integers(-128, 128, (2, 70_000), np.int8), rng.integers(-128, 128, (3, 70_000), np.int8)
    assert (multiply_integers(a, b, engine) == a.astype(np.int64) @ b.T.astype(np.int64)).all()


@pytest.mark.parametrize("accuracy", [U32 / 2, U64 / 2])
@pytest.mark.parametrize("size", [1, 40])
@pytest.mark.parametrize("spread", [150, 307])
def test_huge_and_tiny_entries_that_meet(spread: int, size: int, accuracy: float) -> None:
    """Each entry of A meets one of B that makes up for it, and the products of the largest entries are zero."""
    rng = np.random.default_rng(spread + size)
    for exponents in ([spread, -spread], [spread, 0, -spread], [spread, -spread, -spread // 2, 0]):
        powers = 10.0 ** np.repeat(np.array(exponents, float), size)
        a, b = (rng.uniform(1, 9, (3, len(powers))) for _ in range(2))
        a, b = a * powers, b / powers
        assert measure(multiply(a, b, accuracy), a, b) <= accuracy + U64
        a[0, : size * 2] = 0
        b[1, size:] = 0
        assert measure(multiply(a, b, accuracy), a, b) <= accuracy + U64


def test_the_largest_float_and_the_smallest() -> None:
    top, low = float(np.finfo(np.float64).max), 5e-324
    a, b = np.array([[top, low], [1.0, low]]), np.array([[low, 1.0], [low, top], [0.0, top]])
    assert measure(multiply(a, b, U64 / 2), a, b) <= U64 * 1.5
    assert multiply(np.array([[1e200, 1e-200]]), np.array([[1e-200, 1e200]]), U64 / 2)[0, 0] == 2.0
