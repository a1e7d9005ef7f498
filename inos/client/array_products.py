"""numpy's functions that are products of matrices, in terms of `inos.matmul`, for `inos.array`.

Each takes the function that multiplies two operands as `inos.matmul` does, and then what numpy's function takes.
"""

import math
import string
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from inos.client.arrays import to_plain
from inos.client.operands import BadOperand

Multiply = Callable[[Any, Any], Any]


def dot(multiply: Multiply, a: Any, b: Any) -> Any:
    """Multiply as `numpy.dot`: single numbers entry by entry, more axes by the last of A and the last but one of B."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return multiply(a, b) if np.ndim(b) <= 2 else tensordot(multiply, a, b, (-1, -2))


def inner(multiply: Multiply, a: Any, b: Any) -> Any:
    """Multiply as `numpy.inner`: by the last axes of both."""
    return np.multiply(a, b) if np.ndim(a) == 0 or np.ndim(b) == 0 else tensordot(multiply, a, b, (-1, -1))


def vdot(multiply: Multiply, a: Any, b: Any) -> Any:
    """Multiply all entries of real arrays as `numpy.vdot`."""
    return multiply(np.ravel(to_plain(a, "A")), np.ravel(to_plain(b, "B")))


def tensordot(multiply: Multiply, a: Any, b: Any, axes: Any = 2) -> Any:
    """Multiply as `numpy.tensordot`: over pairs of axes, or over so many at the end of A and the front of B."""
    a, b = to_plain(a, "A"), to_plain(b, "B")
    if isinstance(axes, int):
        axes = range(a.ndim - axes, a.ndim), range(axes)
    left = string.ascii_lowercase[: a.ndim]
    right, summed = list(string.ascii_uppercase[: b.ndim]), ""
    for one, other in zip(*(([side] if isinstance(side, int) else side) for side in axes), strict=True):
        right[other] = left[one]
        summed += left[one]
    wanted = [label for label in [*left, *right] if label not in summed]
    return einsum(multiply, f"{left},{''.join(right)}->{''.join(wanted)}", a, b)


def einsum(multiply: Multiply, subscripts: Any, *operands: Any, **options: Any) -> Any:
    """Multiply as `numpy.einsum` where that is one product of two operands.

    Raises:
        BadOperand: "not-one-product" with what to write instead.
    """
    if isinstance(subscripts, str) and len(operands) == 1:
        return np.einsum(subscripts, *operands, **options)
    options.pop("optimize", None)
    refuse_options("einsum", options)
    left, right, wanted = _split(subscripts, len(operands))
    both = [label for label in dict.fromkeys(left) if label in right]
    batch, summed = [x for x in wanted if x in both], [x for x in both if x not in wanted]
    rows, cols = ([x for x in wanted if x in side and x not in both] for side in (left, right))
    for side, parts in ((left, batch + rows + summed), (right, batch + summed + cols)):
        if sorted(side) != sorted(parts):
            label = next(x for x in side if side.count(x) > 1 or x not in parts)
            raise _make_refusal(f"the label {label!r} of {subscripts!r} belongs to one operand alone")
    a, b = (to_plain(each, "an operand") for each in operands)
    if not summed:
        return np.einsum(subscripts, a, b)
    sizes = _measure(subscripts, (left, a), (right, b))

    def arrange(array: Any, side: str, *groups: list[str]) -> Any:
        """Return the array with the batch's axes first, and each group of axes behind them merged into one."""
        order = [side.index(x) for x in batch + [x for group in groups for x in group]]
        merged = (math.prod(sizes[x] for x in group) for group in groups)
        return array.transpose(order).reshape([*(sizes[x] for x in batch), *merged])

    product = multiply(arrange(a, left, rows, summed), arrange(b, right, summed, cols))
    axes = [*batch, *rows, *cols]
    return product.reshape([sizes[x] for x in axes]).transpose([axes.index(x) for x in wanted])[()]


def _split(subscripts: Any, operands: int) -> tuple[str, str, str]:
    """Return the labels of both operands and of the result."""
    if not isinstance(subscripts, str):
        raise _make_refusal("its labels are not text")
    given, arrow, wanted = subscripts.replace(" ", "").partition("->")
    if operands != 2 or given.count(",") != 1:
        raise _make_refusal(f"{subscripts!r} has {operands} operands")
    if "." in subscripts:
        raise _make_refusal(f"{subscripts!r} leaves labels out")
    left, _, right = given.partition(",")
    if not arrow:
        wanted = "".join(sorted(label for label in left + right if (left + right).count(label) == 1))
    return left, right, wanted


def _measure(subscripts: str, *sides: tuple[str, Any]) -> dict[str, int]:
    """Return the length of each label's axis."""
    sizes: dict[str, int] = {}
    for labels, array in sides:
        if len(labels) != array.ndim:
            raise BadOperand("bad-shape", f"{subscripts!r} names {labels!r} for an operand {array.shape}")
        for label, size in zip(labels, array.shape, strict=True):
            if sizes.setdefault(label, size) != size:
                text = f"the axes {label!r} of {subscripts!r} have the lengths {sizes[label]} and {size}"
                raise BadOperand("depth-mismatch", text)
    return sizes


def refuse_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options of numpy that say how it computes, since it does not.

    Raises:
        BadOperand: "bad-option".
    """
    for option in options:
        hint = "leave it out, or multiply plain arrays, which numpy.asarray makes"
        raise BadOperand("bad-option", f"numpy.{name} of an inos.array does not take {option}", hint=hint)


def _make_refusal(text: str) -> BadOperand:
    hint = "multiply two operands at a time with @ or einsum('ij,jk->ik', a, b), and sum or pick diagonals before"
    return BadOperand("not-one-product", f"numpy.einsum of an inos.array is one product of two, and {text}", hint=hint)


FUNCTIONS: Final[Mapping[Any, Callable[..., Any]]] = {
    np.dot: dot,
    np.inner: inner,
    np.vdot: vdot,
    np.tensordot: tensordot,
    np.einsum: einsum,
}
_UFUNCS: Final[Mapping[str, Callable[[Multiply, Any, Any], Any]]] = {
    "matmul": lambda multiply, a, b: multiply(a, b),
    "vecdot": lambda multiply, a, b: multiply(a[..., None, :], b[..., :, None])[..., 0, 0],
    "matvec": lambda multiply, a, b: multiply(a, b[..., None])[..., 0],
    "vecmat": lambda multiply, a, b: multiply(a[..., None, :], b)[..., 0, :],
}
UFUNCS: Final = {getattr(np, name): function for name, function in _UFUNCS.items() if hasattr(np, name)}
"""Older releases of numpy have only the first of these."""
