"""Activation functions compute each entry of the result from its own entry, by a mask or by tables."""

from collections.abc import Callable, Mapping, Sequence
from math import erf, pi, sqrt
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inos.compiler.tensors import Tensor, replace_value
from inos.learn.context import Back, Context, rule
from inos.learn.fixed import ACTIVATION_BITS, ACTIVATION_LIMIT, ERROR_BITS, FACTOR_BITS, to_activation
from inos.learn.places import to_dense, to_places
from inos.programs.builder import Value
from inos.programs.library import tabulate

Function: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
TABLE_BITS: Final = 10
"""Fraction bits of the index of a table."""
REACH: Final = 6.0
"""Tables cover -REACH .. REACH; beyond that a function is what it is at the end."""


@rule("relu", "relu_")
def write_relu(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    x = to_dense(c.b, to_activation(args[0]))
    y = replace_value(x, c.b.clamp(x.value, 0, ACTIVATION_LIMIT), x.bits)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        return [(node.args[0], scale_error(c, error, y, c.b.clamp(y.value, 0, 1), 0))]

    return y, back


def scale_error(c: Context, error: Tensor, place: Tensor, factor: Value, shift: int) -> Tensor:
    """Return the error times a factor for each entry; factors lie where `place` has its entries."""
    return replace_value(place, c.b.mul(to_places(c.b, error, place), factor, shift), ERROR_BITS)


def look_up(x: Value, function: Function) -> Value:
    """Return a function of each activation with FACTOR_BITS fraction bits."""
    index = x.builder.shift(x, ACTIVATION_BITS - TABLE_BITS)
    return tabulate(index, function, unit=1 << TABLE_BITS, reach=REACH, scale=2.0**-FACTOR_BITS)


def write_gate(c: Context, node: Any, given: Any, gate: Function, slope: Function) -> tuple[Tensor, Back]:
    """Write x * gate(x), whose derivative is slope(x): exact where the gate is 0 or 1."""
    x = to_dense(c.b, to_activation(given))
    y = replace_value(x, c.b.mul(x.value, look_up(x.value, gate), FACTOR_BITS), x.bits)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        return [(node.args[0], scale_error(c, error, x, look_up(x.value, slope), FACTOR_BITS))]

    return y, back


def write_curve(c: Context, node: Any, given: Any, function: Function, slope: Function) -> tuple[Tensor, Back]:
    """Write a bounded function and its derivative by tables."""
    x = to_dense(c.b, to_activation(given))
    y = replace_value(x, c.b.shift(look_up(x.value, function), FACTOR_BITS - ACTIVATION_BITS), x.bits)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        return [(node.args[0], scale_error(c, error, x, look_up(x.value, slope), FACTOR_BITS))]

    return y, back


@rule("gelu")
def write_gelu(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Tensor, Back]:
    if options.get("approximate", "none") == "tanh":
        return write_gate(c, node, args[0], _compute_tanh_gate, _compute_tanh_slope)
    normal = np.vectorize(lambda x: 0.5 * (1 + erf(x / sqrt(2))))
    return write_gate(c, node, args[0], normal, lambda x: normal(x) + x * np.exp(-x * x / 2) / sqrt(2 * pi))


def _compute_tanh_gate(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))))


def _compute_tanh_slope(x: NDArray[np.float64]) -> NDArray[np.float64]:
    gate = _compute_tanh_gate(x)
    return gate + x * 2 * gate * (1 - gate) * sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)


@rule("silu", "silu_")
def write_silu(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    return write_gate(c, node, args[0], _compute_sigmoid, lambda x: _slope_silu(x))


def _compute_sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))


def _slope_silu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    gate = _compute_sigmoid(x)
    return gate + x * gate * (1 - gate)


@rule("tanh", "tanh_")
def write_tanh(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    return write_curve(c, node, args[0], np.tanh, lambda x: 1 - np.tanh(x) ** 2)


@rule("sigmoid", "sigmoid_")
def write_sigmoid(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    return write_curve(c, node, args[0], _compute_sigmoid, lambda x: _compute_sigmoid(x) * (1 - _compute_sigmoid(x)))
