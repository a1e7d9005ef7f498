"""Tensors of any number of dimensions over the matrices of a program.

A tensor is an affine read of a value: sizes, strides and an offset, as in torch. Views (slices, permutations,
reshapes) cost nothing until an operation needs the tensor as a matrix; then they become one VIEW, or none if the
value already is that matrix.
"""

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

import numpy as np
from msgspec import Struct

from inos.programs.builder import ProgramBuilder, Value
from inos.programs.limits import MAX_VIEW_DIMENSIONS

Sizes: TypeAlias = tuple[int, ...]


class Tensor(Struct, frozen=True, eq=False):
    """Entries of `value`, read with these strides.

    Attributes:
        bits: real number = entry / 2^bits. None for integers (token numbers, masks), which stand for themselves.
    """

    value: Value
    sizes: Sizes
    strides: Sizes
    offset: int
    bits: int | None

    @property
    def size(self) -> int:
        return prod(self.sizes)

    @property
    def is_dense(self) -> bool:
        """Return True if the tensor holds every entry of its value exactly once, in any order of dimensions."""
        if self.offset or self.size != self.value.type.size:
            return False
        dims = sorted((stride, size) for size, stride in zip(self.sizes, self.strides, strict=True) if size > 1)
        step = 1
        for stride, size in dims:
            if stride != step:
                return False
            step *= size
        return True


def make_tensor(value: Value, sizes: Sequence[int], bits: int | None) -> Tensor:
    """Return the row-major tensor of these sizes over all entries of a value."""
    return Tensor(value, tuple(sizes), compute_strides(sizes), 0, bits)


def compute_strides(sizes: Sequence[int]) -> Sizes:
    """Return the strides of a row-major tensor."""
    return tuple(prod(sizes[i + 1 :]) for i in range(len(sizes)))


def replace_value(x: Tensor, value: Value, bits: int | None) -> Tensor:
    """Return the tensor with the same places over another value of the same shape."""
    return Tensor(value, x.sizes, x.strides, x.offset, bits)


def permute(x: Tensor, order: Sequence[int]) -> Tensor:
    """Return the tensor with its dimensions in another order."""
    sizes, strides = tuple(x.sizes[i] for i in order), tuple(x.strides[i] for i in order)
    return Tensor(x.value, sizes, strides, x.offset, x.bits)


def move_last(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Return the tensor with these dimensions moved behind all others, in the given order."""
    last = [dim % len(x.sizes) for dim in dims]
    return permute(x, [i for i in range(len(x.sizes)) if i not in last] + last)


def expand(x: Tensor, sizes: Sizes) -> Tensor:
    """Return the tensor broadcast to these sizes: repeated dimensions have strides of 0."""
    lead = len(sizes) - len(x.sizes)
    strides = [0 if n == 1 != m else s for n, s, m in zip(x.sizes, x.strides, sizes[lead:], strict=True)]
    return Tensor(x.value, tuple(sizes), (*(0,) * lead, *strides), x.offset, x.bits)


def to_matrix(b: ProgramBuilder, x: Tensor, split: int) -> Value:
    """Return the tensor as a matrix whose rows are the first `split` dimensions, and whose columns all others."""
    rows, cols = prod(x.sizes[:split]), prod(x.sizes[split:])
    sides = merge(x.sizes[:split], x.strides[:split]), merge(x.sizes[split:], x.strides[split:])
    if max(map(len, sides)) > MAX_VIEW_DIMENSIONS:
        return to_matrix(b, make_contiguous(b, x), split)
    if (rows, cols) == x.value.type.shape and x.offset == 0 and _is_identity(sides, rows, cols):
        return x.value
    return b.view(x.value, x.offset, *sides)


def make_contiguous(b: ProgramBuilder, x: Tensor) -> Tensor:
    """Return an equal row-major tensor over a value of its own, by at most two VIEWs for up to eight dimensions."""
    half = (len(x.sizes) + 1) // 2
    for split in (max(len(x.sizes) - 1, 0), half, *range(len(x.sizes) + 1)):
        sides = merge(x.sizes[:split], x.strides[:split]), merge(x.sizes[split:], x.strides[split:])
        if max(map(len, sides)) <= MAX_VIEW_DIMENSIONS:
            return make_tensor(to_matrix(b, x, split), x.sizes, x.bits)
    raise ValueError(f"a tensor of {len(x.sizes)} dimensions has too many for two VIEWs")


def merge(sizes: Sequence[int], strides: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return (length, stride) of fewer dimensions that read the same entries: (2, 12), (3, 4) is (6, 4)."""
    out: list[tuple[int, int]] = []
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if out and out[-1][1] == size * stride:
            out[-1] = (out[-1][0] * size, stride)
        else:
            out.append((size, stride))
    return tuple(out) or ((1, 0),)


def _is_identity(sides: tuple[tuple[tuple[int, int], ...], ...], rows: int, cols: int) -> bool:
    row_dims, col_dims = sides
    return row_dims in (((rows, cols),), ((1, 0),)) and col_dims in (((cols, 1),), ((1, 0),))


def pad_places(b: ProgramBuilder, x: Tensor, around: Sequence[tuple[int, int]], entry: int) -> Tensor:
    """Return n x h x w x c with (before, after) more rows and columns of places, all of them `entry`."""
    (top, bottom), (left, right) = around
    n, h, w, c = x.sizes
    fill = b.constant(np.array([[entry]]))

    def widen(matrix: Value, before: int, after: int) -> Value:
        parts = [b.view(fill, 0, ((matrix.rows, 0),), ((count, 0),)) if count else None for count in (before, after)]
        found = [part for part in (parts[0], matrix, parts[1]) if part is not None]
        return b.concat(found, 1)

    if left or right:
        x = make_tensor(widen(to_matrix(b, x, 2), left * c, right * c), (n, h, w + left + right, c), x.bits)
        w = x.sizes[2]
    if top or bottom:
        x = make_tensor(widen(to_matrix(b, x, 1), top * w * c, bottom * w * c), (n, h + top + bottom, w, c), x.bits)
    return x
