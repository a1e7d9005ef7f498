"""Layer normalisation subtracts the mean of each row, and divides by its deviation."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, Final

from inos.compiler.tensors import Tensor, make_tensor, to_matrix
from inos.learn.context import Back, Context, refuse, rule
from inos.learn.fixed import (
    ACTIVATION_BITS,
    ACTIVATION_LIMIT,
    ERROR_BITS,
    ERROR_LIMIT,
    GRADIENT_BITS,
    WEIGHT_BITS,
    limit,
    to_activation,
    to_gradient,
)
from inos.learn.places import to_rows
from inos.programs.builder import Value
from inos.programs.library import rescale, square_root

REACH: Final = 16
"""Normalised entries lie within 16 deviations."""
GAIN_BITS: Final = 16


@rule("layer_norm")
def write_layer_norm(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    x, weight, bias = to_activation(args[0]), *[*args[2:4], None, None][:2]
    if len(args[1]) != 1:
        refuse(node, "it normalises several dimensions at once", "flatten them")
    rows = to_rows(c.b, x)
    normed, slope = normalise(rows)
    gain = None if weight is None else _read_gain(c, weight)
    y = normed if gain is None else c.b.mul(normed, gain, GAIN_BITS)
    if bias is not None:
        y = y + to_matrix(c.b, to_activation(bias), 0)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        e = to_rows(c.b, error)
        inner = e if gain is None else limit(c.b.mul(e, gain, GAIN_BITS), ERROR_LIMIT)
        found = [(node.args[0], make_tensor(slope(inner), x.sizes, ERROR_BITS))]
        for number, each in ((2, c.b.mul(e, normed, ACTIVATION_BITS)), (3, e)):
            if len(node.args) > number and node.args[number] in c.trained:
                row = to_gradient(c.b.sum(each, 0), ERROR_BITS, c.examples)
                found.append((node.args[number], make_tensor(row, (rows.cols,), GRADIENT_BITS)))
        return found

    return make_tensor(limit(y, ACTIVATION_LIMIT), x.sizes, ACTIVATION_BITS), back


def _read_gain(c: Context, weight: Tensor) -> Value:
    whole = c.lift(weight)
    assert whole.bits is not None
    row = to_matrix(c.b, whole, 0)
    return c.b.shift(row, WEIGHT_BITS - GAIN_BITS) if whole.bits == WEIGHT_BITS else row * (1 << GAIN_BITS - whole.bits)


def normalise(x: Value) -> tuple[Value, Any]:
    """Return normalised rows with ACTIVATION_BITS, and the function from their errors to those of x."""
    b, depth = x.builder, x.cols
    centred = x * depth - b.sum(x)
    surplus = max(0, centred.largest.bit_length() - (60 - depth.bit_length()) // 2)
    centred = b.shift(centred, surplus) if surplus else centred
    norm = b.clamp(square_root(b.clamp(b.sum(centred * centred), 0, 1 << 60)), 1, 1 << 30)
    most = REACH << ACTIVATION_BITS
    normed = b.clamp(_divide(centred, norm, sqrt(depth) * 2.0**ACTIVATION_BITS), -most, most)

    def slope(e: Value) -> Value:
        """Return (e - mean(e) - normed * mean(e * normed)) / deviation."""
        mean = rescale(b.sum(e), 1 / depth)
        along = rescale(b.sum(b.mul(e, normed, ACTIVATION_BITS)), 1 / depth)
        rest = limit(e - mean - b.mul(normed, along, ACTIVATION_BITS), 2 * ERROR_LIMIT)
        scale = sqrt(depth) * depth * 2.0 ** (ACTIVATION_BITS - surplus)
        return limit(_divide(rest, norm, scale), ERROR_LIMIT)

    return normed, slope


def _divide(x: Value, norm: Value, scale: float) -> Value:
    """Return x * scale / norm: one division for each row, whose quotient has as many bits as fit."""
    b = x.builder
    room = 60 - x.largest.bit_length()
    bits = max(0, room - max(1, round(scale)).bit_length())
    inverse = b.intdiv(round(scale * 2.0**bits), norm)
    return b.mul(x, inverse, bits)
