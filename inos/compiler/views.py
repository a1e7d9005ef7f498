"""Rules of operations that only say where entries lie: reshapes, permutations, slices, concatenations."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch

from inos.compiler.context import Context, get_op, get_shape, rule
from inos.compiler.tensors import Tensor, make_contiguous, make_tensor, to_matrix

VIEWS = (
    "view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "t",
    "select", "slice", "narrow", "expand", "expand_as", "chunk", "split", "split_with_sizes", "unbind", "movedim",
    "swapaxes", "numpy_T", "view_as", "tensor_split",
)  # fmt: skip


@rule(*VIEWS)
def write_view(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Let torch compute sizes, strides and offset, on a tensor without data that has those of the program's tensor."""
    x, *rest = args
    function = torch.ops.aten.view.default if node.target is torch.ops.aten.reshape.default else node.target
    others = [_make_shadow(each) if isinstance(each, Tensor) else each for each in rest]
    try:
        found = function(_make_shadow(x), *others, **options)
        is_view = _is_view(found)
    except RuntimeError:  # the strides do not allow it without a copy
        is_view = False
    if not is_view:
        x = make_contiguous(c.b, x)
        found = function(_make_shadow(x), *others, **options)
    if isinstance(found, torch.Tensor):
        return _read_shadow(x, found)
    return [_read_shadow(x, each) for each in found]


def _make_shadow(x: Tensor) -> Any:
    whole = torch.empty(x.value.type.size, device="meta")
    return whole.as_strided(x.sizes, x.strides, x.offset)


def _is_view(found: Any) -> bool:
    return all(each._is_view() for each in ([found] if isinstance(found, torch.Tensor) else found))


def _read_shadow(x: Tensor, shadow: Any) -> Tensor:
    return Tensor(x.value, tuple(shadow.shape), tuple(shadow.stride()), shadow.storage_offset(), x.bits)


@rule("repeat_interleave", "repeat", "tile")
def write_repeat(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    """Write entries that occur several times: dimensions of stride 0 beside those that are repeated."""
    x, counts = args[0], args[1]
    if get_op(node) == "repeat_interleave":
        dim = options.get("dim", args[2] if len(args) > 2 else None)
        if dim is None or not isinstance(counts, int):
            c.refuse(
                node, "it has no dimension, or counts of their own for each entry", "give one count and a dimension"
            )
        pairs = [(counts if i == dim % len(x.sizes) else 1, False) for i in range(len(x.sizes))]
    else:
        lead = len(counts) - len(x.sizes)
        x = Tensor(x.value, (*(1,) * lead, *x.sizes), (*(0,) * lead, *x.strides), x.offset, x.bits)
        pairs = [(count, True) for count in counts]
    sizes: list[int] = []
    strides: list[int] = []
    for size, stride, (count, is_outer) in zip(x.sizes, x.strides, pairs, strict=True):
        sizes += [count, size] if is_outer else [size, count]
        strides += [0, stride] if is_outer else [stride, 0]
    spread = make_contiguous(c.b, Tensor(x.value, tuple(sizes), tuple(strides), x.offset, x.bits))
    return make_tensor(spread.value, get_shape(node), x.bits)


@rule("contiguous", "clone", "dropout", "alias", "detach", "lift_fresh_copy", "feature_dropout", "detach_")
def write_same(_: Context, node: Any, args: Sequence[Any], __: Mapping[str, Any]) -> Any:
    return args[0]


@rule("to", "_to_copy", "float", "double", "type_as")
def write_conversion(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    x: Tensor = args[0]
    is_floating = node.meta["val"].dtype.is_floating_point
    if (x.bits is None) == is_floating:
        if not is_floating:
            c.refuse(node, "it rounds floats to integers", "do this outside of the compiled module")
        return Tensor(x.value, x.sizes, x.strides, x.offset, 0)
    return x


@rule("getitem")
def write_item(_: Context, node: Any, args: Sequence[Any], __: Mapping[str, Any]) -> Any:
    return args[0][args[1]]


@rule("cat", "concat", "concatenate")
def write_cat(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    sizes = get_shape(node)
    axis = (args[1] if len(args) > 1 else 0) % len(sizes)
    is_floating = node.meta["val"].dtype.is_floating_point
    bits = None
    if is_floating:
        known = [x.bits for x in args[0] if isinstance(x, Tensor)]
        bits = min([each for each in known if each is not None], default=c.get_bits(node))
    shapes = [x.sizes if isinstance(x, Tensor) else tuple(x.shape) for x in args[0]]
    parts = [c.lift(x, bits) for x, shape in zip(args[0], shapes, strict=True) if prod(shape)]
    if prod(sizes[:axis]) == 1:
        return make_tensor(c.b.concat([to_matrix(c.b, x, axis + 1) for x in parts], 0), sizes, bits)
    return make_tensor(c.b.concat([to_matrix(c.b, x, axis) for x in parts], 1), sizes, bits)


@rule("stack")
def write_stack(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    sizes = get_shape(node)
    axis = (args[1] if len(args) > 1 else 0) % len(sizes)
    parts = []
    for lifted in [c.lift(x, None if isinstance(x, Tensor) else c.get_bits(node)) for x in args[0]]:
        shape = (*lifted.sizes[:axis], 1, *lifted.sizes[axis:])
        strides = (*lifted.strides[:axis], 0, *lifted.strides[axis:])
        parts.append(Tensor(lifted.value, shape, strides, lifted.offset, lifted.bits))
    found: Tensor = write_cat(c, node, [parts, axis], options)
    return found
