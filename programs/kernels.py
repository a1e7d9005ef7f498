"""The arithmetic of the operations in numpy: the reference that every other interpreter is compared with.

`make_kernel` chooses a function once for a node, by its static types; the function checks nothing when it runs. Large
values are computed in blocks, so that beside operands and result a kernel needs a few megabytes at most.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from blake3 import blake3

from inos.programs.costs import compute_random_width
from inos.programs.ops import (
    Add,
    Clamp,
    Concat,
    Gather,
    IntDiv,
    MatmulT,
    Mul,
    Random,
    ReduceMax,
    ReduceSum,
    SimpleOp,
    Table,
    View,
)
from inos.programs.products import Multiply
from inos.programs.types import Array, Type, get_working

Kernel: TypeAlias = Callable[[Sequence[Array]], Array]
"""It takes the operands in their storage types and returns a new result in its storage type, row-major."""

BLOCK: Final = 1 << 16
"""Entries of a block: its temporaries fit the second-level cache."""
RANDOM_CONTEXT: Final = "inos program random v1"


def make_kernel(op: SimpleOp, operands: Sequence[Type], result: Type, product: Multiply) -> Kernel:
    """Return the function that computes one node; products are made by `product`."""
    if type(op) is MatmulT:
        blocks, storage = op.blocks, result.storage
        return lambda args: product(args[0], args[1], blocks).astype(storage, copy=False)
    return MAKERS[type(op)](op, operands, result)


def _in_blocks(kernel: Kernel, result: Type) -> Kernel:
    """Return an elementwise kernel as it is for a small result, and applied block by block for a large one."""
    if result.size <= BLOCK:
        return kernel
    rows, cols, storage = result.rows, result.cols, result.storage
    width = min(cols, BLOCK)
    height = max(1, BLOCK // width)

    def run(args: Sequence[Array]) -> Array:
        out = np.empty((rows, cols), dtype=storage)
        for top in range(0, rows, height):
            for left in range(0, cols, width):
                place = slice(top, top + height), slice(left, left + width)
                out[place] = kernel([_cut(arg, *place) for arg in args])
        return out

    return run


def _cut(array: Array, rows: slice, cols: slice) -> Array:
    """Return a block of an operand; dimensions of 1 broadcast and are not cut."""
    whole = slice(None)
    return array[rows if array.shape[0] > 1 else whole, cols if array.shape[1] > 1 else whole]


def _make_add(_: Add, operands: Sequence[Type], result: Type) -> Kernel:
    working, storage = _get_working(operands, result.lo, result.hi), result.storage
    return _in_blocks(lambda args: np.add(args[0], args[1], dtype=working).astype(storage, copy=False), result)


def _make_mul(op: Mul, operands: Sequence[Type], result: Type) -> Kernel:
    (a, b), shift = operands, op.shift
    corners = (a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi)
    half, storage = 1 << shift >> 1, result.storage
    working = _get_working(operands, half, min(corners) - half, max(corners) + half)

    def multiply(args: Sequence[Array]) -> Array:
        product: Array = np.multiply(args[0], args[1], dtype=working)
        return product.astype(storage, copy=False)

    def multiply_and_shift(args: Sequence[Array]) -> Array:
        product: Array = np.multiply(args[0], args[1], dtype=working)
        product += half
        product >>= shift
        return product.astype(storage, copy=False)

    return _in_blocks(multiply_and_shift if shift else multiply, result)


def _make_intdiv(_: IntDiv, operands: Sequence[Type], result: Type) -> Kernel:
    a, storage = operands[0], result.storage
    working = _get_working(operands, -a.lo, result.lo, result.hi)

    def divide_positive(args: Sequence[Array]) -> Array:
        return np.floor_divide(args[0], args[1], dtype=working).astype(storage, copy=False)

    def divide(args: Sequence[Array]) -> Array:
        quotient = np.floor_divide(np.abs(args[0], dtype=working), args[1], dtype=working)
        np.negative(quotient, out=quotient, where=args[0] < 0)  # towards zero, as C divides
        return quotient.astype(storage, copy=False)

    return _in_blocks(divide_positive if a.lo >= 0 else divide, result)


def _make_clamp(op: Clamp, operands: Sequence[Type], result: Type) -> Kernel:
    x, lo, hi, storage = operands[0], op.lo, op.hi, result.storage
    if lo > x.hi or hi < x.lo:
        return lambda _: np.full(result.shape, result.lo, dtype=storage)
    is_low, is_high = lo > x.lo, hi < x.hi

    def clamp(args: Sequence[Array]) -> Array:
        kept = np.maximum(args[0], lo) if is_low else args[0]
        kept = np.minimum(kept, hi) if is_high else kept
        return kept.astype(storage, copy=False)

    return _in_blocks(clamp, result)


def _make_table(op: Table, _: Sequence[Type], result: Type) -> Kernel:
    first, rows, cols, storage = op.first, result.rows, result.cols, result.storage

    def look_up(args: Sequence[Array]) -> Array:
        table, index = args[1][0], np.subtract(args[0], first, dtype=np.int64)
        return np.take(table, index)

    def look_up_blocks(args: Sequence[Array]) -> Array:
        out, flat, table = np.empty(rows * cols, dtype=storage), args[0].reshape(-1), args[1][0]
        for left in range(0, rows * cols, BLOCK):
            out[left : left + BLOCK] = table.take(np.subtract(flat[left : left + BLOCK], first, dtype=np.int64))
        return out.reshape(rows, cols)

    return look_up if result.size <= BLOCK else look_up_blocks


def _make_gather(_: Gather, __: Sequence[Type], result: Type) -> Kernel:
    rows, height = result.rows, max(1, BLOCK // result.cols)
    shape, storage = result.shape, result.storage

    def gather(args: Sequence[Array]) -> Array:
        return args[0].take(args[1][:, 0], axis=0)

    def gather_blocks(args: Sequence[Array]) -> Array:
        out, index = np.empty(shape, dtype=storage), args[1][:, 0]
        for top in range(0, rows, height):
            out[top : top + height] = args[0].take(index[top : top + height], axis=0)
        return out

    return gather if rows <= height else gather_blocks


def _make_sum(op: ReduceSum, _: Sequence[Type], result: Type) -> Kernel:
    axis, storage, working = op.axis, result.storage, get_working(result.lo, result.hi)

    def reduce(args: Sequence[Array]) -> Array:
        total: Array = np.add.reduce(args[0], axis=axis, dtype=working, keepdims=True)
        return total.astype(storage, copy=False)

    return reduce


def _make_max(op: ReduceMax, _: Sequence[Type], result: Type) -> Kernel:
    axis, storage = op.axis, result.storage

    def reduce(args: Sequence[Array]) -> Array:
        largest: Array = np.maximum.reduce(args[0], axis=axis, keepdims=True)
        return largest.astype(storage, copy=False)

    return reduce


def _make_view(op: View, _: Sequence[Type], result: Type) -> Kernel:
    dimensions = op.rows + op.cols
    lengths, strides = tuple([n for n, _ in dimensions]), tuple([s for _, s in dimensions])
    shape, offset = result.shape, op.offset

    def view(args: Sequence[Array]) -> Array:
        x, item = args[0], args[0].itemsize
        read: Array = np.ndarray(lengths, x.dtype, x, offset * item, tuple([s * item for s in strides]))
        return read.copy().reshape(shape)

    return view


def _make_concat(op: Concat, _: Sequence[Type], result: Type) -> Kernel:
    axis, shape, storage = op.axis, result.shape, result.storage

    def concat(args: Sequence[Array]) -> Array:
        return np.concatenate(args, axis=axis, out=np.empty(shape, dtype=storage), casting="same_kind")

    return concat


def _make_random(op: Random, _: Sequence[Type], __: Type) -> Kernel:
    rows, cols, bits = op.rows, op.cols, op.bits
    return lambda args: draw_random(args[0], rows, cols, bits)


def draw_random(key: Array, rows: int, cols: int, bits: int) -> Array:
    """Return rows x cols entries of `bits` bits less half their range, from BLAKE3's stream of the key.

    The key is hashed as int64, little-endian, row-major. An entry takes the low bits of one byte, or of two if it has
    more than eight bits.
    """
    hasher = blake3(np.ascontiguousarray(key, dtype="<i8").tobytes(), derive_key_context=RANDOM_CONTEXT)
    width, half = compute_random_width(bits), 1 << bits - 1
    working: Any = np.int16 if width == 1 else np.int32
    out = np.empty(rows * cols, dtype=np.int8 if width == 1 else np.int32)
    for left in range(0, rows * cols, BLOCK):
        count = min(BLOCK, rows * cols - left)
        raw = np.frombuffer(hasher.digest(length=count * width, seek=left * width), dtype=f"<u{width}")
        out[left : left + count] = (raw.astype(working) & 2 * half - 1) - half
    return out.reshape(rows, cols)


def _get_working(operands: Sequence[Type], *bounds: int) -> np.dtype[Any]:
    """Return the machine type in which a computation with these bounds on these operands is exact."""
    return get_working(*bounds, *[each.lo for each in operands], *[each.hi for each in operands])


MAKERS: Final[dict[type[SimpleOp], Callable[[Any, Sequence[Type], Type], Kernel]]] = {
    Add: _make_add,
    Mul: _make_mul,
    IntDiv: _make_intdiv,
    Clamp: _make_clamp,
    Table: _make_table,
    ReduceSum: _make_sum,
    ReduceMax: _make_max,
    View: _make_view,
    Gather: _make_gather,
    Concat: _make_concat,
    Random: _make_random,
}
"""All but products, which the interpreter's caller makes."""
