"""Linear layers and embeddings take one product or look-up forward, and up to two products back."""

from collections.abc import Mapping, Sequence
from typing import Any

from inos.compiler.context import get_shape
from inos.compiler.tensors import Tensor, make_tensor, to_matrix
from inos.learn.context import Back, Context, rule
from inos.learn.errors import LearnError
from inos.learn.fixed import (
    ACTIVATION_BITS,
    ACTIVATION_LIMIT,
    ERROR_BITS,
    ERROR_LIMIT,
    GRADIENT_BITS,
    GRADIENT_LIMIT,
    WEIGHT_LIMIT,
    change_bits,
    limit,
    to_activation,
    to_gradient,
)
from inos.learn.operands import SEVEN, Operand, make_exact, multiply, quantise
from inos.programs.builder import Value
from inos.programs.library import one_hot, transpose

OPERAND_BITS = 18
"""Fraction bits of a weight on its way to an operand: int32 leaves room for the scale."""


@rule("linear")
def write_linear(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    x, weight = to_activation(args[0]), args[1]
    bias = args[2] if len(args) > 2 else None
    rows = quantise(to_matrix(c.b, x, len(x.sizes) - 1), ACTIVATION_BITS, SEVEN)
    matrix = quantise_weight(c, weight, 1)
    y = add_bias(multiply(rows, matrix, ACTIVATION_BITS, ACTIVATION_LIMIT), bias)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        e = to_matrix(c.b, error, len(error.sizes) - 1)
        operand = quantise(e, ERROR_BITS, c.levels)
        found = []
        if node.args[0] in c.trained:
            dx = multiply(operand, matrix.transpose(), ERROR_BITS, ERROR_LIMIT)
            found.append((node.args[0], make_tensor(dx, x.sizes, ERROR_BITS)))
        if node.args[1] in c.trained:
            dw = find_weight_gradient(c, operand, rows)
            found.append((node.args[1], make_tensor(dw, weight.sizes, GRADIENT_BITS)))
        return found + find_bias_gradient(c, node, e)

    return make_tensor(y, get_shape(node), ACTIVATION_BITS), back


def quantise_weight(c: Context, weight: Tensor, split: int) -> Operand:
    """Return a parameter as an operand; a constant of the module is one too."""
    narrow = change_bits(c.lift(weight), OPERAND_BITS, WEIGHT_LIMIT)
    return quantise(to_matrix(c.b, narrow, split), OPERAND_BITS, SEVEN)


def add_bias(y: Value, bias: Tensor | None) -> Value:
    """Return y plus the bias of each column."""
    if bias is None:
        return y
    return limit(y + to_matrix(y.builder, to_activation(bias), 0), ACTIVATION_LIMIT)


def find_weight_gradient(c: Context, error: Operand, rows: Operand) -> Value:
    """Return the mean gradient of a weight: errors transposed times the layer's input."""
    return multiply(error.transpose(), rows.transpose(), GRADIENT_BITS, GRADIENT_LIMIT, factor=1 / c.examples)


def find_bias_gradient(c: Context, node: Any, error: Value) -> list[tuple[Any, Tensor]]:
    """Return the mean gradient of a layer's bias, its third argument, if it has one that is trained."""
    if len(node.args) < 3 or node.args[2] not in c.trained:
        return []
    found = to_gradient(c.b.sum(error, 0), ERROR_BITS, c.examples)
    return [(node.args[2], make_tensor(found, (found.cols,), GRADIENT_BITS))]


@rule("embedding")
def write_embedding(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    """Write a look-up; its gradient is a product with the one-hot rows of the tokens."""
    table, index = args[0], args[1]
    count, width = table.sizes
    column = to_matrix(c.b, index, len(index.sizes))
    if column.type.lo < 0 or column.type.hi >= count:
        raise LearnError(
            "bad-data", f"there are tokens {column.type.lo} .. {column.type.hi}; an Embedding has {count} rows",
            hint="give it a row for each token, from 0 on",
        )  # fmt: skip
    y = c.b.gather(to_matrix(c.b, to_activation(table), 1), column)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        if node.args[0] not in c.trained:
            return []
        operand = quantise(to_matrix(c.b, error, len(error.sizes) - 1), ERROR_BITS, c.levels)
        chosen = make_exact(transpose(one_hot(column, count)))
        dt = multiply(chosen, operand.transpose(), GRADIENT_BITS, GRADIENT_LIMIT, factor=1 / c.examples)
        return [(node.args[0], make_tensor(dt, (count, width), GRADIENT_BITS))]

    return make_tensor(y, get_shape(node), ACTIVATION_BITS), back
