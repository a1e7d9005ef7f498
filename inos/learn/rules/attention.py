"""Scaled dot-product attention is two products for each head, and a softmax between them."""

from collections.abc import Mapping, Sequence
from math import ceil, log, prod, sqrt
from typing import Any, Final

import numpy as np
import torch

from inos.compiler.context import get_shape
from inos.compiler.tensors import Tensor, make_tensor, to_matrix
from inos.learn.context import Back, Context, refuse, rule
from inos.learn.fixed import ACTIVATION_BITS, ACTIVATION_LIMIT, ERROR_BITS, ERROR_LIMIT, FACTOR_BITS, to_activation
from inos.learn.operands import FOURTEEN, SEVEN, Operand, multiply, quantise
from inos.programs.builder import Value

SCORE_BITS: Final = ACTIVATION_BITS


@rule("scaled_dot_product_attention")
def write_attention(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Tensor, Back]:
    given = dict(zip(("attn_mask", "dropout_p", "is_causal"), args[3:], strict=False)) | dict(options)
    q, k, v = [to_activation(each) for each in args[:3]]
    if q.sizes[:-2] != k.sizes[:-2] or k.sizes[:-1] != v.sizes[:-1] or q.sizes[-1] != k.sizes[-1]:
        refuse(node, "heads of queries, keys and values differ", "give each head its own keys and values")
    heads, places, width = prod(q.sizes[:-2]), k.sizes[-2], v.sizes[-1]
    factor = given.get("scale") or 1 / sqrt(q.sizes[-1])
    queries, keys = [quantise(to_matrix(c.b, x, len(x.sizes) - 1), ACTIVATION_BITS, SEVEN) for x in (q, k)]
    values = quantise(to_matrix(c.b, v, len(v.sizes) - 1), ACTIVATION_BITS, SEVEN)
    scores = multiply(queries, keys, SCORE_BITS, ACTIVATION_LIMIT, factor=factor, blocks=heads)
    share = _find_shares(c, scores, _read_mask(c, node, given, q.sizes[-2], places), heads)
    weights = quantise(share, FACTOR_BITS, FOURTEEN)
    y = multiply(weights, _turn(values, heads), ACTIVATION_BITS, ACTIVATION_LIMIT, blocks=heads)

    def back(error: Tensor) -> list[tuple[Any, Tensor]]:
        e = quantise(to_matrix(c.b, error, len(error.sizes) - 1), ERROR_BITS, c.levels)
        dv = multiply(_turn(weights, heads), _turn(e, heads), ERROR_BITS, ERROR_LIMIT, blocks=heads)
        ds = multiply(e, values, ERROR_BITS, ERROR_LIMIT, blocks=heads)
        along = c.b.sum(c.b.mul(ds, share, FACTOR_BITS))
        inner = c.b.clamp(c.b.mul(ds - along, share, FACTOR_BITS), -ERROR_LIMIT, ERROR_LIMIT)
        d = quantise(inner, ERROR_BITS, c.levels)
        dq = multiply(d, _turn(keys, heads), ERROR_BITS, ERROR_LIMIT, factor=factor, blocks=heads)
        dk = multiply(_turn(d, heads), _turn(queries, heads), ERROR_BITS, ERROR_LIMIT, factor=factor, blocks=heads)
        parts = zip(node.args[:3], (dq, dk, dv), (q, k, v), strict=True)
        return [(source, make_tensor(part, x.sizes, ERROR_BITS)) for source, part, x in parts]

    assert y.cols == width
    return make_tensor(y, get_shape(node), ACTIVATION_BITS), back


def _turn(x: Operand, heads: int) -> Operand:
    """Return the operand with the block of each head transposed."""

    def view(limb: Value) -> Value:
        rows, cols = limb.rows // heads, limb.cols
        return limb.builder.view(limb, 0, [(heads, rows * cols), (cols, 1)], [(rows, cols)])

    return x.map(view)


def _read_mask(c: Context, node: Any, given: Mapping[str, Any], rows: int, places: int) -> Any:
    """Return which places each query may see, or None for all."""
    mask = given.get("attn_mask")
    if given.get("dropout_p"):
        refuse(node, "it drops entries at random", "set dropout_p to 0")
    if given.get("is_causal"):
        return np.tril(np.ones((rows, places), bool))
    if mask is None:
        return None
    found = mask if isinstance(mask, torch.Tensor) else None
    if found is None or found.dtype != torch.bool or prod(found.shape[:-2]) != 1:
        refuse(node, "its mask is no constant of true and false, alike for all heads", "use is_causal, or such a mask")
    return found.reshape(found.shape[-2:]).expand(rows, places).numpy()


def _find_shares(c: Context, scores: Value, mask: Any, heads: int) -> Value:
    """Return the softmax of each row with FACTOR_BITS."""
    b, reach = c.b, ceil(log(2 << FACTOR_BITS) * (1 << SCORE_BITS))
    if mask is not None:
        away = b.constant(np.where(mask, 0, -(2 * ACTIVATION_LIMIT + reach)))
        rows, cols = mask.shape
        scores = scores + b.view(away, 0, [(heads, 0), (rows, cols)], [(cols, 1)])
    below = b.clamp(scores - b.max(scores), -reach, 0)
    levels = np.round(2.0**FACTOR_BITS * np.exp(np.arange(-reach, 1) / 2.0**SCORE_BITS)).astype(np.int64)
    powers = b.table(below, levels[None], -reach)
    total = b.clamp(b.sum(powers), 1 << FACTOR_BITS, scores.cols << FACTOR_BITS)
    inverse = b.intdiv(1 << FACTOR_BITS + 24, total)
    return b.clamp(b.mul(powers, inverse, 24), 0, 1 << FACTOR_BITS)
