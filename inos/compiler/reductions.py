"""Rules of pooling, means, norms, softmax and argmax."""

from collections.abc import Mapping, Sequence
from math import ceil, log2, prod, sqrt
from typing import Any, Final

import numpy as np

from inos.compiler.arithmetic import LIMIT, find_root, limit, scale
from inos.compiler.context import Context, get_op, get_shape, rule, to_array
from inos.compiler.layers import Pair, make_patches, spread
from inos.compiler.tensors import Tensor, make_tensor, move_last, pad_places, permute, to_matrix
from inos.programs.builder import Value
from inos.programs.library import argmax, softmax

SOFTMAX_BITS: Final = 9


@rule("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d")
def write_pool(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    x: Tensor = args[0]
    name = get_op(node)
    is_flat, is_max = name.endswith("1d"), name.startswith("max")
    kernel = spread(args[1], is_flat, 1)
    stride = spread(args[2], is_flat, 1) if len(args) > 2 and args[2] else kernel
    padding = spread(args[3], is_flat, 0) if len(args) > 3 else (0, 0)
    dilation = spread(args[4], is_flat, 1) if is_max and len(args) > 4 else (1, 1)
    if any(args[5 if is_max else 4 :][:1]) or options.get("ceil_mode"):
        c.refuse(node, "it has ceil_mode", "pad the input, and leave ceil_mode off")
    counts_padding = (args[5] if len(args) > 5 else options.get("count_include_pad", True)) or padding == (0, 0)
    if not is_max and (not counts_padding or (args[6] if len(args) > 6 else None)):
        c.refuse(node, "it does not divide by the whole window", "use count_include_pad=True and no divisor_override")
    if is_flat:
        x = Tensor(x.value, (*x.sizes[:2], 1, x.sizes[2]), (*x.strides[:2], 0, x.strides[2]), x.offset, x.bits)
    places = permute(x, (0, 2, 3, 1))
    if any(padding):
        least = x.value.type.lo if is_max else 0
        places = pad_places(c.b, places, [(each, each) for each in padding], least)
    found = _reduce_windows(c, node, places, kernel, stride, dilation, is_max)
    if is_flat:
        found = Tensor(found.value, get_shape(node), found.strides[:2] + found.strides[3:], 0, found.bits)
    return found


def _reduce_windows(
    c: Context, node: Any, x: Tensor, kernel: Pair, stride: Pair, dilation: Pair, is_max: bool
) -> Tensor:
    """Return n x c x oh x ow: the largest or mean entry of each window of an n x h x w x c tensor."""
    patches = make_patches(x, kernel, stride, dilation, 1)
    _, n, oh, ow, kh, kw, channels = patches.sizes
    windows = permute(patches, (0, 1, 2, 3, 6, 4, 5))
    matrix = to_matrix(c.b, windows, 5)
    if is_max:
        value, bits = c.b.max(matrix), x.bits
    else:
        value, bits = _scale_sum(c, node, x, c.b.sum(matrix), kh * kw)
    return permute(make_tensor(value, (n, oh, ow, channels), bits), (0, 3, 1, 2))


def _scale_sum(c: Context, node: Any, x: Tensor, total: Value, count: int) -> tuple[Value, int]:
    bits = c.get_bits(node)
    assert x.bits is not None
    return limit(scale(total, 2.0 ** (bits - x.bits) / count)), bits


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d")
def write_adaptive_pool(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    x: Tensor = args[0]
    is_flat = get_op(node).endswith("1d")
    if is_flat:
        x = Tensor(x.value, (*x.sizes[:2], 1, x.sizes[2]), (*x.strides[:2], 0, x.strides[2]), x.offset, x.bits)
    wanted = (1, get_shape(node)[2]) if is_flat else get_shape(node)[2:]
    if any(size % out for size, out in zip(x.sizes[2:], wanted, strict=True)):
        c.refuse(node, f"{x.sizes[2:]} places are not cut into {wanted} equal windows", "choose sizes that divide")
    kernel = (x.sizes[2] // wanted[0], x.sizes[3] // wanted[1])
    found = _reduce_windows(c, node, permute(x, (0, 2, 3, 1)), kernel, kernel, (1, 1), False)
    if is_flat:
        found = Tensor(found.value, get_shape(node), found.strides[:2] + found.strides[3:], 0, found.bits)
    return found


@rule("mean", "sum", "amax")
def write_reduction(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    x: Tensor = args[0]
    name = get_op(node)
    given = args[1] if len(args) > 1 else None
    chosen = [given] if isinstance(given, int) else given or range(len(x.sizes))
    dims = sorted({dim % len(x.sizes) for dim in chosen})
    last = move_last(x, dims)
    matrix = to_matrix(c.b, last, len(x.sizes) - len(dims))
    if name == "amax":
        value, bits = c.b.max(matrix), x.bits
    elif x.bits is None:
        value, bits = c.b.sum(matrix), None
    else:
        value, bits = _scale_sum(c, node, x, c.b.sum(matrix), matrix.cols if name == "mean" else 1)
    return make_tensor(value, get_shape(node), bits)


@rule("argmax")
def write_argmax(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    x: Tensor = args[0]
    dim = args[1] if len(args) > 1 else None
    matrix = to_matrix(c.b, x, 0) if dim is None else to_matrix(c.b, move_last(x, [dim]), len(x.sizes) - 1)
    return make_tensor(argmax(matrix), get_shape(node), None)


@rule("softmax", "_softmax")
def write_softmax(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    x: Tensor = args[0]
    assert x.bits is not None
    bits, dim = min(c.get_bits(node), 30), args[1] % len(x.sizes)
    last = move_last(x, [dim])
    scores = scale(to_matrix(c.b, last, len(x.sizes) - 1), 2.0 ** (SOFTMAX_BITS - x.bits))
    shares = softmax(scores, unit=1 << SOFTMAX_BITS, levels=1 << bits)
    order = [i for i in range(len(x.sizes)) if i != dim] + [dim]
    return permute(make_tensor(shares, last.sizes, bits), list(np.argsort(order)))


@rule("layer_norm", "rms_norm")
def write_norm(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    is_centred = get_op(node) == "layer_norm"
    given = [*args[2:], None, None, None]
    gain = given[0]
    offset, epsilon = (given[1], given[2]) if is_centred else (None, given[1])
    if epsilon is None:
        epsilon = 1e-5 if is_centred else 1.1920929e-07
    x: Tensor = args[0]
    split = len(x.sizes) - len(args[1])
    y = _normalise(c, node, to_matrix(c.b, x, split), x.bits or 0, epsilon, is_centred)
    width, bits = prod(x.sizes[split:]), c.get_bits(node)
    gains = np.ones(width) if gain is None else to_array(gain).reshape(-1)
    y = limit(scale(y, gains[None] * 2.0 ** (bits - NORM_BITS)))
    if offset is not None:
        entries = np.clip(np.round(to_array(offset).reshape(1, -1) * 2.0**bits), -LIMIT, LIMIT).astype(np.int64)
        y = limit(y + entries)
    return make_tensor(y, get_shape(node), bits)


NORM_BITS: Final = 16
"""Fraction bits of a norm's result before gain and offset."""
WORK_BITS: Final = 24
"""Bits of the centred entries whose squares are summed."""


def _normalise(c: Context, node: Any, x: Value, bits: int, epsilon: float, is_centred: bool) -> Value:
    """Return (x - mean) / sqrt(variance + epsilon) of each row, or x / sqrt(mean square + epsilon)."""
    b, width = c.b, x.cols
    centred, unit = x, 2.0**-bits  # the real number that one step of `centred` stands for
    if is_centred:
        centred = x * width - b.sum(x)
        unit /= width
    excess = centred.largest.bit_length() - WORK_BITS
    if excess > 0:
        centred, unit = b.shift(centred, excess), unit * 2.0**excess
    added = min(round(width * epsilon / unit**2), 1 << 58)
    squares = b.clamp(b.sum(centred * centred) + added, 1, 1 << 60)
    root = find_root(squares, *_plan_root(c, node, width, unit, epsilon))
    factor = sqrt(width) * 2.0**NORM_BITS
    return b.clamp(b.intdiv(centred * round(factor), root), -LIMIT * 8, LIMIT * 8)


def _plan_root(c: Context, node: Any, width: int, unit: float, epsilon: float) -> tuple[int, int]:
    """Return where Newton's iteration starts, and its rounds, for deviations up to eight times beyond those seen."""
    x = c.seen.firsts[node.args[0]].double().reshape(-1, width).numpy()
    centred = x - x.mean(axis=1, keepdims=True) if get_op(node) == "layer_norm" else x
    deviations = np.sqrt(np.mean(centred**2, axis=1) + epsilon)
    low, high = float(deviations.min()) / 8, float(deviations.max()) * 8
    start = max(1, round(sqrt(low * high) * sqrt(width) / unit))
    return start, 4 + ceil(log2(max(2.0, sqrt(high / low))))
