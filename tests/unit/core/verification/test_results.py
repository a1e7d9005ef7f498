"""The check of results over stored matrices: right, wrong, missing, and checked only once."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inos import work
from inos.core.verification.results import StoredResults
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import Product
from inos.primitives.units import JobId, MatrixId

JOB = JobId(bytes([5]) * 32)


class Shelf:
    """A matrix store in a dictionary that counts reads."""

    def __init__(self, *arrays: NDArray[Any]) -> None:
        self.arrays = {work.matrix_id(array): array for array in arrays}
        self.reads = 0

    def has(self, matrix: MatrixId) -> bool:
        return matrix in self.arrays

    def get(self, matrix: MatrixId) -> NDArray[Any]:
        self.reads += 1
        return self.arrays[matrix]


def make_product() -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int32]]:
    random = np.random.default_rng(3)
    x = random.integers(-64, 64, (40, 70), dtype=np.int8)
    w = random.integers(-64, 64, (20, 70), dtype=np.int8)
    return x, w, x.astype(np.int32) @ w.T.astype(np.int32)


def test_right_and_wrong_results_are_told_apart_and_checked_once() -> None:
    x, w, y = make_product()
    wrong = y.copy()
    wrong[39, 19] += 1
    shelf = Shelf(x, w, y, wrong)
    results = StoredResults(shelf)
    refs = [work.matrix_ref(array) for array in (x, w, y, wrong)]
    assert results.get_verdict(Product(JOB, refs[0], refs[1], refs[2]))
    assert not results.get_verdict(Product(JOB, refs[0], refs[1], refs[3]))
    reads = shelf.reads
    assert results.get_verdict(Product(JOB, refs[0], refs[1], refs[2]))
    assert not results.get_verdict(Product(JOB, refs[0], refs[1], refs[3]))
    assert shelf.reads == reads


def test_all_missing_matrices_are_named_and_nothing_is_remembered() -> None:
    x, w, y = make_product()
    shelf = Shelf(w)
    results = StoredResults(shelf)
    refs = [work.matrix_ref(array) for array in (x, w, y)]
    with pytest.raises(MatrixMissing) as missing:
        results.get_verdict(Product(JOB, *refs))
    assert missing.value.ids == (refs[0].matrix_id, refs[2].matrix_id)
    shelf.arrays |= {refs[0].matrix_id: x, refs[2].matrix_id: y}
    assert results.get_verdict(Product(JOB, *refs))


def test_a_result_of_another_shape_or_kind_is_wrong() -> None:
    x, w, y = make_product()
    short = np.ascontiguousarray(y[:-1])
    results = StoredResults(Shelf(x, w, y, short))
    refs = [work.matrix_ref(array) for array in (x, w, short)]
    assert not results.get_verdict(Product(JOB, *refs))
    assert not results.get_verdict(Product(JOB, refs[0], refs[1], work.matrix_ref(x)))
