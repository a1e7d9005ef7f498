"""These rules write sums and products with broadcasting, and means."""

from collections.abc import Mapping, Sequence
from typing import Any

from inos.compiler.context import get_shape
from inos.compiler.tensors import Tensor, expand, make_tensor, move_last, to_matrix
from inos.learn.context import Back, Context, refuse, rule
from inos.learn.fixed import ACTIVATION_BITS, ACTIVATION_LIMIT, ERROR_BITS, limit, to_activation
from inos.learn.places import to_rows
from inos.learn.rules.shapes import sum_to
from inos.programs.library import rescale


@rule("add", "add_")
def write_add(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Tensor, Back]:
    return _write_sum(c, node, args, 1, options)


@rule("sub", "sub_")
def write_sub(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Tensor, Back]:
    return _write_sum(c, node, args, -1, options)


def _write_sum(
    c: Context, node: Any, args: Sequence[Any], sign: int, options: Mapping[str, Any]
) -> tuple[Tensor, Back]:
    if options.get("alpha", 1) != 1:
        refuse(node, "it has a factor alpha", "multiply before")
    sizes = get_shape(node)
    left, right = [to_activation(c.lift(x)) for x in args[:2]]
    first, second = [to_rows(c.b, expand(x, sizes)) for x in (left, right)]
    value = limit(first + second if sign > 0 else first - second, ACTIVATION_LIMIT)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        found = []
        for source, x, factor in ((node.args[0], left, 1), (node.args[1], right, sign)):
            if source in c.trained:
                part = sum_to(c, error, x.sizes)
                found.append(
                    (
                        source,
                        part if factor > 0 else Tensor(-part.value, part.sizes, part.strides, part.offset, part.bits),
                    )
                )
        return found

    return make_tensor(value, sizes, ACTIVATION_BITS), back


@rule("mul", "mul_")
def write_mul(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    sizes = get_shape(node)
    left, right = [to_activation(c.lift(x)) for x in args[:2]]
    first, second = [to_rows(c.b, expand(x, sizes)) for x in (left, right)]
    value = limit(c.b.mul(first, second, ACTIVATION_BITS), ACTIVATION_LIMIT)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        found, e = [], to_rows(c.b, error)
        for source, x, other in ((node.args[0], left, second), (node.args[1], right, first)):
            if source in c.trained:
                whole = make_tensor(c.b.mul(e, other, ACTIVATION_BITS), sizes, ERROR_BITS)
                found.append((source, sum_to(c, whole, x.sizes)))
        return found

    return make_tensor(value, sizes, ACTIVATION_BITS), back


@rule("div", "div_")
def write_div(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> tuple[Tensor, Back]:
    if not isinstance(args[1], (int, float)):
        refuse(node, "it divides by a tensor", "divide by numbers, or let a norm do it")
    return write_mul(c, node, [args[0], 1 / args[1]], {})


@rule("mean")
def write_mean(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Tensor, Back]:
    x = to_activation(args[0])
    dims = args[1] if len(args) > 1 else options.get("dim")
    dims = list(range(len(x.sizes))) if dims is None else [dims] if isinstance(dims, int) else list(dims)
    dims = [dim % len(x.sizes) for dim in dims]
    kept = [i for i in range(len(x.sizes)) if i not in dims]
    rows = to_matrix(c.b, move_last(x, dims), len(kept))
    value = rescale(c.b.sum(rows), 1 / rows.cols)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        one = rescale(to_matrix(c.b, error, len(error.sizes)), 1 / rows.cols)
        inner = make_tensor(one, tuple([1 if i in dims else n for i, n in enumerate(x.sizes)]), ERROR_BITS)
        return [(node.args[0], expand(inner, x.sizes))]

    return make_tensor(value, get_shape(node), ACTIVATION_BITS), back
