"""Tests the rules for references of files."""

import pytest

from inos.consensus.codes import Code
from inos.consensus.matrixrules import check_file_ref
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import DType, make_matrix_ref
from inos.primitives.units import Hash

ROOT = Hash(bytes(range(32)))


@pytest.mark.parametrize("shape", [(1, 0), (1, 1), (1, 1024), (2, 1), (2**20, 1024)])
def test_a_reference_of_a_file_is_taken(shape: tuple[int, int]) -> None:
    check_file_ref(make_matrix_ref(DType.BYTES, *shape, ROOT), "spec")


@pytest.mark.parametrize("shape", [(0, 0), (0, 1), (1, 1025), (2, 0), (2**20 + 1, 1)])
def test_a_size_that_no_file_has_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(RuleViolation, match="spec") as caught:
        check_file_ref(make_matrix_ref(DType.BYTES, *shape, ROOT), "spec")
    assert caught.value.code == Code.BAD_DIMENSIONS


@pytest.mark.parametrize("dtype", [DType.INT7, DType.INT32])
def test_the_id_of_another_type_is_refused(dtype: DType) -> None:
    with pytest.raises(RuleViolation) as caught:
        check_file_ref(make_matrix_ref(dtype, 1, 64, ROOT), "spec")
    assert caught.value.code == Code.BAD_MATRIX_ID
