"""ASERT compared with the specification's published vectors and a high-precision power of two, and its limits."""

from decimal import Decimal, localcontext
from itertools import pairwise

import msgspec
import pytest

from inos.consensus.context import AsertAnchor, HeaderContext
from inos.consensus.target import MIN_TARGET, compute_asert, compute_power_of_two, compute_target
from inos.primitives.blocks import compute_difficulty
from inos.primitives.units import BlockId, Height, Target, TimeMs
from support.consensus_lab import PARAMS, Lab

POW_LIMIT = 0xFFFF << 208
# These are points of the published test vectors of aserti3-2d (runs 4, 5 and 6). The anchor is at height 1 and its
# parent's time is 0, the spacing is 600 s, and the half-life is 2 days. Each point is (anchor's bits, height, time,
# bits of the next target).
PUBLISHED = [
    (0x01010000, 2, 174_000, 0x01020000),
    (0x01010000, 7, 1_041_000, 0x01400000),
    (0x01010000, 103, 17_687_400, 0x0D400000),
    (0x01010000, 225, 38_842_200, 0x1D00FFFF),
    (0x1D00FFFF, 2, 0, 0x1D00FEC5),
    (0x1D00FFFF, 290, 0, 0x1C7F62C0),
    (0x1D00FFFF, 578, 0, 0x1C3FB160),
    (0x1D00FFFF, 61_058, 0, 0x020FEC00),
    (0x1D00FFFF, 64_514, 0, 0x01010000),
    (0x1802AEE8, 2, 1_200, 0x1802AEE8),
    (0x1802AEE8, 3, 1_310, 0x1802AD91),
    (0x1802AEE8, 4, 1_327, 0x1802ABF8),
    (0x1802AEE8, 9, 7_099, 0x1802B39C),
    (0x1802AEE8, 80, 46_815, 0x1802ABA9),
    (0x1802AEE8, 577, 359_817, 0x1802D58A),
]


def decode_bits(bits: int) -> int:
    exponent, mantissa = bits >> 24, bits & 0x7FFFFF
    return mantissa << 8 * (exponent - 3) if exponent >= 3 else mantissa >> 8 * (3 - exponent)


def encode_bits(target: int) -> int:
    exponent = (target.bit_length() + 7) // 8
    mantissa = target << 8 * (3 - exponent) if exponent <= 3 else target >> 8 * (exponent - 3)
    if mantissa & 0x800000:
        mantissa, exponent = mantissa >> 8, exponent + 1
    return exponent << 24 | mantissa


@pytest.mark.parametrize(("anchor", "height", "time", "expected"), PUBLISHED)
def test_published_vectors(anchor: int, height: int, time: int, expected: int) -> None:
    target = compute_asert(
        decode_bits(anchor), time_delta_ms=time, height_delta=height - 1, spacing_ms=600, half_life_ms=172_800
    )
    assert encode_bits(min(max(target, 1), POW_LIMIT)) == expected


def test_the_cubic_is_close_to_the_power_of_two() -> None:
    with localcontext() as context:
        context.prec = 50
        for fraction in range(0, 65_536, 97):
            exact = Decimal(65_536) * Decimal(2) ** (Decimal(fraction) / 65_536)
            assert abs(compute_power_of_two(fraction) / exact - 1) < Decimal("0.00014")


def test_the_cubic_never_falls() -> None:
    values = [compute_power_of_two(f) for f in range(65_536)]
    assert values[0] == 65_536
    assert values[-1] <= 131_072
    assert all(a <= b for a, b in pairwise(values))


@pytest.mark.parametrize(
    ("lateness_ms", "low", "high"),
    [(0, 1.0, 1.0), (60_000, 2.0, 2.0), (-60_000, 0.5, 0.5), (30_000, 1.4140, 1.4145), (-30_000, 0.7070, 0.7073)],
)
def test_a_half_life_late_doubles(lateness_ms: int, low: float, high: float) -> None:
    anchor = 2**240
    target = compute_asert(
        anchor, time_delta_ms=2000 * 8 + lateness_ms, height_delta=7, spacing_ms=2000, half_life_ms=60_000
    )
    assert low * anchor <= target <= high * anchor


def make_context(parent_height: int, time_ms: int, first_time_ms: int) -> HeaderContext:
    header = msgspec.structs.replace(Lab().headers[0], height=parent_height, time_ms=time_ms)
    first = AsertAnchor(Height(1), TimeMs(first_time_ms), Target(PARAMS.genesis_target))
    return HeaderContext(header, BlockId(bytes(32)), (TimeMs(time_ms),), first)


def test_block_1_has_the_genesis_target_and_so_block_2() -> None:
    lab = Lab()
    assert compute_target(PARAMS, lab.context) == PARAMS.genesis_target
    # years after genesis: the schedule starts with block 1 and not with genesis
    assert compute_target(PARAMS, make_context(1, 10**12, 10**12)) == PARAMS.genesis_target


def test_targets_stay_on_schedule_and_follow_lateness() -> None:
    first = 10**12
    on_time = make_context(31, first + 30 * 2000, first)
    late = make_context(31, first + 30 * 2000 + 60_000, first)
    early = make_context(31, first + 30 * 2000 - 60_000, first)
    assert compute_target(PARAMS, on_time) == PARAMS.genesis_target
    assert compute_target(PARAMS, late) == 2 * PARAMS.genesis_target
    assert compute_target(PARAMS, early) == PARAMS.genesis_target // 2


def test_clamps_hold_at_any_distance() -> None:
    first = 10**12
    assert compute_target(PARAMS, make_context(2, 2**63, first)) == 2**252 - 1
    assert compute_target(PARAMS, make_context(2**40, first, first)) == 2**192
    assert MIN_TARGET == 2**192
    assert compute_difficulty(MIN_TARGET) == 2**64 - 1
