"""Tables of pandas in products: aligned, labelled, and refused, as pandas' own `dot` does."""

from typing import Any

import numpy as np
import pytest

import inos

pd: Any = pytest.importorskip("pandas", reason="pandas is not installed: make extras")

A = np.arange(6).reshape(2, 3) - 2
B = np.arange(12).reshape(3, 4) * 3
ROWS, DEPTH, COLUMNS = ["first", "second"], ["x", "y", "z"], ["p", "q", "r", "s"]


def make(values: Any, index: Any = None, columns: Any = None) -> Any:
    return pd.DataFrame(values, index, columns)


LEFT, RIGHT = make(A, ROWS, DEPTH), make(B, DEPTH, COLUMNS)
TWO_LEVELS = pd.MultiIndex.from_tuples([("u", 1), ("u", 2), ("v", 1)], names=["name", "number"])
PAIRS: dict[str, tuple[Any, Any]] = {
    "two frames": (LEFT, RIGHT),
    "another order": (LEFT, RIGHT.iloc[[2, 0, 1]]),
    "frame and array": (LEFT, B),
    "frame and list": (LEFT, B.tolist()),
    "frame and vector": (LEFT, np.arange(3)),
    "frame and series": (LEFT, pd.Series([1, 2, 3], ["z", "y", "x"])),
    "series and frame": (pd.Series([1, 2, 3], ["z", "y", "x"]), RIGHT),
    "two series": (pd.Series([1, 2, 3], ["z", "y", "x"]), pd.Series([7, 8, 9], DEPTH)),
    "series and array": (pd.Series([1, 2, 3]), B),
    "array and frame": (A, RIGHT),
    "array and series": (A, pd.Series([1, 2, 3])),
    "vector and frame": (np.arange(3), RIGHT),
    "default labels": (make(A), make(B)),
    "names of axes": (LEFT.rename_axis("row").rename_axis("col", axis=1), RIGHT.rename_axis("item", axis=1)),
    "many levels": (make(A, ROWS, TWO_LEVELS), make(B, TWO_LEVELS[[1, 2, 0]])),
    "labels twice in one order": (make(A, ROWS, ["x", "x", "y"]), make(B, ["x", "x", "y"])),
    "times": (make(A, None, pd.date_range("2026-01-01", periods=3)), make(B, pd.date_range("2026-01-01", periods=3))),
    "floats": (LEFT / 8, RIGHT),
    "no rows": (LEFT.iloc[:0], RIGHT),
    "no depth": (LEFT[[]], RIGHT.iloc[:0]),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_labels_are_those_of_pandas(pair: tuple[Any, Any]) -> None:
    a, b = pair
    expected = a @ b
    found = inos.matmul(a, b)
    assert type(found) is type(expected)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected, check_dtype=False)
    else:
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("a", "b", "code", "words"),
    [
        (LEFT, RIGHT.rename(index={"y": "other"}), "misaligned", "A has a column 'y', and B no row"),
        (LEFT[["x", "z"]], RIGHT, "misaligned", "B has a row 'y', and A no column"),
        (LEFT, make(B), "misaligned", "A has a column 'x'"),
        (make(A, ROWS, ["x", "y", "x"]), make(B, ["x", "x", "y"]), "misaligned", "'x' is twice among the columns of A"),
        (LEFT, pd.Series([1, 2, 3]), "misaligned", "A has a column 'x'"),
        (LEFT, np.ones((2, 2)), "depth-mismatch", "A has 3 columns and B has 2 rows"),
        (LEFT, np.ones((4, 3, 2)), "bad-shape", "B is a stack of matrices with 3 axes"),
        (LEFT / np.where(A == 3, np.nan, 2), RIGHT, "not-finite", "column 'z' of A has no number in row 'second'"),
        (LEFT.astype("Int64").replace(3, pd.NA), RIGHT, "not-finite", "column 'z' of A has no number in row 'second'"),
        (LEFT, pd.Series([1.0, None, 2.0], DEPTH), "not-finite", "B has no number in row 'y'"),
        (LEFT.assign(x=["one", "two"]), RIGHT, "bad-dtype", "column 'x' of A holds str"),
        (LEFT.assign(x=pd.to_datetime(["2026-01-01"] * 2)), RIGHT, "bad-dtype", "column 'x' of A holds datetime64"),
        (LEFT.astype(complex), RIGHT, "bad-dtype", "A holds complex128"),
        ((LEFT + 9) * np.inf, RIGHT, "not-finite", "A[0, 0] is infinite"),
    ],
)
def test_what_does_not_meet_is_refused_by_label(a: Any, b: Any, code: str, words: str) -> None:
    with pytest.raises(inos.BadOperand) as refused:
        inos.matmul(a, b)
    assert refused.value.code == code
    assert words in refused.value.message
    assert refused.value.hint or code == "depth-mismatch"


def test_columns_of_different_types_keep_their_numbers() -> None:
    """pandas rounds int64 beside uint64, and makes objects of its nullable types."""
    big = 2**62 + 1
    mixed = pd.DataFrame({"x": np.array([big], "u8"), "y": np.array([-1]), "z": [True]})
    assert inos.matmul(mixed, np.array([1, 1, 1])).tolist() == [big]
    for kind in ("Int8", "UInt32", "Float32", "boolean", "Sparse[int64]", "float16", ">i4", "bool"):
        ones = make(np.ones((2, 3), int), ROWS, DEPTH).astype(kind)
        assert inos.matmul(ones, RIGHT).loc["first"].tolist() == B.sum(0).tolist()
    beside = make(A, ROWS, DEPTH).astype({"x": "Int64", "y": "Float64"})
    assert np.array_equal(inos.matmul(beside, RIGHT), A @ B)
    with pytest.raises(inos.BadOperand, match="beyond signed 64-bit"):
        inos.matmul(pd.DataFrame({"x": np.array([2**64 - 1], "u8"), "y": [-1]}), np.ones((2, 1)))


def test_out_takes_the_numbers() -> None:
    out = np.empty((2, 4), np.int64)
    assert inos.matmul(LEFT, RIGHT, out=out) is out
    assert np.array_equal(out, A @ B)
