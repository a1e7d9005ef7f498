"""Training computes with fixed-point numbers; each kind has its fraction bits and its bounds.

A real number r is the integer round(r * 2^bits). These bits are the same in every layer and in every step, so that
errors of several branches are added without a scale; only operands of products get a scale that is found at run time.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.compiler.tensors import Tensor, replace_value, to_matrix
from inos.learn.errors import LearnError
from inos.programs.builder import Value
from inos.programs.library import rescale

ACTIVATION_BITS: Final = 12
ACTIVATION_LIMIT: Final = 1 << 18
"""Activations lie within 64."""
ERROR_BITS: Final = 20
ERROR_LIMIT: Final = 1 << 24
"""An error is the derivative of one example's loss by an activation; it lies within 16."""
WEIGHT_BITS: Final = 24
WEIGHT_LIMIT: Final = 1 << 27
"""Master weights are int32 and lie within 8."""
GRADIENT_BITS: Final = 28
GRADIENT_LIMIT: Final = (1 << 30) - 1
"""A gradient is the mean over the examples of a shard; each entry is clipped to within 4."""
FACTOR_BITS: Final = 14
"""Of probabilities and of the factors by which activation functions multiply."""


def limit(x: Value, most: int) -> Value:
    """Return the value clamped to -most .. most, if its type leaves that."""
    return x if x.largest <= most else x.builder.clamp(x, -most, most)


def to_activation(x: Tensor) -> Tensor:
    """Return the tensor with the fraction bits of activations.

    Raises:
        LearnError: "bad-data": the module computes with integers that stand for themselves.
    """
    if x.bits is None:
        raise LearnError(
            "bad-data", "the module computes with integers as if they were floats",
            hint="give floats, or let an Embedding read token numbers",
        )  # fmt: skip
    return x if x.bits == ACTIVATION_BITS else change_bits(x, ACTIVATION_BITS, ACTIVATION_LIMIT)


def change_bits(x: Tensor, bits: int, most: int) -> Tensor:
    """Return the tensor with other fraction bits, clamped to -most .. most."""
    assert x.bits is not None
    value = x.value.builder.shift(x.value, x.bits - bits) if x.bits > bits else x.value * (1 << bits - x.bits)
    return replace_value(x, limit(value, most), bits)


def to_gradient(total: Value, bits: int, examples: int) -> Value:
    """Return the mean over the examples of a total with these fraction bits, as a gradient."""
    return limit(rescale(total, 2.0 ** (GRADIENT_BITS - bits) / examples), GRADIENT_LIMIT)


def to_column(x: Tensor) -> Value:
    """Return the entries of a tensor as one column."""
    return to_matrix(x.value.builder, x, len(x.sizes))


def quantise_floats(array: Any, bits: int, most: int) -> NDArray[np.int64]:
    """Return real numbers as fixed-point integers, clamped to -most .. most."""
    scaled = np.round(np.asarray(array, np.float64) * 2.0**bits)
    return np.clip(scaled, -most, most).astype(np.int64)


def drop_ones(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes without those of 1."""
    return tuple([size for size in sizes if size != 1])
