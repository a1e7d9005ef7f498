"""How operands become int7; no torch is needed."""

import numpy as np
import pytest

from inos.compiler.quantise import (
    Floats,
    Limbs,
    Quantiser,
    Samples,
    choose_quantiser,
    quantise_weight,
    restore,
    spread_channels,
)


def make_samples(rows: Floats) -> Samples:
    return Samples(rows, 1, rows.min(axis=0), rows.max(axis=0))


def multiply(rows: Floats, weight: Floats) -> Floats:
    product: Floats = rows @ weight.T
    return product


def measure(found: Quantiser, seen: Samples, weight: Floats) -> float:
    quantised = quantise_weight(weight * found.smooth, 1)
    got = restore(found, seen) @ (quantised.entries * quantised.step[:, None] / found.smooth).T
    wanted = seen.rows @ weight.T
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


def test_a_weight_has_one_scale_for_each_output_and_is_within_half_a_step() -> None:
    weight = np.random.default_rng(1).normal(size=(5, 40)) * np.logspace(-3, 3, 5)[:, None]
    for limbs, top in ((1, 63), (2, 8127)):
        found = quantise_weight(weight, limbs)
        assert np.abs(found.entries).max(axis=1).tolist() == [top] * 5
        assert np.all(np.abs(found.entries * found.step[:, None] - weight) <= found.step[:, None] / 2 * (1 + 1e-9))


def test_a_range_on_one_side_of_zero_uses_all_levels() -> None:
    rows = np.random.default_rng(2).uniform(0, 5, (300, 30))
    found = choose_quantiser(make_samples(rows), np.ones((4, 30)), 1, Limbs(), multiply, is_smoothed=False)
    assert found.zero == 63
    assert found.step == pytest.approx(5 / 126, rel=0.02)


def test_smoothing_takes_most_of_what_outlying_channels_cost() -> None:
    """Four of 64 channels are fifty times larger; smoothing gives back nine tenths of the error."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(512, 64)) * np.where(np.arange(64) < 4, 50, 1)
    weight = rng.normal(size=(32, 64)) / np.where(np.arange(64) < 4, 50, 1)
    seen = make_samples(rows)
    plain, smooth = (choose_quantiser(seen, weight, 1, Limbs(), multiply, each) for each in (False, True))
    assert plain.strength == 0 < smooth.strength
    assert measure(smooth, seen, weight) < measure(plain, seen, weight) / 10
    assert measure(smooth, seen, weight) < 0.02


def test_few_samples_are_neither_smoothed_nor_clipped() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(30, 64)) * np.where(np.arange(64) < 4, 50, 1)
    found = choose_quantiser(make_samples(rows), rng.normal(size=(32, 64)), 1, Limbs(), multiply, is_smoothed=True)
    assert (found.strength, found.clipped) == (0, 0)


def test_a_rare_outlier_is_clipped() -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(4096, 64))
    rows[7, 3] = 400
    found = choose_quantiser(make_samples(rows), rng.normal(size=(32, 64)), 1, Limbs(), multiply, is_smoothed=False)
    assert 0 < found.clipped < 0.01
    assert found.step * 126 < 20


def test_two_limbs_hold_twice_the_range() -> None:
    rows = np.random.default_rng(6).normal(size=(300, 30))
    found = choose_quantiser(make_samples(rows), np.ones((4, 30)), 1, Limbs(x=2), multiply, is_smoothed=True)
    assert (found.levels, found.zero, found.clipped) == (8127, 0, 0)
    assert found.step * 8127 == pytest.approx(2 * np.abs(rows).max())


def test_scales_of_channels_follow_the_groups_of_a_weight() -> None:
    weight = np.zeros((4, 3, 2, 2))
    spread = spread_channels(np.arange(6.0), weight, groups=2)
    assert spread[:, :, 0, 0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5], [3, 4, 5]]
