"""Updates in integers follow the optimisers of textbooks, and steps below one unit of a weight are not lost."""

from typing import Any

import numpy as np
import pytest

from inos.learn.errors import LearnError
from inos.learn.fixed import GRADIENT_BITS, WEIGHT_BITS
from inos.learn.optimisers import Optimiser, adam, build_update, compute_rate, make_state, sgd
from inos.programs import check_program, run_program

SIZE = 64


def follow(optimiser: Optimiser, gradients: list[Any], shards: int = 1) -> Any:
    """Return the weights, as floats, after updates by these gradients, which every shard returns alike."""
    built = build_update(optimiser, SIZE, shards)
    checked = check_program(built.program)
    weights, state = np.zeros((1, SIZE), np.int64), make_state(optimiser, SIZE)
    for step, gradient in enumerate(gradients, 1):
        control = np.array([[7, step, compute_rate(optimiser, step, len(gradients))]])
        given = np.round(gradient * 2.0**GRADIENT_BITS).astype(np.int64)[None]
        weights, state = run_program(checked, [control, weights, state, *[given] * shards], built.load)
    return weights[0] / 2.0**WEIGHT_BITS


def make_gradients(steps: int = 60) -> list[Any]:
    rng = np.random.default_rng(2)
    mean = rng.normal(0, 1e-2, SIZE)
    return [mean + rng.normal(0, 1e-2, SIZE) for _ in range(steps)]


@pytest.mark.parametrize("shards", [1, 3])
def test_sgd_is_that_of_torch(shards: int) -> None:
    gradients = make_gradients()
    buffer, wanted = np.zeros(SIZE), np.zeros(SIZE)
    for gradient in gradients:
        buffer = 0.9 * buffer + gradient
        wanted = wanted - 0.05 * buffer
    found = follow(sgd(0.05, 0.9, decay=False), gradients, shards)
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_adam_is_that_of_the_paper() -> None:
    gradients = make_gradients(200)
    mean, square, wanted = np.zeros(SIZE), np.zeros(SIZE), np.zeros(SIZE)
    second = 1 - 2.0**-10
    for step, gradient in enumerate(gradients, 1):
        mean = 0.9 * mean + 0.1 * gradient
        square = second * square + (1 - second) * gradient**2
        wanted = wanted - 0.01 * (mean / (1 - 0.9**step)) / np.sqrt(square / (1 - second**step))
    found = follow(adam(0.01, decay=False), gradients)
    assert np.corrcoef(found, wanted)[0, 1] > 0.999
    assert np.abs(found - wanted).max() < 0.08 * np.abs(wanted).max()


def test_steps_below_one_unit_add_up() -> None:
    """A rate and a gradient of which one step is a twentieth of a unit move the weight by it, on average."""
    unit = 2.0**-WEIGHT_BITS
    found = follow(sgd(0.001, 0.0, decay=False), [np.full(SIZE, 50 * unit)] * 400)
    assert -found.mean() / (400 * 0.05 * unit) == pytest.approx(1, abs=0.1)
    assert len(set(found)) > 4, "each weight is rounded by a draw of its own"


def test_rates_rise_in_the_warmup_and_fall_to_zero() -> None:
    rates = [compute_rate(sgd(0.1, 0.0, warmup=10), step, 100) for step in range(1, 101)]
    assert rates[9] == max(rates)
    assert rates[0] == rates[9] // 10
    assert rates[-1] < rates[9] // 80
    assert [compute_rate(sgd(0.1, 0.0, decay=False), step, 9) for step in (1, 9)] == [round(0.1 * 2**24)] * 2


def test_adams_rate_is_corrected_for_a_mean_that_began_at_zero() -> None:
    first, late = (compute_rate(adam(0.001, decay=False), step, 100_000) for step in (1, 90_000))
    assert first / 2**24 == pytest.approx(0.001 * np.sqrt(2.0**-10) / 0.1, rel=1e-2)
    assert late / 2**24 == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize(
    "make", [lambda: sgd(0.0), lambda: sgd(2.0, 0.9), lambda: sgd(0.1, 1.0), lambda: adam(-1), lambda: sgd(warmup=-1)]
)
def test_numbers_that_make_no_optimiser_are_refused(make: Any) -> None:
    with pytest.raises(LearnError) as caught:
        make()
    assert caught.value.code == "bad-optimiser"


def test_a_task_has_room_for_twelve_shards() -> None:
    build_update(sgd(), SIZE, 12)
    with pytest.raises(LearnError) as caught:
        build_update(sgd(), SIZE, 13)
    assert caught.value.code == "bad-shards"
