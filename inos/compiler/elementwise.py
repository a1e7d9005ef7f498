"""Rules of elementwise operations: sums, products, activations, masks."""

from collections.abc import Mapping, Sequence
from math import ceil, log2
from typing import Any, Final

import numpy as np
import torch

from inos.compiler.arithmetic import LIMIT, choose_bits, limit, scale, to_fixed
from inos.compiler.context import Context, get_op, get_shape, rule
from inos.compiler.tensors import Tensor, expand, make_contiguous, make_tensor, permute, replace_value, to_matrix
from inos.programs.builder import Value
from inos.programs.limits import MAX_SHIFT

TABLED: Final = (
    "gelu", "silu", "tanh", "sigmoid", "elu", "selu", "celu", "leaky_relu", "softplus", "hardswish", "hardsigmoid",
    "mish", "logsigmoid", "log_sigmoid", "erf", "exp", "log", "sqrt", "rsqrt", "reciprocal", "abs", "cos", "sin", "pow",
)  # fmt: skip
"""Functions of one tensor that become a TABLE, whose entries torch computes itself."""
TABLE_BITS: Final = 12
"""A table has about 2^12 entries over the calibrated range and a quarter of it on each side."""


@rule(*TABLED)
def write_tabled(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    x: Tensor = args[0]
    if any(isinstance(each, Tensor) for each in args[1:]):
        c.refuse(node, "its second operand is no constant", "use a constant number")
    if node.target is torch.ops.aten.pow.Tensor_Scalar and args[1] == 2:
        return _multiply(c, node, x, x, c.get_bits(node))
    source = node.args[0]
    bits, span = c.get_bits(node), c.seen.spans[source]
    assert x.bits is not None
    margin = (span.hi - span.lo) / 4
    lo, hi = span.lo - margin, span.hi + margin
    drop = max(0, x.bits + ceil(log2(max(hi - lo, 2.0**-x.bits))) - TABLE_BITS)
    first, last = int(np.floor(lo * 2.0 ** (x.bits - drop))), int(np.ceil(hi * 2.0 ** (x.bits - drop)))
    grid = torch.arange(first, last + 1, dtype=torch.float64) / 2.0 ** (x.bits - drop)
    entries = node.target(grid, *args[1:], **options).numpy()
    x = x if x.is_dense else make_contiguous(c.b, x)
    index = c.b.shift(x.value, drop) if drop else x.value
    table = c.b.constant(to_fixed(entries, bits)[None])
    return replace_value(x, c.b.table(c.b.clamp(index, first, last), table, first), bits)


@rule("relu", "relu_", "relu6", "hardtanh", "clamp", "clamp_min", "clamp_max")
def write_clamp(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    x: Tensor = args[0]
    name = get_op(node)
    given = [*args[1:], None, None]
    lo, hi = {
        "relu": (0.0, None), "relu_": (0.0, None), "relu6": (0.0, 6.0), "clamp_max": (None, given[0]),
        "hardtanh": (-1.0 if given[0] is None else given[0], 1.0 if given[1] is None else given[1]),
    }.get(name, (options.get("min", given[0]), options.get("max", given[1])))  # fmt: skip
    if isinstance(lo, Tensor | torch.Tensor) or isinstance(hi, Tensor | torch.Tensor):
        c.refuse(node, "its bounds are tensors", "use constant numbers")
    x = x if x.is_dense else make_contiguous(c.b, x)
    least = -LIMIT if lo is None else int(to_fixed(lo, x.bits or 0))
    most = LIMIT if hi is None else int(to_fixed(hi, x.bits or 0))
    return replace_value(x, c.b.clamp(x.value, least, most), x.bits)


@rule("add", "add_", "sub", "sub_", "rsub")
def write_sum(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    name = get_op(node)
    alpha = options.get("alpha", args[2] if len(args) > 2 else 1)
    signs = {"add": (1, alpha), "add_": (1, alpha), "rsub": (-alpha, 1)}.get(name, (1, -alpha))
    if not node.meta["val"].dtype.is_floating_point:
        bits = None
    else:
        known = [x.bits for x in args[:2] if isinstance(x, Tensor) and x.bits is not None]
        wanted = c.get_bits(node)
        least = min(known, default=wanted)
        bits = least if wanted - 4 <= least <= wanted + 1 else wanted  # a shift less where the precision allows it
    left, right = (_multiply_by(c, c.lift(x, bits), sign) for x, sign in zip(args[:2], signs, strict=True))
    x, y, place = align(c, left, right, get_shape(node))
    return replace_value(place, limit(x + y), bits)


def _multiply_by(c: Context, x: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return x
    x = x if x.is_dense else make_contiguous(c.b, x)
    return replace_value(x, scale(x.value, factor), x.bits)


@rule("neg")
def write_negation(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    return _multiply_by(c, args[0], -1)


@rule("mul", "mul_", "div", "div_")
def write_product(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    is_division = get_op(node).startswith("div")
    x, y = args[:2] if isinstance(args[0], Tensor) or is_division else args[1::-1]
    bits = c.get_bits(node) if node.meta["val"].dtype.is_floating_point else None
    if is_division and (not isinstance(x, Tensor) or isinstance(y, Tensor) or options.get("rounding_mode")):
        c.refuse(node, "the divisor is no constant, or it rounds", "divide by a constant, or outside of the module")
    if isinstance(y, Tensor):
        return _multiply(c, node, x, y, bits)
    factor = np.asarray(y.detach().double().cpu() if isinstance(y, torch.Tensor) else y, np.float64)
    factor = 1 / factor if is_division else factor
    if bits is None or x.bits is None:
        return _multiply(c, node, x, c.lift(factor, None), bits)
    if factor.size == 1:
        factor = factor.item() * 2.0 ** (bits - x.bits)
        x = x if x.is_dense else make_contiguous(c.b, x)
        return replace_value(x, limit(scale(x.value, factor)), bits)
    return _multiply(c, node, x, c.lift(factor, choose_bits(float(np.abs(factor).max()))), bits)


def _multiply(c: Context, node: Any, x: Tensor, y: Tensor, bits: int | None) -> Tensor:
    a, b, place = align(c, x, y, get_shape(node))
    if bits is None:
        return replace_value(place, limit(a * b), None)
    drop = (x.bits or 0) + (y.bits or 0) - bits
    product = c.b.mul(a, b, min(max(drop, 0), MAX_SHIFT))
    return replace_value(place, limit(product if drop >= 0 else scale(product, 2.0**-drop)), bits)


def align(c: Context, x: Tensor, y: Tensor, sizes: tuple[int, ...]) -> tuple[Value, Value, Tensor]:
    """Return two matrices that broadcast with each other, and a tensor of `sizes` whose places their result fills."""
    has_same_places = x.is_dense and y.is_dense and (x.sizes, x.strides) == (y.sizes, y.strides)
    if has_same_places and x.value.type.shape == y.value.type.shape:
        return x.value, y.value, x
    x, y = expand(x, sizes), expand(y, sizes)
    leader = x if x.is_dense or not y.is_dense else y
    order = list(range(len(sizes)))
    if leader.is_dense:
        order.sort(key=lambda i: -leader.strides[i])
    parts = [_to_broadcast(c, permute(each, order)) for each in (x, y)]
    if all(part.rows == 1 for part in parts) or all(part.cols == 1 for part in parts):
        parts[leader is y] = to_matrix(c.b, permute(leader, order), max(len(sizes) - 1, 0))
    place = make_tensor(x.value, [sizes[i] for i in order], x.bits)
    return parts[0], parts[1], permute(place, np.argsort(order).tolist())


def _to_broadcast(c: Context, x: Tensor) -> Value:
    """Return the tensor as a matrix of its last dimension's columns, or of one row or column if all are equal."""
    split = max(len(x.sizes) - 1, 0)
    has_equal_rows = all(s == 0 or n == 1 for n, s in zip(x.sizes[:split], x.strides[:split], strict=True))
    has_equal_columns = all(s == 0 or n == 1 for n, s in zip(x.sizes[split:], x.strides[split:], strict=True))
    sizes = tuple(
        1 if (i < split and has_equal_rows) or (i >= split and has_equal_columns) else n for i, n in enumerate(x.sizes)
    )
    return to_matrix(c.b, Tensor(x.value, sizes, x.strides, x.offset, x.bits), split)


@rule("masked_fill", "masked_fill_")
def write_masked_fill(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    x, mask, entry = args[:3]
    return _choose_by_mask(c, node, mask, entry, x)


@rule("where")
def write_where(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    return _choose_by_mask(c, node, *args[:3])


def _choose_by_mask(c: Context, node: Any, mask: Any, x: Any, y: Any) -> Tensor:
    """Return x where the mask is 1 and y where it is 0: mask * (x - y) + y."""
    sizes, bits = get_shape(node), None
    if node.meta["val"].dtype.is_floating_point:
        known = [each.bits for each in (x, y) if isinstance(each, Tensor) and each.bits is not None]
        bits = min(known, default=c.get_bits(node))
    chosen = c.lift(mask, None)
    first, second = (c.lift(each, bits) for each in (x, y))
    a, b, place = align(c, first, _multiply_by(c, second, -1), sizes)
    difference = replace_value(place, a + b, bits)
    a, b, place = align(c, difference, chosen, sizes)
    masked = replace_value(place, a * b, bits)
    a, b, place = align(c, masked, second, sizes)
    return replace_value(place, limit(a + b), bits)


@rule("bitwise_not", "logical_not")
def write_not(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    x: Tensor = args[0]
    if node.meta["val"].dtype is not torch.bool:
        c.refuse(node, "its operand is no mask", "use a boolean tensor")
    x = x if x.is_dense else make_contiguous(c.b, x)
    return replace_value(x, 1 - x.value, None)
