"""Rules of the layers with weights: linear, convolutions, batch norm, embedding."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from inos.compiler.arithmetic import LIMIT, limit, scale
from inos.compiler.context import Context, get_op, get_path, get_shape, rule, to_array
from inos.compiler.quantise import Floats, Limbs, Quantiser, choose_quantiser, quantise_weight, spread_channels
from inos.compiler.report import LayerReport
from inos.compiler.tensors import Tensor, make_tensor, move_last, pad_places, permute, replace_value, to_matrix
from inos.programs.builder import Value
from inos.programs.library import split_limbs

Pair: TypeAlias = tuple[int, int]


@rule("linear")
def write_linear(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    x = args[0]
    weight, bias = fold_batch_norm(c, node, to_array(args[1]), args[2] if len(args) > 2 else None)
    found = choose(c, node, weight, 1, lambda rows, w: rows @ w.T)
    q = quantise(c, x, found, len(x.sizes) - 1)
    y = multiply(c, node, to_matrix(c.b, q, len(x.sizes) - 1), weight * found.smooth, bias, found, 1)
    return make_tensor(y, get_shape(node), c.get_bits(get_output(c, node)))


@rule("conv1d", "conv2d")
def write_conv(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    """Write a convolution as one product: the patches of its input are one VIEW (im2col)."""
    x, weight = args[0], to_array(args[1])
    is_flat = get_op(node) == "conv1d"
    rest = list(args[2:]) + [None, 1, 0, 1, 1][len(args) - 2 :]
    groups = rest[4]
    stride, dilation = (spread(rest[i], is_flat, 1) for i in (1, 3))
    kernel = spread(weight.shape[2:], is_flat, 1)
    around = get_padding(rest[2], kernel, dilation, is_flat)
    weight, bias = fold_batch_norm(c, node, weight, rest[0])
    found = choose(c, node, weight, groups, make_convolution(node, rest[1:]))
    q = quantise(c, x, found, 1)
    if is_flat:
        q = Tensor(q.value, (q.sizes[0], q.sizes[1], 1, q.sizes[2]), (*q.strides[:2], 0, q.strides[2]), q.offset, None)
    places = permute(q, (0, 2, 3, 1))
    if any(map(any, around)):
        places = pad_places(c.b, places, around, int(np.clip(-found.zero, -found.levels, found.levels)))
    patches = make_patches(places, kernel, stride, dilation, groups)
    folded = weight * spread_channels(found.smooth, weight, groups)
    folded = folded.reshape(len(folded), folded.shape[1], *kernel).transpose(0, 2, 3, 1).reshape(len(folded), -1)
    y = multiply(c, node, to_matrix(c.b, patches, 4), folded, bias, found, groups)
    return _name_channels(y, get_shape(node), is_flat, c.get_bits(get_output(c, node)))


def _name_channels(y: Value, sizes: tuple[int, ...], is_flat: bool, bits: int) -> Tensor:
    """Return the tensor n x c x h x w over a matrix whose rows are places and whose columns are channels."""
    n, channels, *places = sizes
    height, width = (1, places[0]) if is_flat else places
    found = permute(make_tensor(y, (n, height, width, channels), bits), (0, 3, 1, 2))
    return Tensor(y, sizes, found.strides[:2] + found.strides[3:], 0, bits) if is_flat else found


def make_patches(x: Tensor, kernel: Pair, stride: Pair, dilation: Pair, groups: int) -> Tensor:
    """Return groups x n x oh x ow x kh x kw x (c / groups) of an n x h x w x c tensor: one affine read."""
    n, h, w, channels = x.sizes
    sn, sh, sw, sc = x.strides
    out = [(size - d * (k - 1) - 1) // s + 1 for size, k, s, d in zip((h, w), kernel, stride, dilation, strict=True)]
    each = channels // groups
    sizes = (groups, n, *out, *kernel, each)
    strides = (each * sc, sn, sh * stride[0], sw * stride[1], sh * dilation[0], sw * dilation[1], sc)
    return Tensor(x.value, sizes, strides, x.offset, x.bits)


def make_convolution(node: Any, rest: Sequence[Any]) -> Any:
    """Return the function that computes the convolution in floats for any input and weight."""
    function = getattr(torch.nn.functional, get_op(node))

    def apply(rows: Floats, weight: Floats) -> Floats:
        y: Floats = (
            function(torch.from_numpy(rows).float(), torch.from_numpy(weight).float(), None, *rest).double().numpy()
        )
        return y

    return apply


def spread(value: Any, is_flat: bool, neutral: int) -> Pair:
    """Return torch's one or two numbers as (height, width); one dimension has a height of 1."""
    numbers = [value] if isinstance(value, int) else list(value)
    if is_flat:
        return neutral, numbers[0]
    return numbers[0], numbers[-1]


def get_padding(padding: Any, kernel: Pair, dilation: Pair, is_flat: bool) -> tuple[Pair, Pair]:
    """Return (before, after) of both dimensions."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return (total[0] // 2, total[0] - total[0] // 2), (total[1] // 2, total[1] - total[1] // 2)
    height, width = spread(padding, is_flat, 0)
    return (height, height), (width, width)


def choose(c: Context, node: Any, weight: Floats, groups: int, apply: Any) -> Quantiser:
    """Choose the layer's quantiser and enter the layer in the report."""
    if node in c.choices:
        return c.choices[node]
    limbs, seen = c.get_limbs(node), c.seen.get_samples(node)
    c.choices[node] = found = choose_quantiser(seen, weight, groups, limbs, apply, c.is_smoothed)
    row = LayerReport(
        get_path(node) or node.name, get_op(node), float(seen.lo.min()), float(seen.hi.max()), found.clipped,
        found.strength, (limbs.x, limbs.w),
    )  # fmt: skip
    c.layers.append((row, get_output(c, node)))
    return found


def quantise(c: Context, x: Tensor, found: Quantiser, axis: int) -> Tensor:
    """Return the tensor's int7 entries (14 bits for two limbs), in places of its own; channels lie along `axis`."""
    b, bits = c.b, x.bits
    assert bits is not None
    is_uniform = bool(np.all(found.smooth == found.smooth[0]))
    if x.is_dense and is_uniform:
        place, matrix = x, x.value
        factor: Any = 1 / (found.smooth[0] * found.step) / 2.0**bits
    else:
        last = move_last(x, [axis])
        matrix = to_matrix(b, last, len(last.sizes) - 1)
        order = [i for i in range(len(x.sizes)) if i != axis] + [axis]
        place = permute(make_tensor(matrix, last.sizes, bits), list(np.argsort(order)))
        factor = 1 / (found.smooth * found.step)[None] / 2.0**bits
    q = scale(matrix, factor)
    if found.zero:
        q = q - found.zero
    return replace_value(place, b.clamp(q, -found.levels, found.levels), None)


def multiply(c: Context, node: Any, x: Value, weight: Floats, bias: Any, found: Quantiser, groups: int) -> Value:
    """Return the fixed-point product of quantised rows with a weight (outputs x inputs, scales folded in) plus bias.

    With groups, the rows of x are those of all groups one after the other, and so are the weight's.
    """
    b, limbs = c.b, c.get_limbs(node)
    quantised = quantise_weight(weight, limbs.w)
    y = multiply_limbs(c, x, quantised.entries, limbs, groups)
    if groups > 1:
        rows, each = y.rows // groups, y.cols
        y = b.view(y, 0, ((rows, each),), ((groups, rows * each), (each, 1)))
    bits = c.get_bits(get_output(c, node))
    y = scale(y, quantised.step[None] * found.step * 2.0**bits)
    offset = found.zero * found.step * quantised.step * quantised.entries.sum(axis=1)
    if bias is not None:
        offset = offset + bias
    shift = np.clip(np.round(offset * 2.0**bits), -(2**40), 2**40).astype(np.int64)
    return limit(y + shift[None] if shift.any() else y)


def multiply_limbs(c: Context, x: Value, entries: np.ndarray[Any, Any], limbs: Limbs, groups: int) -> Value:
    """Return x times a constant weight; operands of two limbs are products of their own, joined by powers of 128."""
    b = c.b
    if limbs.x == 2:
        low, high = split_limbs(x)
        single = Limbs(1, limbs.w)
        upper = multiply_limbs(c, high, entries, single, groups)
        return multiply_limbs(c, low, entries, single, groups) + upper * 128
    if limbs.w == 2:
        top = entries + 64 >> 7
        lower = b.matmul(x, b.operand((entries - 128 * top).astype(np.int8)), groups)
        upper = b.matmul(x, b.operand(top.astype(np.int8)), groups)
        return lower + upper * 128
    return b.matmul(x, b.operand(entries.astype(np.int8)), groups)


def get_output(c: Context, node: Any) -> Any:
    """Return the node whose result the layer computes: the batch norm that it takes in, or itself."""
    return c.folds.get(node, node)


def fold_batch_norm(c: Context, node: Any, weight: Floats, bias: Any) -> tuple[Floats, Any]:
    """Return the layer's weight and bias with the batch norm behind it folded in."""
    bias = None if bias is None else to_array(bias)
    if node not in c.folds:
        return weight, bias
    gain, offset = get_batch_norm(c, c.folds[node])
    shaped = gain.reshape(-1, *(1,) * (weight.ndim - 1))
    return weight * shaped, offset + gain * (0.0 if bias is None else bias)


def get_batch_norm(c: Context, node: Any) -> tuple[Floats, Floats]:
    """Return the gain and the offset of a batch norm in eval mode, for each channel."""
    values = [c.seen.constants.get(each) if isinstance(each, torch.fx.Node) else each for each in node.args]
    gain, offset, mean, variance = [None if each is None else to_array(each) for each in values[1:5]]
    if mean is None or variance is None or values[5]:
        c.refuse(node, "it computes its statistics from the batch", "call model.eval(), with running statistics")
    epsilon: float = node.args[7]
    factor = 1 / np.sqrt(variance + epsilon)
    factor = factor if gain is None else factor * gain
    return factor, -mean * factor if offset is None else offset - mean * factor


@rule("batch_norm")
def write_batch_norm(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    x = args[0]
    if node.args[0] in c.folds:
        return x  # type: ignore[no-any-return]
    gain, offset = get_batch_norm(c, node)
    return write_affine(c, node, x, 1, gain, offset)


def write_affine(c: Context, node: Any, x: Tensor, axis: int, gain: Floats, offset: Any) -> Tensor:
    """Return x * gain + offset with one gain and offset for each channel along `axis`."""
    b, bits = c.b, c.get_bits(node)
    assert x.bits is not None
    last = move_last(x, [axis])
    y = scale(to_matrix(b, last, len(last.sizes) - 1), gain[None] * 2.0 ** (bits - x.bits))
    shift = np.clip(np.round(offset * 2.0**bits), -LIMIT, LIMIT).astype(np.int64)
    y = limit(y + np.broadcast_to(shift, gain.shape)[None])
    order = [i for i in range(len(x.sizes)) if i != axis % len(x.sizes)] + [axis % len(x.sizes)]
    return permute(make_tensor(y, last.sizes, bits), list(np.argsort(order)))


@rule("embedding")
def write_embedding(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    index = args[1]
    bits = c.get_bits(node)
    table = c.lift(args[0], bits).value
    column = to_matrix(c.b, index, len(index.sizes))
    if column.type.lo < 0 or column.type.hi >= table.rows:
        column = c.b.clamp(column, 0, table.rows - 1)
    return make_tensor(c.b.gather(table, column), get_shape(node), bits)
