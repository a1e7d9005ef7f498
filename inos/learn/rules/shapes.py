"""Some operations only say where entries lie; their errors go back to the places that the entries came from."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from inos.compiler.context import get_op, get_shape
from inos.compiler.tensors import Tensor, make_contiguous, make_tensor, permute, to_matrix
from inos.compiler.views import write_view
from inos.learn.context import Back, Context, refuse, rule
from inos.learn.fixed import to_activation
from inos.learn.places import to_rows

RESHAPES = ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze")
ORDERS = ("permute", "transpose", "t", "movedim", "swapaxes", "numpy_T")
PARTS = ("select", "slice", "narrow", "chunk", "split", "split_with_sizes", "unbind", "tensor_split")


def _write(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    return write_view(c, node, args, options)  # type: ignore[arg-type]  # it reads the builder alone


@rule(*RESHAPES)
def write_reshape(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Tensor, Back]:
    sizes = args[0].sizes

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        whole = make_contiguous(c.b, error) if not _is_row_major(error) else error
        return [(node.args[0], make_tensor(whole.value, sizes, error.bits))]

    return _write(c, node, args, options), back


def _is_row_major(x: Tensor) -> bool:
    return x.is_dense and x.strides == make_tensor(x.value, x.sizes, x.bits).strides


@rule(*ORDERS)
def write_order(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Tensor, Back]:
    """Write a permutation, which is found by what it does to a tensor whose strides are all different."""
    x = args[0]
    marks = make_tensor(x.value, tuple(range(2, len(x.sizes) + 2)), x.bits)
    probe = Tensor(x.value, x.sizes, tuple([prod(marks.sizes[i + 1 :]) for i in range(len(x.sizes))]), 0, x.bits)
    moved = _write(c, node, [probe, *args[1:]], options)
    order = [probe.strides.index(stride) for stride in moved.strides]

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        return [(node.args[0], permute(error, [int(i) for i in np.argsort(order)]))]

    return permute(x, order), back


@rule(*PARTS)
def write_part(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Any, Back]:
    """Write a part of a tensor, or the list of all its parts. Where no part came from, the error is 0."""
    x = args[0]
    found = _write(c, node, args, options)
    axis, counts = _find_parts(node, x, found)

    def back(error: Any) -> list[tuple[Any, Tensor]]:
        pieces = error if isinstance(error, dict) else {0: error}
        sizes = (*x.sizes[:axis], 0, *x.sizes[axis + 1 :])
        parts, bits = [], next(iter(pieces.values())).bits
        for number, count in counts:
            shape = (*sizes[:axis], count, *sizes[axis + 1 :])
            piece = pieces.get(number)
            if piece is None:
                parts.append(c.b.view(c.b.constant(0), 0, [(prod(shape[:axis]), 0)], [(prod(shape[axis:]), 0)]))
            else:
                parts.append(to_matrix(c.b, make_tensor(to_rows(c.b, piece), shape, bits), axis))
        whole = parts[0] if len(parts) == 1 else c.b.concat(parts, 1)
        return [(node.args[0], make_tensor(whole, x.sizes, bits))]

    return found, back


def _find_parts(node: Any, x: Tensor, found: Any) -> tuple[int, list[tuple[int, int]]]:
    """Return the axis along which parts were taken, and (number of the part, its length) one after the other.

    The number -1 stands for places that are in no part.
    """
    options, name = node.kwargs, get_op(node)
    given = node.args[1:]
    at = {"select": 0, "slice": 0, "narrow": 0, "unbind": 0}.get(name, 1)
    axis = (given[at] if len(given) > at else options.get("dim", 0)) % len(x.sizes)
    size = x.sizes[axis]
    if isinstance(found, list):
        lengths = [1 if name == "unbind" else part.sizes[axis] for part in found]
        return axis, list(enumerate(lengths))
    if name == "select":
        first, length = given[1] % size, 1
    else:
        first = (given[1] if len(given) > 1 and given[1] is not None else 0) if name != "narrow" else given[1]
        first = min(first + size if first < 0 else first, size)
        length = found.sizes[axis]
        if name == "slice" and len(given) > 3 and given[3] != 1:
            refuse(node, "it skips entries", "take slices without a step")
    return axis, [each for each in ((-1, first), (0, length), (-1, size - first - length)) if each[1]]


@rule("getitem")
def write_item(_: Context, node: Any, args: Sequence[Any], __: Mapping[str, Any]) -> tuple[Any, Back]:
    return args[0][args[1]], lambda error: [(node.args[0], {args[1]: error})]  # type: ignore[list-item]


@rule("expand", "expand_as")
def write_expand(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Tensor, Back]:
    x = args[0]
    return _write(c, node, args, options), lambda error: [(node.args[0], sum_to(c, error, x.sizes))]


def sum_to(c: Context, error: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Return the error of a tensor that was broadcast: the sum over the dimensions that it does not have."""
    if error.sizes == sizes:
        return error
    lead = len(error.sizes) - len(sizes)
    inner = (*(1,) * lead, *sizes)
    summed = [i for i, (n, m) in enumerate(zip(error.sizes, inner, strict=True)) if n != m or i < lead]
    kept = [i for i in range(len(error.sizes)) if i not in summed]
    moved = permute(error, summed + kept)
    total = c.b.sum(to_matrix(c.b, moved, len(summed)), 0) if summed else to_matrix(c.b, moved, 0)
    return make_tensor(total, sizes, error.bits)


@rule("contiguous", "clone", "dropout", "alias", "feature_dropout")
def write_same(_: Context, node: Any, args: Sequence[Any], __: Mapping[str, Any]) -> tuple[Any, Back]:
    return args[0], lambda error: [(node.args[0], error)]


@rule("cat", "concat", "concatenate")
def write_cat(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    sizes = get_shape(node)
    axis = (args[1] if len(args) > 1 else 0) % len(sizes)
    parts = [to_activation(c.lift(x)) for x in args[0]]
    value = c.b.concat([to_matrix(c.b, x, axis) for x in parts], 1)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        whole, found, first = to_matrix(c.b, error, axis), [], 0
        for source, part in zip(node.args[0], parts, strict=True):
            width = part.size // value.rows
            piece = c.b.view(whole, first, [(whole.rows, whole.cols)], [(width, 1)])
            found.append((source, make_tensor(piece, part.sizes, error.bits)))
            first += width
        return found

    return make_tensor(value, sizes, parts[0].bits), back
