"""Context-free rules for a matrix reference inside a header or a transaction."""

from inos.consensus.codes import Code
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import (
    MAX_DEPTH,
    MAX_ROWS,
    PANEL_BYTES,
    DType,
    MatrixRef,
    is_file_shape,
    is_ref_consistent,
)


def check_product_refs(x: MatrixRef, w: MatrixRef, place: str) -> None:
    """Check that X and W can be multiplied: sizes within limits, ids that match the sizes, and equal depth.

    Raises:
        RuleViolation: "bad-dimensions", "bad-matrix-id" or "depth-mismatch", naming `place`.
    """
    _check_operand(x, f"{place} x")
    _check_operand(w, f"{place} w")
    if x.cols != w.cols:
        raise RuleViolation(
            Code.DEPTH_MISMATCH, f"{place}: X and W have different columns", expected=x.cols, got=w.cols
        )


def check_result_ref(y: MatrixRef, place: str) -> None:
    """Check that Y is an int32 matrix of a size that a product can have.

    Raises:
        RuleViolation: "bad-dimensions" or "bad-matrix-id".
    """
    _check_size(y, MAX_ROWS, MAX_ROWS, place)
    _check_id(y, DType.INT32, place)


def check_file_ref(ref: MatrixRef, place: str) -> None:
    """Check that a reference is that of a file: a size that a file can have, and the id of its size and root.

    Raises:
        RuleViolation: "bad-dimensions" or "bad-matrix-id", naming `place`.
    """
    if not is_file_shape(ref.rows, ref.cols):
        raise RuleViolation(
            Code.BAD_DIMENSIONS,
            f"{place}: a file of an impossible size",
            expected=f"1 .. {MAX_ROWS} rows of {PANEL_BYTES} bytes, with 1 .. {PANEL_BYTES} in the last, or 1 x 0",
            got=f"{ref.rows} x {ref.cols}",
        )
    _check_id(ref, DType.BYTES, place)


def _check_operand(ref: MatrixRef, place: str) -> None:
    _check_size(ref, MAX_ROWS, MAX_DEPTH, place)
    _check_id(ref, DType.INT7, place)


def _check_size(ref: MatrixRef, max_rows: int, max_cols: int, place: str) -> None:
    if not (1 <= ref.rows <= max_rows and 1 <= ref.cols <= max_cols):
        raise RuleViolation(
            Code.BAD_DIMENSIONS,
            f"{place}: a matrix of an impossible size",
            expected=f"1 .. {max_rows} rows and 1 .. {max_cols} columns",
            got=f"{ref.rows} x {ref.cols}",
        )


def _check_id(ref: MatrixRef, dtype: DType, place: str) -> None:
    if not is_ref_consistent(ref, dtype):
        raise RuleViolation(Code.BAD_MATRIX_ID, f"{place}: the id {ref.id.hex()} is not that of its size and root")
