"""inos.matmul as users call it: shapes and types like numpy's, and what it refuses."""

from typing import Any

import numpy as np
import pytest

import inos
from inos.client.client import BadOperand
from inos.primitives.errors import InosError

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((5,), (5,)),
    ((3, 5), (5,)),
    ((5,), (5, 4)),
    ((3, 5), (5, 4)),
    ((2, 3, 5), (5, 4)),
    ((2, 1, 3, 5), (7, 5, 4)),
    ((0, 5), (5, 3)),
    ((2, 0), (0, 3)),
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
