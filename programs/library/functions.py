"""Functions of one number by tables, softmax, and the normalisation of rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from inos.programs.builder import Value
from inos.programs.errors import InvalidProgram
from inos.programs.library.arithmetic import divide_rounded, square_root
from inos.programs.limits import MAX_TABLE


def tabulate(
    x: Value, function: Callable[[Any], Any], *, unit: int, reach: float, scale: float, zero: int = 0
) -> Value:
    """Return round(function(x / unit) / scale) + zero, from a table over -reach .. reach; x is clamped to it.

    Raises:
        InvalidProgram: "out-of-range" if the table would have more than 65,536 entries.
    """
    b, last = x.builder, int(reach * unit)
    if 2 * last + 1 > MAX_TABLE:
        raise InvalidProgram("out-of-range", f"a table over {2 * last + 1} entries is larger than {MAX_TABLE}")
    entries = np.round(function(np.arange(-last, last + 1) / unit) / scale).astype(np.int64) + zero
    return b.table(b.clamp(x, -last, last), entries[None], -last)


def exponentials(x: Value, *, unit: int, levels: int, mask: Any = None) -> Value:
    """Return round(levels * e^((x - the row's largest) / unit)), row by row.

    Args:
        mask: an array of x's dimensions, true for the entries that count; the others become 0.
    """
    b, reach = x.builder, int(np.ceil(np.log(levels * 2) * unit))
    if mask is not None:
        away = x.type.hi - x.type.lo + reach
        x = x + b.constant(np.where(np.asarray(mask), 0, -away))
    below = b.clamp(x - b.max(x), -reach, 0)
    return b.table(below, np.round(levels * np.exp(np.arange(-reach, 1) / unit)).astype(np.int64)[None], -reach)


def softmax(x: Value, *, unit: int, levels: int, mask: Any = None) -> Value:
    """Return the softmax of each row times `levels`, rounded. Every row of the mask has a true entry."""
    b = x.builder
    powers = exponentials(x, unit=unit, levels=1 << 14, mask=mask)
    total = b.clamp(b.sum(powers), 1, powers.cols << 14)
    return b.clamp(divide_rounded(powers * levels, total), 0, levels)


def normalise(x: Value, *, levels: int, reach: float, centre: bool = True, lo: int = -63, hi: int = 63) -> Value:
    """Return the rows of x, less their means, divided by their deviations, times `levels` / `reach`: LayerNorm.

    Without `centre` it is RMSNorm. Gain and offset belong into the next layer. A row of equal entries becomes zeros.
    """
    b, depth = x.builder, x.cols
    centred = x * depth - b.sum(x) if centre else x
    surplus = centred.largest.bit_length() - (60 - depth.bit_length()) // 2
    centred = (
        b.shift(centred, surplus) if surplus > 0 else centred * (1 << -surplus)
    )  # as many bits as squares have room
    square = b.sum(centred * centred)
    norm = b.clamp(square_root(b.clamp(square, 0, 1 << 60)), 1, 1 << 30)  # of the whole row: sqrt(depth) deviations
    factor = round(levels / reach * np.sqrt(depth) * 256)
    return b.clamp(b.shift(b.intdiv(centred * factor, norm), 8), lo, hi)
