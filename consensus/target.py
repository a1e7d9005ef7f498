"""The target of each block: ASERT, variant aserti3-2d, on whole 256-bit targets (protocol, section 4).

Source: "ASERT Difficulty Adjustment Algorithm (aserti3-2d)", the Bitcoin Cash specification of
2020-11-15, with its fixed-point cubic for 2^x; without the compact "bits" rounding, and in
milliseconds. `docs/decisions/0001` says why block 1 is the anchor, `0002` why targets have a floor.
"""

from typing import Final

from inos.consensus.context import HeaderContext
from inos.consensus.params import Params
from inos.primitives.units import DurationMs, Target

RADIX_BITS: Final = 16
RADIX: Final = 1 << RADIX_BITS
MIN_TARGET: Final = Target(2**192)
"""The hardest target: D = 2^64 - 1, the largest number of tickets that fits 64 bits."""
_FAR_SHIFTS: Final = 512
"""A target shifted this far is beyond both limits; a real shift could use any amount of memory."""


def compute_target(params: Params, context: HeaderContext) -> Target:
    """Return the only valid target for the child of `context.parent`."""
    if context.first is None:
        return clamp_target(params, params.genesis_target)
    first = context.first
    return clamp_target(
        params,
        compute_asert(
            first.target,
            time_delta_ms=context.parent.time_ms - (first.time_ms - params.spacing_ms),
            height_delta=context.parent.height - first.height,
            spacing_ms=params.spacing_ms,
            half_life_ms=params.asert_half_life_ms,
        ),
    )


def clamp_target(params: Params, target: int) -> Target:
    """Return `target` moved into [MIN_TARGET, max_target]."""
    return Target(min(max(target, MIN_TARGET), params.max_target))


def compute_asert(
    anchor_target: int, *, time_delta_ms: int, height_delta: int, spacing_ms: DurationMs, half_life_ms: DurationMs
) -> int:
    """Return anchor_target * 2^((time_delta - spacing * (height_delta + 1)) / half_life), in integers, not clamped.

    Args:
        time_delta_ms: time of the parent of the block in question minus time of the anchor's parent.
        height_delta: height of that parent minus height of the anchor.

    2^fraction is the specification's cubic in 16-bit fixed point, with an error below 0.013 %.
    """
    exponent = _divide_truncating((time_delta_ms - spacing_ms * (height_delta + 1)) * RADIX, half_life_ms)
    shifts, fraction = exponent >> RADIX_BITS, exponent & (RADIX - 1)
    if shifts > _FAR_SHIFTS:
        return anchor_target << _FAR_SHIFTS
    if shifts < -_FAR_SHIFTS:
        return 0
    product = anchor_target * compute_power_of_two(fraction)
    shifts -= RADIX_BITS
    return product << shifts if shifts > 0 else product >> -shifts


def compute_power_of_two(fraction: int) -> int:
    """Return 65536 * 2^(fraction / 65536) for fraction in [0, 65536), by the specification's cubic."""
    cubic = 195_766_423_245_049 * fraction + 971_821_376 * fraction**2 + 5_127 * fraction**3
    return RADIX + ((cubic + 2**47) >> 48)


def _divide_truncating(a: int, b: int) -> int:
    """Divide towards zero, like the specification's C++; Python's `//` rounds towards minus infinity."""
    return a // b if a >= 0 else -(-a // b)
