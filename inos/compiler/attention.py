"""Rules of products of two computed tensors: scaled dot product attention, matmul."""

from collections.abc import Mapping, Sequence
from math import prod, sqrt
from typing import Any, Final

import numpy as np
import torch

from inos.compiler.arithmetic import choose_bits, limit, scale
from inos.compiler.context import Context, get_op, get_path, get_shape, refuse, rule
from inos.compiler.quantise import LEVELS, WIDE_LEVELS, WIDE_MARGIN, Floats
from inos.compiler.report import LayerReport
from inos.compiler.tensors import Tensor, expand, make_tensor, to_matrix
from inos.programs.builder import Value
from inos.programs.library import exponentials, split_limbs

SCORE_BITS: Final = 9
SCORE_LIMIT: Final = 1 << 20
HIDDEN: Final = -(1 << 22)
"""What is added to a masked score."""
SHARE_BITS: Final = 10
"""Fraction bits that the mean of the values gains by its division."""


@rule("scaled_dot_product_attention")
def write_attention(c: Context, node: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    """Write softmax(q k^T / sqrt(d) + mask) v, one block of rows for each head of each sequence."""
    q, k, v = args[:3]
    given = [*args[3:], *[None] * 5]
    mask = options.get("attn_mask", given[0])
    is_causal, factor = options.get("is_causal", given[2]), options.get("scale", given[3])
    is_shared = False
    if options.get("enable_gqa", given[4]):
        is_shared = k.sizes[-3] != q.sizes[-3]
        k, v = (_repeat_heads(each, q.sizes[-3] // each.sizes[-3]) for each in (k, v))
    b, wide = c.b, _is_wide(c, node)
    lead, length, depth, past = q.sizes[:-2], q.sizes[-2], q.sizes[-1], k.sizes[-2]
    blocks = prod(lead)
    queries, step_q = _quantise(c, node.args[0], q, wide)
    keys, step_k = _quantise(c, node.args[1], k, wide, is_shared=is_shared)
    values, step_v = _quantise(c, node.args[2], _swap(v), wide, is_shared=is_shared)
    if is_shared:  # one step for all heads
        step_k, step_v = step_k[:1], step_v[:1]
    factor = 1 / sqrt(depth) if factor is None else factor
    scores = multiply_blocks(c, queries, keys, blocks, wide)
    scores = _scale_heads(c, scores, step_q * step_k * factor * 2.0**SCORE_BITS, lead, length)
    scores = b.clamp(scores, -SCORE_LIMIT, SCORE_LIMIT)
    if is_causal:
        mask = torch.ones(length, past, dtype=torch.bool).tril()
    if mask is not None:
        scores = scores + _write_mask(c, node, mask, (*lead, length, past))
    levels, zero = (WIDE_LEVELS, 0) if wide else (2 * LEVELS, LEVELS)
    weights = exponentials(scores, unit=1 << SCORE_BITS, levels=levels) - zero
    mixed = multiply_blocks(c, weights, values, blocks, wide)
    total = b.sum(weights)
    if zero:
        sums = b.sum(values) * zero  # one for each head and entry of a value
        width = values.rows // blocks
        mixed = mixed + b.view(sums, 0, ((blocks, width), (length, 0)), ((width, 1),))
        total = total + zero * past
    shares = b.intdiv(mixed * (1 << SHARE_BITS), b.clamp(total, 1, levels * past))
    top = (WIDE_LEVELS if wide else LEVELS) << SHARE_BITS
    bits = c.get_bits(node)
    y = _scale_heads(c, b.clamp(shares, -top, top), step_v * 2.0 ** (bits - SHARE_BITS), lead, length)
    _report(c, node, node.args[0], wide)
    return make_tensor(limit(y), get_shape(node), bits)


@rule("matmul", "bmm", "mm")
def write_matmul(c: Context, node: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Tensor:
    """Write the products of two tensors; batch dimensions broadcast."""
    x, y = args[:2]
    sizes = get_shape(node)
    if min(len(each.sizes if isinstance(each, Tensor) else each.shape) for each in (x, y)) < 2:
        refuse(node, "an operand is a vector", "add a dimension of 1 with unsqueeze")
    wide, lead = _is_wide(c, node), sizes[:-2]
    parts = []
    for source, each, is_right in zip(node.args[:2], (x, y), (False, True), strict=True):
        tensor = c.lift(each, None if isinstance(each, Tensor) else choose_bits(float(each.abs().max())))
        tensor = expand(tensor, (*lead, *tensor.sizes[-2:]))
        parts.append(_quantise(c, source, _swap(tensor) if is_right else tensor, wide, each))
    (left, step_x), (right, step_y) = parts
    product = multiply_blocks(c, left, right, prod(lead), wide)
    bits = c.get_bits(node)
    steps = step_x * step_y * 2.0**bits
    _report(c, node, node.args[0], wide)
    return make_tensor(limit(_scale_heads(c, product, steps, lead, sizes[-2])), sizes, bits)


def multiply_blocks(c: Context, x: Value, w: Value, blocks: int, is_wide: bool) -> Value:
    """Return the products of all blocks; wide operands are cut into two limbs, and their products joined."""
    b = c.b
    if not is_wide:
        return b.matmul(x, w, blocks)
    (x_low, x_high), (w_low, w_high) = split_limbs(x), split_limbs(w)
    middle = b.matmul(x_low, w_high, blocks) + b.matmul(x_high, w_low, blocks)
    top = b.matmul(x_high, w_high, blocks) * (1 << 14)
    return b.matmul(x_low, w_low, blocks) + middle * 128 + top


def _is_wide(c: Context, node: Any) -> bool:
    limbs = c.get_limbs(node)
    return max(limbs.x, limbs.w) == 2


def _repeat_heads(x: Tensor, count: int) -> Tensor:
    """Return keys or values with each head `count` times, as a dimension of its own behind the heads."""
    if count == 1:
        return x
    sizes = (*x.sizes[:-2], count, *x.sizes[-2:])
    return Tensor(x.value, sizes, (*x.strides[:-2], 0, *x.strides[-2:]), x.offset, x.bits)


def _swap(x: Tensor) -> Tensor:
    sizes, strides = list(x.sizes), list(x.strides)
    sizes[-2:], strides[-2:] = sizes[:-3:-1], strides[:-3:-1]
    return Tensor(x.value, tuple(sizes), tuple(strides), x.offset, x.bits)


def _quantise(
    c: Context, source: Any, x: Tensor, is_wide: bool, constant: Any = None, is_shared: bool = False
) -> tuple[Value, Floats]:
    """Return the tensor's blocks as int7 (14 bits if wide) rows, and the steps: one for each head."""
    levels = WIDE_LEVELS if is_wide else LEVELS
    if source in c.seen.heads:
        peaks = c.seen.heads[source]
    elif isinstance(constant, torch.Tensor):
        peaks = np.array([float(constant.abs().max())])
    else:
        peaks = np.array([c.seen.spans[source].peak])
    heads = x.sizes[-3] if len(x.sizes) > 2 else 1
    if len(peaks) != heads or is_shared:
        peaks = np.full(heads, peaks.max())
    steps = np.maximum(peaks, 1e-9) * (WIDE_MARGIN if is_wide else 1) / levels
    assert x.bits is not None
    rows = to_matrix(c.b, x, len(x.sizes) - 1)
    scaled = _scale_heads(c, rows, 1 / steps / 2.0**x.bits, x.sizes[:-2], x.sizes[-2])
    return c.b.clamp(scaled, -levels, levels), steps


def _scale_heads(c: Context, x: Value, heads: Floats, lead: Sequence[int], length: int) -> Value:
    """Return x times one factor for each head; the rows of x are the `length` rows of each block."""
    if np.all(heads == heads[0]):
        return scale(x, heads[0])
    outer = ((prod(lead[:-1]), 0), (len(heads), 1), (length, 0))
    return scale(x, heads[:, None], lambda column: c.b.view(column, 0, outer, ((1, 0),)))


def _write_mask(c: Context, node: Any, mask: Any, sizes: tuple[int, ...]) -> Value:
    """Return what a mask adds to the scores: nothing, or so much less that the exponential is 0."""
    b = c.b
    if isinstance(mask, Tensor):
        if mask.bits is not None:
            refuse(node, "its mask is computed from floats", "give a boolean mask as an input, or a constant one")
        x = expand(mask, sizes)
        hidden = (mask.value - 1) * -HIDDEN
        return to_matrix(b, Tensor(hidden, x.sizes, x.strides, x.offset, None), len(sizes) - 1)
    array = np.asarray(mask.detach().cpu())
    if array.dtype == bool:
        entries = np.where(array, 0, HIDDEN)
    else:
        entries = np.clip(np.nan_to_num(array * 2.0**SCORE_BITS), HIDDEN, -HIDDEN).round().astype(np.int64)
    small = make_tensor(b.constant(entries.reshape(-1, entries.shape[-1])), entries.shape, None)
    return to_matrix(b, expand(small, sizes), len(sizes) - 1)


def _report(c: Context, node: Any, source: Any, is_wide: bool) -> None:
    span = c.seen.spans.get(source)
    limbs = (2, 2) if is_wide else (1, 1)
    lo, hi = (span.lo, span.hi) if span is not None else (0.0, 0.0)
    path = get_path(node)
    name = f"{path}.{node.name}" if path else node.name
    c.layers.append((LayerReport(name, get_op(node), lo, hi, 0.0, 0.0, limbs), node))
