"""The type of each operation's result, or the rule that the node breaks. Nothing here looks at data."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Final

from inos.primitives.matrices import MAX_DEPTH
from inos.programs.errors import InvalidProgram
from inos.programs.limits import (
    INT7_MAX,
    INT7_MIN,
    MAX_KEY,
    MAX_OPERANDS,
    MAX_RANDOM_BITS,
    MAX_SHIFT,
    MAX_SIZE,
    MAX_TABLE,
    MAX_VALUE,
    MAX_VIEW_DIMENSIONS,
)
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
from inos.programs.types import Type


def infer_type(op: SimpleOp, operands: Sequence[Type]) -> Type:
    """Return the type of the result.

    Raises:
        InvalidProgram: "bad-operands", "bad-attribute", "shape-conflict", "not-int7", "out-of-range", "bad-divisor",
            "index-out-of-range", "bad-size".
    """
    wanted, rule = RULES[type(op)]
    if len(operands) != wanted and wanted:
        raise InvalidProgram("bad-operands", f"it takes {wanted} operands and has {len(operands)}")
    result = rule(op, operands)
    if result.lo < -MAX_VALUE or result.hi > MAX_VALUE:
        raise InvalidProgram(
            "out-of-range", f"its result lies in {result.lo} .. {result.hi}, which leaves -2^62 .. 2^62"
        )
    if not (result.rows >= 1 and result.cols >= 1 and result.rows * result.cols <= MAX_SIZE):
        raise InvalidProgram(
            "bad-size", f"its result has {result.rows} x {result.cols} entries; 1 to 2^31 are possible"
        )
    return result


def _infer_add(op: Add, operands: Sequence[Type]) -> Type:
    a, b = operands
    rows, cols = _broadcast(a, b)
    return Type(rows, cols, a.lo + b.lo, a.hi + b.hi)


def _infer_mul(op: Mul, operands: Sequence[Type]) -> Type:
    a, b = operands
    shift = op.shift
    if not 0 <= shift <= MAX_SHIFT:
        raise InvalidProgram("bad-attribute", f"its shift is {shift}; 0 to {MAX_SHIFT} are possible")
    corners = (a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi)
    lo, hi, half = min(corners), max(corners), 1 << shift >> 1
    if hi + half > MAX_VALUE or half - lo > MAX_VALUE:
        raise InvalidProgram(
            "out-of-range", f"its products lie in {lo} .. {hi}, which with rounding leaves -2^62 .. 2^62"
        )
    rows, cols = _broadcast(a, b)
    return Type(rows, cols, lo + half >> shift, hi + half >> shift)


def _infer_intdiv(op: IntDiv, operands: Sequence[Type]) -> Type:
    a, b = operands
    if b.lo < 1:
        raise InvalidProgram("bad-divisor", f"its divisor lies in {b.lo} .. {b.hi}; it must be at least 1")
    rows, cols = _broadcast(a, b)
    return Type(rows, cols, divide(a.lo, b.lo if a.lo < 0 else b.hi), divide(a.hi, b.hi if a.hi < 0 else b.lo))


def divide(a: int, b: int) -> int:
    """Return a / b towards zero; b is at least 1."""
    return a // b if a >= 0 else -(-a // b)


def _broadcast(a: Type, b: Type) -> tuple[int, int]:
    rows, cols = a.rows, a.cols
    if rows == b.rows and cols == b.cols:
        return rows, cols
    if (rows != b.rows and 1 not in (rows, b.rows)) or (cols != b.cols and 1 not in (cols, b.cols)):
        raise InvalidProgram("shape-conflict", f"{rows} x {cols} and {b.rows} x {b.cols} do not broadcast")
    return max(rows, b.rows), max(cols, b.cols)


def _infer_clamp(op: Clamp, operands: Sequence[Type]) -> Type:
    x, lo, hi = operands[0], op.lo, op.hi
    if lo > hi:
        raise InvalidProgram("bad-attribute", f"its bounds {lo} .. {hi} are empty")
    return Type(x.rows, x.cols, min(max(x.lo, lo), hi), max(min(x.hi, hi), lo))


def _infer_product(op: MatmulT, operands: Sequence[Type]) -> Type:
    x, w = operands
    blocks = op.blocks
    if x.cols != w.cols:
        raise InvalidProgram("shape-conflict", f"X has {x.cols} columns and W has {w.cols}")
    if x.cols > MAX_DEPTH:
        raise InvalidProgram("shape-conflict", f"X has {x.cols} columns; a product has at most {MAX_DEPTH}")
    if blocks < 1 or x.rows % blocks or w.rows % blocks:
        raise InvalidProgram(
            "shape-conflict", f"{x.rows} rows of X and {w.rows} rows of W are not cut into {blocks} equal blocks"
        )
    for name, operand in (("X", x), ("W", w)):
        if not operand.is_int7:
            raise InvalidProgram(
                "not-int7", f"{name} lies in {operand.lo} .. {operand.hi}; operands lie in {INT7_MIN} .. {INT7_MAX}"
            )
    corners = (x.lo * w.lo, x.lo * w.hi, x.hi * w.lo, x.hi * w.hi)
    return Type(x.rows, w.rows // blocks, x.cols * min(corners), x.cols * max(corners))


def _infer_table(op: Table, operands: Sequence[Type]) -> Type:
    x, table = operands
    if table.rows != 1 or table.cols > MAX_TABLE:
        raise InvalidProgram(
            "shape-conflict", f"its table is {table.rows} x {table.cols}; it must be one row of at most {MAX_TABLE}"
        )
    if x.lo < op.first or x.hi - op.first >= table.cols:
        last = op.first + table.cols - 1
        raise InvalidProgram(
            "index-out-of-range", f"its index lies in {x.lo} .. {x.hi}, and the table holds {op.first} .. {last}"
        )
    return Type(x.rows, x.cols, table.lo, table.hi)


def _infer_sum(op: ReduceSum, operands: Sequence[Type]) -> Type:
    x = operands[0]
    _check_axis(op.axis)
    if op.axis == 0:
        return Type(1, x.cols, x.rows * x.lo, x.rows * x.hi)
    return Type(x.rows, 1, x.cols * x.lo, x.cols * x.hi)


def _infer_max(op: ReduceMax, operands: Sequence[Type]) -> Type:
    x = operands[0]
    _check_axis(op.axis)
    return Type(1, x.cols, x.lo, x.hi) if op.axis == 0 else Type(x.rows, 1, x.lo, x.hi)


def _infer_view(op: View, operands: Sequence[Type]) -> Type:
    x = operands[0]
    for name, side in (("rows", op.rows), ("columns", op.cols)):
        if not 1 <= len(side) <= MAX_VIEW_DIMENSIONS:
            raise InvalidProgram(
                "bad-attribute", f"its {name} have {len(side)} dimensions; 1 to {MAX_VIEW_DIMENSIONS} are possible"
            )
    least = most = op.offset
    for length, stride in op.rows + op.cols:
        if length < 1:
            raise InvalidProgram("bad-attribute", f"it has a dimension of {length} entries")
        if stride < 0:
            least += (length - 1) * stride
        else:
            most += (length - 1) * stride
    if least < 0 or most >= x.size:
        raise InvalidProgram("index-out-of-range", f"it reads entries {least} .. {most} of a value that has {x.size}")
    return Type(prod([n for n, _ in op.rows]), prod([n for n, _ in op.cols]), x.lo, x.hi)


def _infer_gather(op: Gather, operands: Sequence[Type]) -> Type:
    table, index = operands
    if index.cols != 1:
        raise InvalidProgram("shape-conflict", f"its index has {index.cols} columns; it must have one")
    if index.lo < 0 or index.hi >= table.rows:
        raise InvalidProgram(
            "index-out-of-range", f"its index lies in {index.lo} .. {index.hi}, and there are {table.rows} rows"
        )
    return Type(index.rows, table.cols, table.lo, table.hi)


def _infer_concat(op: Concat, operands: Sequence[Type]) -> Type:
    _check_axis(op.axis)
    if not 1 <= len(operands) <= MAX_OPERANDS:
        raise InvalidProgram("bad-operands", f"it has {len(operands)} operands; 1 to {MAX_OPERANDS} are possible")
    if op.axis == 0:
        extents = {each.cols for each in operands}
        rows, cols = sum([each.rows for each in operands]), operands[0].cols
    else:
        extents = {each.rows for each in operands}
        rows, cols = operands[0].rows, sum([each.cols for each in operands])
    if len(extents) != 1:
        raise InvalidProgram("shape-conflict", f"its operands differ in their {'columns' if op.axis == 0 else 'rows'}")
    return Type(rows, cols, min([each.lo for each in operands]), max([each.hi for each in operands]))


def _infer_random(op: Random, operands: Sequence[Type]) -> Type:
    key, bits = operands[0], op.bits
    if not 1 <= bits <= MAX_RANDOM_BITS:
        raise InvalidProgram("bad-attribute", f"it draws {bits} bits; 1 to {MAX_RANDOM_BITS} are possible")
    if key.size > MAX_KEY:
        raise InvalidProgram("shape-conflict", f"its key has {key.size} entries; at most {MAX_KEY} are possible")
    return Type(op.rows, op.cols, -(1 << bits - 1), (1 << bits - 1) - 1)


def _check_axis(axis: int) -> None:
    if axis not in (0, 1):
        raise InvalidProgram("bad-attribute", f"its axis is {axis}; it must be 0 or 1")


RULES: Final[dict[type[SimpleOp], tuple[int, Callable[[Any, Sequence[Type]], Type]]]] = {
    MatmulT: (2, _infer_product),
    Add: (2, _infer_add),
    Mul: (2, _infer_mul),
    IntDiv: (2, _infer_intdiv),
    Clamp: (1, _infer_clamp),
    Table: (2, _infer_table),
    ReduceSum: (1, _infer_sum),
    ReduceMax: (1, _infer_max),
    View: (1, _infer_view),
    Gather: (2, _infer_gather),
    Concat: (0, _infer_concat),
    Random: (1, _infer_random),
}
"""How many operands each operation takes, 0 for any number, and its rule.

It is a table since a match over so many classes takes most of the checker's time.
"""
