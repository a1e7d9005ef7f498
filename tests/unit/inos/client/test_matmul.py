"""inos.matmul as users call it: shapes and types like numpy's, and what it refuses."""

from typing import Any

import numpy as np
import pytest

import inos
from inos import work
from inos.client.client import BadOperand
from inos.client.operands import to_operand
from inos.primitives.errors import InosError
from inos.work import InvalidMatrix

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((5,), (5,)),
    ((3, 5), (5,)),
    ((5,), (5, 4)),
    ((3, 5), (5, 4)),
    ((2, 3, 5), (5, 4)),
    ((2, 1, 3, 5), (7, 5, 4)),
    ((0, 5), (5, 3)),
    ((2, 0), (0, 3)),
    ((3, 5), (7, 5, 4)),
    ((3, 1, 2, 5), (1, 4, 5, 2)),
    ((2, 3, 4, 5), (3, 5, 6)),
    ((3, 2, 5), (0, 1, 5, 2)),
    ((5,), (2, 5, 3)),
]


@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i1", "i4"])
def test_shapes_are_those_of_numpy(left: Any, right: Any, dtype: str, rng: np.random.Generator) -> None:
    a, b = (rng.integers(-100, 100, shape).astype(dtype) for shape in (left, right))
    found = inos.matmul(a, b)
    wide = a.astype("f8") @ b.astype("f8")
    assert np.shape(found) == np.shape(wide)
    assert np.array_equal(found, wide)  # whole numbers are exact in every type
    assert found.dtype == {"f8": "f8", "f4": "f4", "f2": "f4"}.get(dtype, "i8")


def test_mixed_types_follow_numpy(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((3, 4), np.float32), rng.integers(-9, 9, (4, 2), np.int32)
    assert inos.matmul(a, b).dtype == (a @ b).dtype == np.float64
    assert np.allclose(inos.matmul(a, b), a @ b)
    assert inos.matmul([[1.5, 2]], [[2], [4]]).tolist() == [[11.0]]


@pytest.mark.parametrize(
    ("left", "right", "products"),
    [
        ((4, 16, 32), (32, 8), 1),
        ((16, 32), (4, 32, 8), 1),
        ((2, 1, 16, 32), (7, 32, 8), 1),
        ((4, 2, 32), (4, 32, 3), 4),
    ],
)
def test_what_meets_the_same_matrix_is_one_product(
    left: Any, right: Any, products: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    multiplied: list[tuple[int, ...]] = []

    def mine(x: Any, w: Any, *args: Any, **options: Any) -> Any:
        multiplied.append((*x.shape, *w.shape))
        return real(x, w, *args, **options)

    real = work.mine
    monkeypatch.setattr("inos.work.floats.local.mine", mine)
    a, b = rng.standard_normal(left, np.float32), rng.standard_normal(right, np.float32)
    assert np.allclose(inos.matmul(a, b), a @ b, rtol=1e-4, atol=1e-5)
    assert len(multiplied) == products


def test_products_of_huge_and_tiny_entries_are_within_the_bound() -> None:
    assert inos.matmul([[1e200, 1e-200]], [[1e-200], [1e200]]).tolist() == [[2.0]]
    ends = np.array([[1e200] * 40 + [1e-200] * 40] * 200)
    assert np.allclose(inos.matmul(ends, 1 / ends.T), 80.0, rtol=2**-52, atol=0)


def test_blocks_join(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = rng.standard_normal((50, 30)), rng.standard_normal((30, 41))
    whole = inos.matmul(a, b)
    monkeypatch.setattr("inos.client.matmul.BLOCK", 16)
    assert np.array_equal(inos.matmul(a, b), whole)


@pytest.mark.parametrize(
    ("a", "b", "code", "words"),
    [
        (np.array([[1.0, np.nan]]), np.ones((2, 1)), "not-finite", "A[0, 1] is NaN"),
        (np.ones((1, 2)), np.array([[1.0], [-np.inf]]), "not-finite", "B[1, 0] is infinite"),
        (np.ones((1, 2)), np.ones((3, 1)), "depth-mismatch", "A has 2 columns and B has 3 rows"),
        (np.ones((1, 2), complex), np.ones((2, 1)), "bad-dtype", "A holds complex128"),
        (np.ones((2, 1, 2)), np.ones((3, 2, 1)), "bad-shape", "cannot be broadcast"),
        (2.0, np.ones((2, 1)), "bad-shape", "single number"),
        (np.array([["x"]]), np.ones((1, 1)), "bad-dtype", "A holds <U1"),
        ([[1, 2], [3]], np.ones((2, 1)), "bad-shape", "A is no array"),
        (np.ones((1, 2)), None, "bad-dtype", "B is a NoneType"),
    ],
)
def test_what_has_no_product_is_refused_by_name(a: Any, b: Any, code: str, words: str) -> None:
    with pytest.raises(BadOperand) as refused:
        inos.matmul(a, b)
    assert refused.value.code == code
    assert words in refused.value.message


def test_accuracy_is_checked_and_kept(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((100, 300)), rng.standard_normal((300, 90))
    exact, scale = a @ b, np.abs(a) @ np.abs(b)
    coarse, fine = inos.matmul(a, b, accuracy=1e-4), inos.matmul(a, b)
    assert 1e-15 < np.max(np.abs(coarse - exact) / scale) <= 1e-4
    assert np.max(np.abs(fine - exact) / scale) < 1e-14
    for wrong in (0.0, 2.0, -1.0, float("nan")):
        with pytest.raises(BadOperand, match="accuracy"):
            inos.matmul(a, b, accuracy=wrong)
    with pytest.raises(BadOperand, match="exact"):
        inos.matmul(np.eye(2, dtype=int), np.eye(2, dtype=int), accuracy=0.1)


def test_integers_that_might_overflow_are_refused() -> None:
    big = np.full((1, 4), 2**31 - 1, np.int64)
    with pytest.raises(InosError) as refused:
        inos.matmul(big * 4, big.T)
    assert refused.value.code == "product-too-large"
    assert inos.matmul(big[:, :2], big.T[:2])[0, 0] == 2 * (2**31 - 1) ** 2


def test_what_has_an_exact_form_is_taken(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    assert np.array_equal(inos.matmul(a.astype(">f8"), b), inos.matmul(a, b))
    swapped = inos.matmul(a.astype(">f4"), b.astype(">f4"))
    assert (swapped.dtype, swapped.dtype.isnative) == (np.float32, True)
    assert np.array_equal(inos.matmul(np.arange(6, dtype=">i2").reshape(2, 3), np.arange(3)), [5, 14])
    is_even = np.array([[True, False], [True, True]])
    assert np.array_equal(inos.matmul(is_even, a[:2]), is_even @ a[:2])
    both = inos.matmul(is_even, is_even)
    assert both.dtype == bool
    assert np.array_equal(both, is_even @ is_even)
    nullable = np.array([[1, np.int64(2)], [3, 4]], object)  # what pandas makes of Int64
    assert np.array_equal(inos.matmul(nullable, nullable), [[7, 10], [15, 22]])
    mixed = np.array([[1, 0.5]], object)
    assert inos.matmul(mixed, mixed.T).dtype == np.float64


class NAType:
    """A type with the name of pandas' missing value."""


@pytest.mark.parametrize(
    ("a", "advice"),
    [
        (np.array([[1, NAType()]], object), "a.fillna(0)"),
        (np.array([[1, None]], object), "a.fillna(0)"),
        (np.array([[1, "x"]], object), "int or float"),
        (np.array([[2**70, 1]], object), "scale them down"),
        (np.ones((1, 2), complex), "a.real"),
        (np.ones((1, 2), np.longdouble), "numpy.float64"),
        (np.array([["1", "2"]]), "a.astype(numpy.float64)"),
        (np.array([[2**64 - 1, 1]], np.uint64), "numpy.float64"),
    ],
)
def test_the_advice_leads_to_something_that_works(a: Any, advice: str) -> None:
    with pytest.raises(BadOperand) as refused:
        inos.matmul(a, np.ones((2, 1)))
    assert refused.value.code == "bad-dtype"
    assert advice in refused.value.hint


class csr_matrix:
    """A class with the attributes of every sparse matrix of scipy."""

    def __init__(self, filled: Any, shape: tuple[int, int]) -> None:
        self.filled, self.shape = filled, shape

    def toarray(self) -> Any:
        assert self.filled is not None, "this one is too large to be filled in"
        return self.filled


def test_sparse_matrices_are_filled_in_up_to_a_bound() -> None:
    values = np.array([[0, 2.5, 0], [0, 0, -1.0]])
    assert np.array_equal(inos.matmul(csr_matrix(values, (2, 3)), values.T), values @ values.T)
    assert np.array_equal(inos.matmul(values, csr_matrix(values.T, (3, 2))), values @ values.T)
    with pytest.raises(BadOperand) as refused:
        inos.matmul(csr_matrix(None, (2**14, 2**13)), values)
    assert refused.value.code == "too-sparse"


def test_scipys_own_sparse_matrices() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="the extra `demo` is not installed")
    values = np.array([[0, 2, 0], [0, 0, -1]])
    for kind in (sparse.csr_matrix, sparse.coo_array, sparse.csc_array, sparse.lil_matrix):
        assert np.array_equal(inos.matmul(kind(values), values.T), values @ values.T)


def test_out_takes_the_product_as_in_numpy(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((2, 3, 4)), rng.standard_normal((4, 5))
    out = np.empty((2, 3, 5))
    assert inos.matmul(a, b, out=out) is out
    assert np.allclose(out, a @ b)
    vector = np.empty(3)
    inos.matmul(a[0], b[:, 0], out=vector)
    assert np.allclose(vector, a[0] @ b[:, 0])
    square = rng.standard_normal((4, 4))
    expected = square @ square
    assert np.allclose(inos.matmul(square, square, out=square), expected)
    wrong: list[Any] = [np.empty((3, 5)), np.empty((2, 3, 5), np.int64), [[0.0]]]
    for each in wrong:
        with pytest.raises(BadOperand, match="out is") as refused:
            inos.matmul(a, b, out=each)
        assert refused.value.code == "bad-out"


def test_masked_entries_are_not_read(rng: np.random.Generator) -> None:
    a = rng.integers(-9, 9, (3, 3)).astype(np.int8)
    masked = np.ma.masked_greater(np.ma.array(a, mask=False), 100)
    assert np.array_equal(inos.matmul(masked, a), a.astype(int) @ a), "a mask without an entry hides nothing"
    masked[1, 2] = np.ma.masked
    for multiply in (lambda: inos.matmul(masked, a), lambda: inos.matmul(a, masked), lambda: to_operand(masked, "A")):
        with pytest.raises(BadOperand, match=r"\[1, 2\] is masked") as caught:
            multiply()
        assert caught.value.hint.endswith("a.filled(0)")
    with pytest.raises(InvalidMatrix, match="masked"):
        work.matrix_id(masked)


class Table:
    """A table like a DataFrame of pandas."""

    def __init__(self, array: Any, index: Any, columns: Any) -> None:
        self._array, self.index, self.columns = array, index, columns

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self._array, dtype)


def test_labels_are_not_dropped() -> None:
    a = np.arange(6.0).reshape(2, 3)
    plain = Table(a, range(2), range(3))
    assert np.array_equal(inos.matmul(plain, a.T), a @ a.T)
    for table in (Table(a, range(2), ["x", "y", "z"]), Table(a, [1, 0], range(3))):
        with pytest.raises(BadOperand) as caught:
            inos.matmul(table, a.T)
        assert caught.value.code == "labelled"
        assert "a.to_numpy()" in caught.value.hint
