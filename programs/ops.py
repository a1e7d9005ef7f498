"""The operations with their attributes, all but REPEAT. The numbers are those of the encoding.

Operands are written a, b, t, x in their order. docs/programs.md has the exact meaning of each.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from inos.programs.limits import MAX_RANDOM_BITS, MAX_SHIFT, MAX_SIZE, MAX_VIEW_DIMENSIONS
from inos.programs.types import Entry, Extent

Axis: TypeAlias = Literal[0, 1]
Stride = Annotated[int, Meta(ge=-MAX_SIZE, le=MAX_SIZE)]
Dimensions: TypeAlias = Annotated[tuple[tuple[Extent, Stride], ...], Meta(min_length=1, max_length=MAX_VIEW_DIMENSIONS)]
"""(length, stride) of each dimension, the outermost first; strides count entries of the row-major operand."""


class MatmulT(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=1):
    """X and W are cut into `blocks` equal blocks of rows, and Y_b = X_b * W_b^T for each of them."""

    blocks: Extent


class Add(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=2):
    """a + b; dimensions of 1 broadcast."""


class Mul(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=3):
    """(a * b + 2^(shift - 1)) >> shift, without the rounding term if the shift is 0; dimensions of 1 broadcast."""

    shift: Annotated[int, Meta(ge=0, le=MAX_SHIFT)]


class IntDiv(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=4):
    """a / b towards zero; b is at least 1; dimensions of 1 broadcast."""


class Clamp(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=5):
    """min(max(x, lo), hi)."""

    lo: Entry
    hi: Entry


class Table(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=6):
    """t[x - first]; t has one row."""

    first: Entry


class ReduceSum(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=7):
    """The sums over the rows (axis 0) or the columns (axis 1)."""

    axis: Axis


class ReduceMax(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=8):
    """The largest entries over the rows (axis 0) or the columns (axis 1)."""

    axis: Axis


class View(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=9):
    """An affine read of the row-major entries: offset plus index times stride, summed over all dimensions."""

    offset: Annotated[int, Meta(ge=0, le=MAX_SIZE)]
    rows: Dimensions
    cols: Dimensions


class Gather(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=10):
    """The rows of t that the column of indices names."""


class Concat(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=11):
    """The operands below each other (axis 0) or side by side (axis 1)."""

    axis: Axis


class Random(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=12):
    """Pseudo-random entries of `bits` bits, less half of their range, from the key alone."""

    rows: Extent
    cols: Extent
    bits: Annotated[int, Meta(ge=1, le=MAX_RANDOM_BITS)]


SimpleOp: TypeAlias = (
    MatmulT | Add | Mul | IntDiv | Clamp | Table | ReduceSum | ReduceMax | View | Gather | Concat | Random
)
"""Every operation but REPEAT: it has one result and contains no program."""
