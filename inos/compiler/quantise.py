"""How a layer's operands become int7: ranges, clipping, smoothing of outliers, one or two limbs.

Smoothing moves a scale s_j of each input channel from the activation into the weight: x_j / s_j is quantised, and the
weight's column j is multiplied by s_j. The activation is requantised from fixed point anyway, so that this costs no
operation, whatever layer stands before. The strength and the clipping are those with the smallest error of the
layer's output on the samples of the calibration.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Apply: TypeAlias = Callable[[Floats, Floats], Floats]
"""Returns the layer's output without bias for an input and a weight."""

LEVELS: Final = 63
WIDE_LEVELS: Final = 8127
"""The largest entry of one limb, and of two: 63 + 128 * 63."""
WIDE_MARGIN: Final = 2
"""Two limbs hold twice the range of calibration: they have levels to spare."""
PERCENTILES: Final = (99.99, 99.9, 99.5, 99.0)
ENOUGH_ENTRIES: Final = 64
"""Samples of each channel that smoothing needs: the range of fewer says little about inputs that come later."""
ENOUGH_CLIPPED: Final = 10
"""Samples that clipping must cut off, for the same reason."""
STRENGTHS: Final = (0.25, 0.5, 0.75)


class Limbs(Struct, frozen=True):
    """How many int7 limbs the operands of a product have: 1 or 2."""

    x: int = 1
    w: int = 1


class Samples(Struct, frozen=True, eq=False):
    """What calibration saw of a layer's input.

    Attributes:
        rows: some inputs; their channels are along `axis`.
        lo, hi: the least and largest entry of each channel over all batches.
    """

    rows: Floats
    axis: int
    lo: Floats
    hi: Floats


class Quantiser(Struct, frozen=True, eq=False):
    """x is quantised as clamp(round(x / (smooth_j * step)) - zero, -levels, levels)."""

    smooth: Floats
    step: float
    zero: int
    levels: int
    strength: float
    clipped: float


class QuantisedWeight(Struct, frozen=True, eq=False):
    """weight = entries * step, with one step for each output channel; the channels of outputs come first."""

    entries: NDArray[np.int64]
    step: Floats


def quantise_weight(weight: Floats, limbs: int) -> QuantisedWeight:
    """Return a weight (outputs first) with one symmetric scale for each output channel."""
    levels = LEVELS if limbs == 1 else WIDE_LEVELS
    flat = weight.reshape(len(weight), -1)
    step = np.maximum(np.abs(flat).max(axis=1), 1e-12) / levels
    return QuantisedWeight(np.round(flat / step[:, None]).astype(np.int64).reshape(weight.shape), step)


def choose_quantiser(
    seen: Samples, weight: Floats, groups: int, limbs: Limbs, apply: Apply, is_smoothed: bool
) -> Quantiser:
    """Return the quantiser of a layer's input whose output has the smallest error on the samples."""
    if limbs.x == 2:
        return _make_quantiser(seen, np.ones_like(seen.lo), 0.0, 100.0, 2)
    wanted = apply(seen.rows, weight)

    def measure(found: Quantiser) -> float:
        folded = spread_channels(found.smooth, weight, groups)
        quantised = quantise_weight(weight * folded, limbs.w)
        steps = quantised.step.reshape(-1, *(1,) * (weight.ndim - 1))
        got = apply(restore(found, seen), quantised.entries * steps / folded)
        return float(np.square(got - wanted).sum())

    is_smoothed = is_smoothed and seen.rows.size >= ENOUGH_ENTRIES * len(seen.lo)
    scales = [(0.0, np.ones_like(seen.lo)), *(_iterate_scales(seen, weight, groups) if is_smoothed else ())]
    best = min((_make_quantiser(seen, each, strength, 100.0, 1) for strength, each in scales), key=measure)
    percentiles = [each for each in PERCENTILES if seen.rows.size * (1 - each / 100) >= ENOUGH_CLIPPED]
    clipped = (_make_quantiser(seen, best.smooth, best.strength, each, 1) for each in percentiles)
    return min((best, *clipped), key=measure)


def spread_channels(smooth: Floats, weight: Floats, groups: int) -> Floats:
    """Return the channels' scales in the shape in which they multiply a weight of `groups` groups."""
    each = np.repeat(smooth.reshape(groups, -1), len(weight) // groups, axis=0)
    return each.reshape(*each.shape, *(1,) * (weight.ndim - 2))


def restore(found: Quantiser, seen: Samples) -> Floats:
    """Return the samples as they are after quantisation, in real numbers."""
    smooth = _along(found.smooth, seen)
    entries = np.round(seen.rows / (smooth * found.step)) - found.zero
    return (np.clip(entries, -found.levels, found.levels) + found.zero) * found.step * smooth


def _iterate_scales(seen: Samples, weight: Floats, groups: int) -> Iterator[tuple[float, Floats]]:
    """Yield SmoothQuant's scales |x_j|^a / |w_j|^(1 - a), and those of the activation alone."""
    x = np.maximum(np.maximum(-seen.lo, seen.hi), 1e-8)
    heights = np.abs(weight).reshape(groups, len(weight) // groups, weight.shape[1], -1).max(axis=(1, 3))
    w = np.maximum(heights.reshape(-1), 1e-8)
    for strength in STRENGTHS:
        for scales in (x**strength / w ** (1 - strength), x**strength):
            floored = np.maximum(scales, scales.max() * 1e-4)
            yield strength, floored / np.exp(np.log(floored).mean())


def _make_quantiser(seen: Samples, smooth: Floats, strength: float, percentile: float, limbs: int) -> Quantiser:
    lo, hi = float((seen.lo / smooth).min()), float((seen.hi / smooth).max())
    smoothed = seen.rows / _along(smooth, seen)
    if percentile < 100:
        low, high = np.percentile(smoothed, (100 - percentile, percentile))
        lo, hi = max(lo, float(low)), min(hi, float(high))
    lo, hi = min(lo, 0.0), max(hi, 0.0, lo + 1e-9)
    outside = float(np.mean((smoothed < lo) | (smoothed > hi)))
    if limbs == 2:
        return Quantiser(smooth, WIDE_MARGIN * max(-lo, hi) / WIDE_LEVELS, 0, WIDE_LEVELS, strength, outside)
    step = (hi - lo) / (2 * LEVELS)
    return Quantiser(smooth, step, round(lo / step) + LEVELS, LEVELS, strength, outside)


def _along(channels: Floats, seen: Samples) -> Floats:
    shape = [1] * seen.rows.ndim
    shape[seen.axis] = len(channels)
    return channels.reshape(shape)
