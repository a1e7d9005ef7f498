"""Patches of a convolution are one affine read, so it is one product; pools read windows in the same way."""

from collections.abc import Mapping, Sequence
from typing import Any

from inos.compiler.context import get_shape
from inos.compiler.layers import get_padding, make_patches, spread
from inos.compiler.tensors import Tensor, make_tensor, pad_places, permute, to_matrix
from inos.learn.context import Back, Context, refuse, rule
from inos.learn.fixed import (
    ACTIVATION_BITS,
    ACTIVATION_LIMIT,
    ERROR_BITS,
    ERROR_LIMIT,
    GRADIENT_BITS,
    to_activation,
)
from inos.learn.operands import SEVEN, Operand, multiply, quantise
from inos.learn.rules.layers import add_bias, find_bias_gradient, find_weight_gradient, quantise_weight
from inos.programs.builder import Value
from inos.programs.library import rescale

CHANNELS_LAST = (0, 2, 3, 1)
CHANNELS_FIRST = (0, 3, 1, 2)


@rule("conv2d")
def write_conv(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    x, weight = to_activation(args[0]), args[1]
    bias, stride, padding, dilation, groups = (list(args[2:]) + [None, 1, 0, 1, 1][len(args) - 2 :])[:5]
    if groups != 1:
        refuse(node, "it has groups", "use a convolution without groups")
    kernel = (weight.sizes[2], weight.sizes[3])
    stride, dilation = spread(stride, False, 1), spread(dilation, False, 1)
    around = get_padding(padding, kernel, dilation, False)
    last = permute(x, CHANNELS_LAST)
    places = quantise(to_matrix(c.b, last, 3), ACTIVATION_BITS, SEVEN)

    def cut(limb: Value) -> Value:
        padded = pad_places(c.b, make_tensor(limb, last.sizes, None), around, 0)
        return to_matrix(c.b, make_patches(padded, kernel, stride, dilation, 1), 4)

    patches = places.map(cut)
    matrix = quantise_weight(c, permute(c.lift(weight), CHANNELS_LAST), 1)
    y = add_bias(multiply(patches, matrix, ACTIVATION_BITS, ACTIVATION_LIMIT), bias)
    sizes = get_shape(node)
    found = permute(make_tensor(y, (sizes[0], sizes[2], sizes[3], sizes[1]), ACTIVATION_BITS), CHANNELS_FIRST)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        moved = permute(error, CHANNELS_LAST)
        e = to_matrix(c.b, moved, 3)
        operand = quantise(e, ERROR_BITS, c.levels)
        made = []
        if node.args[0] in c.trained:
            dx = _find_input_error(c, node, operand, matrix, moved.sizes, x.sizes, kernel, stride, dilation, around)
            made.append((node.args[0], dx))
        if node.args[1] in c.trained:
            dw = find_weight_gradient(c, operand, patches)
            out, depth = weight.sizes[:2]
            shaped = permute(make_tensor(dw, (out, *kernel, depth), GRADIENT_BITS), CHANNELS_FIRST)
            made.append((node.args[1], shaped))
        return made + find_bias_gradient(c, node, e)

    return found, back


def _find_input_error(
    c: Context, node: Any, error: Operand, matrix: Operand, sizes: tuple[int, ...], given: tuple[int, ...],
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], around: Any,
) -> Tensor:  # fmt: skip
    """Return the error of a convolution's input: errors, spread by the stride, convolved with the mirrored kernel."""
    n, oh, ow, out = sizes
    depth = given[1]
    pads = []
    for size, before, reach, height, step in zip(
        (oh, ow), (around[0][0], around[1][0]), _get_reach(kernel, dilation), given[2:], stride, strict=True
    ):
        first = reach - before
        last = height + reach - first - ((size - 1) * step + 1)
        if first < 0 or last < 0:
            refuse(node, "its padding is wider than its kernel", "pad less")
        pads.append((first, last))

    def cut(limb: Value) -> Value:
        whole = _spread(c, make_tensor(limb, (n, oh, ow, out), None), stride)
        padded = pad_places(c.b, whole, pads, 0)
        return to_matrix(c.b, make_patches(padded, kernel, (1, 1), dilation, 1), 4)

    def mirror(limb: Value) -> Value:
        kh, kw = kernel
        strides = (1, -kw * depth, -depth, kh * kw * depth)
        turned = Tensor(limb, (depth, kh, kw, out), strides, (kh * kw - 1) * depth, None)
        return to_matrix(c.b, turned, 1)

    dx = multiply(error.map(cut), matrix.map(mirror), ERROR_BITS, ERROR_LIMIT)
    return permute(make_tensor(dx, (n, given[2], given[3], depth), ERROR_BITS), CHANNELS_FIRST)


def _get_reach(kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    return (kernel[0] - 1) * dilation[0], (kernel[1] - 1) * dilation[1]


def _spread(c: Context, x: Tensor, stride: tuple[int, int]) -> Tensor:
    """Return n x h x w x c with stride - 1 places of zeros between all places."""
    n, h, w, depth = x.sizes
    if stride == (1, 1):
        return x
    zero = c.b.constant(0)

    def widen(matrix: Value, cols: int) -> Value:
        if not cols:
            return matrix
        return c.b.concat([matrix, c.b.view(zero, 0, [(matrix.rows, 0)], [(cols, 0)])], 1)

    wide = widen(to_matrix(c.b, x, 3), (stride[1] - 1) * depth)
    rows = to_matrix(c.b, make_tensor(wide, (n, h, w * stride[1] * depth), None), 2)
    high = widen(rows, (stride[0] - 1) * w * stride[1] * depth)
    whole = make_tensor(high, (n, h * stride[0], w * stride[1], depth), None)
    sizes = (n, (h - 1) * stride[0] + 1, (w - 1) * stride[1] + 1, depth)
    return Tensor(whole.value, sizes, whole.strides, 0, None)


@rule("max_pool2d")
def write_max_pool(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    """Write the largest entry of each window; its error goes to the first one that is as large."""
    windows, inner = _cut_windows(c, node, args)
    count = windows.cols
    key = windows * count + c.b.constant([range(count - 1, -1, -1)])
    top = c.b.max(windows)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        chosen = 1 - c.b.clamp(c.b.max(key) - key, 0, 1)
        e = to_matrix(c.b, permute(error, CHANNELS_LAST), 4)
        return [(node.args[0], _join_windows(c, e * chosen, inner, args[0].sizes))]

    return _name_windows(node, top), back


@rule("avg_pool2d")
def write_mean_pool(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    windows, inner = _cut_windows(c, node, args)
    count = windows.cols
    mean = rescale(c.b.sum(windows), 1 / count)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        e = rescale(to_matrix(c.b, permute(error, CHANNELS_LAST), 4), 1 / count)
        wide = c.b.view(e, 0, [(e.rows, 1)], [(count, 0)])
        return [(node.args[0], _join_windows(c, wide, inner, args[0].sizes))]

    return _name_windows(node, mean), back


def _cut_windows(c: Context, node: Any, args: Sequence[Any]) -> tuple[Value, tuple[int, ...]]:
    """Return one row for each window and channel, and the sizes n, oh, ow, c, kh, kw."""
    x = to_activation(args[0])
    kernel = spread(args[1], False, 1)
    stride = spread(args[2], False, 1) if len(args) > 2 and args[2] else kernel
    rest = [spread(each, False, 0) for each in args[3:5] if not isinstance(each, bool)]
    n, depth, h, w = x.sizes
    is_plain = stride == kernel and all(each in ((0, 0), (1, 1)) for each in rest) and rest[:1] in ([], [(0, 0)])
    if not is_plain or h % kernel[0] or w % kernel[1]:
        refuse(
            node,
            "its windows overlap, or do not cover the input",
            "use a stride of the kernel's size, and fitting sizes",
        )
    sn, sc, sh, sw = x.strides
    sizes = (n, h // kernel[0], w // kernel[1], depth, *kernel)
    cut = Tensor(x.value, sizes, (sn, sh * kernel[0], sw * kernel[1], sc, sh, sw), x.offset, x.bits)
    return to_matrix(c.b, cut, 4), sizes


def _join_windows(c: Context, rows: Value, inner: tuple[int, ...], sizes: tuple[int, ...]) -> Tensor:
    """Return the tensor n x c x h x w of rows as `_cut_windows` makes them."""
    n, oh, ow, depth, kh, kw = inner
    moved = permute(make_tensor(rows, inner, ERROR_BITS), (0, 1, 4, 2, 5, 3))
    last = to_matrix(c.b, moved, 3)
    return permute(make_tensor(last, (n, oh * kh, ow * kw, depth), ERROR_BITS), CHANNELS_FIRST)


def _name_windows(node: Any, column: Value) -> Tensor:
    n, depth, oh, ow = get_shape(node)
    return permute(make_tensor(column, (n, oh, ow, depth), ACTIVATION_BITS), CHANNELS_FIRST)
