"""Freivalds' check that Y = X * W^T, with the same outcome on every node (protocol, section 5)."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.errors import InosError
from inos.primitives.hashing import Context, compute_hash, compute_stream
from inos.primitives.units import HASH_BYTES, Hash
from inos.work.backends.native.check import NativeCheck, check_natively
from inos.work.strips import InvalidMatrix, get_dtype

VECTORS: Final = 16
"""R has this many columns. Each misses a wrong entry with probability at most 2^-8."""
ROWS_PER_SUM: Final = 512
"""128 * 255 * 512 < 2^24: a partial sum of W^T R is exact in float32 for any int8."""
COLS_PER_SUM: Final = 2048
"""2^7 * 2^35 * 2^11 = 2^53: a partial sum of X (W^T R) is exact in float64."""
RESULTS_PER_SUM: Final = 8192
"""2^31 * 2^8 * 2^13 < 2^53: a partial sum of Y R is exact in float64."""
PIECE_ROWS: Final = 256


def compute_freivalds_seed(job: bytes, x_id: bytes, w_id: bytes, y_id: bytes) -> Hash:
    """Return H("freivalds", job id || x_id || w_id || y_id)."""
    return compute_hash(Context.FREIVALDS, job + x_id + w_id + y_id)


def freivalds(x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], seed: bytes) -> bool:
    """Return True if Y R = X (W^T R) over the integers, with R n x 16 bytes drawn from the seed.

    Kernels compute it if there are any for this processor, else numpy does; the answers are the same.
    The answer is True for a right Y, and for a wrong one with probability at most 2^-128.

    Args:
        x: int8, m x k.
        w: int8, n x k.
        y: int32, m x n.
        seed: 32 bytes, of `compute_freivalds_seed`.

    Raises:
        InvalidMatrix: "bad-dtype", "bad-shape", "depth-mismatch", "shape-mismatch".
        InosError: "bad-seed".
    """
    _check_shapes(x, w, y)
    if len(seed) != HASH_BYTES:
        raise InosError("bad-seed", f"a seed has {HASH_BYTES} bytes, not {len(seed)}")
    vectors = np.frombuffer(compute_stream(seed, "vectors", VECTORS * len(w)), dtype=np.uint8).reshape(-1, VECTORS)
    known = check_natively(x, w, y, vectors)
    return _check(x, w, y, vectors) if known is None else known


class BlockCheck:
    """The same check for any blocks of rows of one product, with W in memory. Several threads may call `check`.

    Args:
        w: int8, n x k.
        seed: 32 bytes that the maker of Y does not know.
    """

    def __init__(self, w: NDArray[np.int8], seed: bytes) -> None:
        stream = compute_stream(seed, "vectors", VECTORS * len(w))
        self._vectors = np.frombuffer(stream, dtype=np.uint8).reshape(-1, VECTORS)
        is_native = NativeCheck.is_available()
        self._native = NativeCheck(w, self._vectors) if is_native else None
        self._projected = None if is_native else _project(w, self._vectors)

    def check(self, x: NDArray[np.int8], y: NDArray[np.int32]) -> bool:
        """Return True if the given rows of Y are those of X, equally many, by W transposed."""
        if self._native is not None:
            return self._native.check(x, np.ascontiguousarray(y))
        assert self._projected is not None  # One of both is made.
        return _compare(x, self._projected, y, self._vectors)

    def copy(self, x: NDArray[np.int8], source: NDArray[np.int32], y: NDArray[np.int32]) -> bool:
        """Copy rows from `source` to `y`, and return True if `y` then has the rows of X by W transposed.

        Other processes may write to `source` meanwhile. If some rows are wrong, those after them may not be copied.

        Args:
            source, y: of one shape, and contiguous.
        """
        if self._native is not None:
            return self._native.check(x, y, source)
        np.copyto(y, source)
        return self.check(x, y)


class RowCheck:
    """The same check a few rows at a time, for matrices that are larger than memory. It names the rows that are wrong.

    Absorb all of W first, in any pieces, then compare rows of X and Y.

    Args:
        seed: 32 bytes, of `compute_freivalds_seed`.
        rows_w, depth: W's rows and columns.
    """

    def __init__(self, seed: bytes, rows_w: int, depth: int) -> None:
        stream = compute_stream(seed, "vectors", VECTORS * rows_w)
        self._vectors = np.frombuffer(stream, dtype=np.uint8).reshape(-1, VECTORS)
        self._projected = np.zeros((depth, VECTORS), dtype=np.int64)

    def absorb(self, top: int, rows: NDArray[np.int8]) -> None:
        """Take in rows of W from `top` on; each row is to be given once."""
        self._projected += _project(rows, self._vectors[top : top + len(rows)])

    def find_wrong_rows(self, x: NDArray[np.int8], y: NDArray[np.int32]) -> list[int]:
        """Return the indices of those given rows of X and Y (equally many) in which Y is not X * W^T."""
        wrong: list[int] = []
        for top in range(0, len(x), PIECE_ROWS):
            claimed = _multiply(y[top : top + PIECE_ROWS], self._vectors, RESULTS_PER_SUM)
            right = _multiply(x[top : top + PIECE_ROWS], self._projected, COLS_PER_SUM)
            wrong += (top + np.flatnonzero((claimed != right).any(axis=1))).tolist()
        return wrong


def _check(x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], vectors: NDArray[np.uint8]) -> bool:
    """Check in numpy, as the reference."""
    return _compare(x, _project(w, vectors), y, vectors)


def _compare(x: NDArray[Any], projected: NDArray[np.int64], y: NDArray[Any], vectors: NDArray[np.uint8]) -> bool:
    return all(
        np.array_equal(
            _multiply(y[top : top + PIECE_ROWS], vectors, RESULTS_PER_SUM),
            _multiply(x[top : top + PIECE_ROWS], projected, COLS_PER_SUM),
        )
        for top in range(0, len(x), PIECE_ROWS)
    )


def _check_shapes(x: NDArray[Any], w: NDArray[Any], y: NDArray[Any]) -> None:
    for name, array, dtype in (("X", x, np.int8), ("W", w, np.int8), ("Y", y, np.int32)):
        get_dtype(array)
        if array.dtype != dtype:
            raise InvalidMatrix("bad-dtype", f"{name} is an array of {np.dtype(dtype)}, not {array.dtype}")
    if x.shape[1] != w.shape[1]:
        raise InvalidMatrix("depth-mismatch", f"X has {x.shape[1]} columns and W has {w.shape[1]}")
    if y.shape != (len(x), len(w)):
        raise InvalidMatrix(
            "shape-mismatch", f"Y is {len(x)} x {len(w)} for these operands, not {y.shape[0]} x {y.shape[1]}"
        )


def _project(w: NDArray[np.int8], vectors: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return W^T R, k x 16; its entries are at most 2^35 in magnitude."""
    total = np.zeros((w.shape[1], VECTORS), dtype=np.int64)
    for left in range(0, w.shape[1], COLS_PER_SUM):
        for top in range(0, len(w), ROWS_PER_SUM):
            part = w[top : top + ROWS_PER_SUM, left : left + COLS_PER_SUM].astype(np.float32)
            product = part.T @ vectors[top : top + ROWS_PER_SUM].astype(np.float32)
            total[left : left + COLS_PER_SUM] += product.astype(np.int64)
    return total


def _multiply(rows: NDArray[Any], columns: NDArray[Any], per_sum: int) -> NDArray[np.int64]:
    """Return rows * columns, exactly: it adds partial sums of `per_sum` float64 terms up in int64 (below 2^59)."""
    total = np.zeros((len(rows), VECTORS), dtype=np.int64)
    for left in range(0, rows.shape[1], per_sum):
        part = rows[:, left : left + per_sum].astype(np.float64) @ columns[left : left + per_sum].astype(np.float64)
        total += part.astype(np.int64)
    return total
